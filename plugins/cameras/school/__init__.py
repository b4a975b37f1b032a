"""The example school: scenes drawn by the hub itself, so that it can be tried without a camera."""

# Raised whenever a scene looks or plays differently, so that clips drawn before are drawn anew.
DRAWING = 2
SCENES = ("corridor", "entrance", "yard", "car_park")
