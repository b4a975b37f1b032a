"""What the motion gate must see, must not be alarmed by, and must recover from."""

import tracemalloc
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from hub.perception.motion import GateResult, MotionGate

Luma = NDArray[np.uint8]
Picture = NDArray[np.float32]
FPS = 5


def ground(width: int = 640, height: int = 360, seed: int = 0) -> Picture:
    """A textured scene between 60 and 160 grey levels."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 160, (height // 24 + 2, width // 24 + 2))
    fine = coarse.repeat(24, 0).repeat(24, 1)[:height, :width]
    return (fine + rng.normal(0, 4, (height, width))).astype(np.float32)


def shown(picture: Picture) -> Luma:
    """The picture as a camera would send it."""
    return np.clip(picture, 0, 255).astype(np.uint8)


def watch(gate: MotionGate, draw: Callable[[int], Picture], frames: range) -> list[GateResult]:
    """What the gate says of frames drawn at `FPS`."""
    return [gate.update(shown(draw(i)), i / FPS) for i in frames]


def settled(width: int = 640, height: int = 360, seed: int = 0) -> tuple[MotionGate, Picture]:
    """A gate that has watched a calm scene for eight seconds."""
    gate, scene = MotionGate(width, height, FPS), ground(width, height, seed)
    watch(gate, lambda i: scene, range(8 * FPS))
    return gate, scene


def covered(result: GateResult, box: tuple[int, int, int, int]) -> float:
    """Share of `box` under the union of the regions."""
    x1, y1, x2, y2 = box
    seen = np.zeros((y2, x2), bool)
    for left, top, right, bottom in result.regions.tolist():
        seen[top:bottom, left:right] = True
    return float(seen[y1:y2, x1:x2].mean())


def test_results_have_the_promised_shapes() -> None:
    """Regions are int32 (N, 4), clipped to the frame, and (0, 4) when empty."""
    gate, scene = settled()
    calm = gate.update(shown(scene))
    assert calm.reason == "none"
    assert calm.regions.shape == (0, 4)
    scene[340:, 600:] += 70
    seen = gate.update(shown(scene))
    assert seen.triggered
    assert seen.regions.dtype == np.int32
    assert seen.regions[:, 2].max() == 640
    assert seen.regions[:, 3].max() == 360


def test_a_small_mover_is_seen_sixty_times_out_of_sixty() -> None:
    """4x10 pixels, 70 grey levels, at 640x360: covered in each of 60 frames."""
    for seed in range(3):
        gate, scene = settled(seed=seed)
        seen = 0
        for i in range(60):
            frame, x, y = scene.copy(), 20 + 9 * i, 100 + 50 * seed + i
            frame[y : y + 10, x : x + 4] += 70
            result = gate.update(shown(frame), 8 + i / FPS)
            seen += result.triggered and covered(result, (x, y, x + 4, y + 10)) >= 0.5
        assert seen == 60


def test_an_arrival_in_the_first_second_is_covered() -> None:
    """Warming up is no blindness: who arrives in the third frame has a region."""
    scene, gate = ground(), MotionGate(640, 360, FPS)
    first = watch(gate, lambda i: scene, range(2))
    assert first[0].reason == "scan"
    assert {r.state for r in first} == {"warming"}
    scene[100:220, 300:340] = 30
    result = gate.update(shown(scene), 2 / FPS)
    assert result.state == "warming"
    assert covered(result, (300, 100, 340, 220)) > 0.9


@pytest.mark.parametrize("sigma", [2, 5, 10])
@pytest.mark.parametrize("size", [(640, 360), (1920, 1080)])
def test_noise_does_not_trigger(sigma: int, size: tuple[int, int]) -> None:
    """Sensor noise is learned, also where only some rows are read."""
    rng, scene = np.random.default_rng(4), ground(*size)
    grain = rng.normal(0, sigma, (size[1] + 40, size[0])).astype(np.float32)
    gate = MotionGate(*size, FPS)

    def draw(i: int) -> Picture:
        shift = int(rng.integers(40))
        return scene + np.roll(grain[shift : shift + size[1]], int(rng.integers(size[0])), 1)

    watch(gate, draw, range(15))
    assert not any(r.triggered for r in watch(gate, draw, range(15, 60)))


@pytest.mark.parametrize("change", [40, -40, 0.6, 1.4])
def test_a_light_step_does_not_trigger(change: float) -> None:
    """A lamp switched on or off moves every cell, and is no motion."""
    gate, scene = settled()
    lit = scene * change if isinstance(change, float) else scene + change
    after = watch(gate, lambda i: lit, range(40, 60))
    back = watch(gate, lambda i: scene, range(60, 80))
    assert not any(r.triggered for r in after + back)
    assert {r.state for r in after + back} == {"watching"}


def test_slow_drift_does_not_trigger() -> None:
    """An afternoon in a minute: light that fades by a third stays unnoticed."""
    gate, scene = settled()
    seen = watch(gate, lambda i: scene * (1 - 0.33 * (i - 40) / 300), range(40, 340))
    assert not any(r.triggered for r in seen)


def test_flicker_bands_do_not_trigger_and_hide_nobody() -> None:
    """Mains light beating with a rolling shutter darkens bands of rows, which are taken out."""
    gate, scene = MotionGate(640, 360, FPS), ground()
    rows = np.arange(360, dtype=np.float32)[:, None]

    def draw(i: int) -> Picture:
        return scene * (1 + 0.06 * np.sin(2.1 * i + rows / 40))

    assert not any(r.triggered for r in watch(gate, draw, range(100))[25:])
    for i in range(100, 130):
        frame, x = draw(i), 40 + 15 * (i - 100)
        frame[120:200, x : x + 28] = 30
        result = gate.update(shown(frame), i / FPS)
        assert covered(result, (x, 120, x + 28, 200)) >= 0.5


def test_rain_is_quiet_and_people_are_seen_through_it() -> None:
    """At most a tenth of the frames trigger in rain; a walker is covered in every one."""
    rng, scene = np.random.default_rng(8), ground()
    gate = MotionGate(640, 360, FPS)

    def draw(i: int) -> Picture:
        wet = scene.copy()
        for x, y in zip(rng.integers(0, 638, 120), rng.integers(0, 340, 120), strict=True):
            wet[y : y + 14, x : x + 1] += 60
        return wet

    wet = watch(gate, draw, range(200))
    assert sum(r.triggered for r in wet[100:]) <= 10
    for i in range(200, 230):
        frame, x = draw(i), 30 + 18 * (i - 200)
        frame[150:230, x : x + 28] = 20
        assert covered(gate.update(shown(frame), i / FPS), (x, 150, x + 28, 230)) >= 0.5


def test_a_drop_in_the_first_frame_is_not_held_for_somebody() -> None:
    """In rain that fell from the start, most frames are quiet four seconds later."""
    rng, scene = np.random.default_rng(0), ground()
    gate = MotionGate(640, 360, FPS)

    def draw(i: int) -> Picture:
        wet = scene.copy()
        for x, y in zip(rng.integers(0, 636, 100), rng.integers(0, 350, 100), strict=True):
            wet[y : y + 9, x : x + 3] += 55
        return wet

    results = watch(gate, draw, range(16 * FPS))
    assert sum(r.triggered for r in results[4 * FPS :]) <= 6 * FPS


def test_who_is_darker_than_what_rain_lightens_is_seen_at_night() -> None:
    """Rain only brightens: a walker three grey levels darker is covered through it."""
    rng, scene = np.random.default_rng(9), ground() * 0.2 + 10
    gate, seen = MotionGate(640, 360, FPS), 0

    def draw(i: int) -> Picture:
        wet = scene + rng.normal(0, 1.5, scene.shape)
        for x, y in zip(rng.integers(0, 638, 150), rng.integers(0, 340, 150), strict=True):
            wet[y : y + 14, x : x + 1] += 60
        return wet

    wet = watch(gate, draw, range(150))
    assert sum(r.triggered for r in wet[75:]) <= 7
    for i in range(150, 190):
        frame, x = draw(i), 30 + 12 * (i - 150)
        frame[150:230, x : x + 28] -= 3
        seen += covered(gate.update(shown(frame), i / FPS), (x, 150, x + 28, 230)) >= 0.5
    assert seen >= 38


def test_a_person_who_stands_still_stays() -> None:
    """Two minutes at a desk, with the small movements of the living, and never absorbed."""
    gate, scene = settled()
    rng = np.random.default_rng(2)

    def draw(i: int) -> Picture:
        frame, sway = scene.copy(), int(rng.integers(0, 3)) if i % 15 == 0 else 1
        frame[100 + sway : 230, 300 + sway : 350 + sway] = 25
        return frame

    results = watch(gate, draw, range(40, 40 + 120 * FPS))
    assert all(covered(r, (305, 105, 345, 225)) > 0.5 for r in results)
    gone = watch(gate, lambda i: scene, range(640, 640 + 30 * FPS))
    assert not gone[-1].triggered


def test_a_parked_thing_is_absorbed_and_leaves_no_lasting_ghost() -> None:
    """What has not changed for half a minute is furniture; so is the gap it leaves."""
    gate, scene = settled()
    parked = scene.copy()
    parked[200:280, 100:260] = 200
    there = watch(gate, lambda i: parked, range(40, 40 + 30 * FPS))
    assert there[0].triggered
    assert all(r.triggered for r in there[: 10 * FPS])
    assert not there[-1].triggered
    gone = watch(gate, lambda i: scene, range(200, 200 + 30 * FPS))
    assert gone[0].triggered
    assert not gone[-1].triggered


def blind_for(results: list[GateResult]) -> float:
    """Longest unbroken blindness, in seconds of the frames' own time."""
    longest = since = 0.0
    for result in results:
        since = since + 1 / FPS if result.state == "blind" else 0.0
        longest = max(longest, since)
    return longest


def test_a_changed_scene_is_adopted_within_two_seconds() -> None:
    """An inverted picture triggers once, blinds briefly and is quiet again within 2 s."""
    gate, _ = settled()
    other = 255 - ground(seed=9)
    results = watch(gate, lambda i: other, range(40, 70))
    assert results[0].reason == "scene_change"
    assert results[0].triggered
    assert results[0].state == "blind"
    assert results[0].regions.tolist() == [[0, 0, 640, 360]]
    assert not any(r.triggered for r in results[2 * FPS :])
    assert all(r.state == "watching" for r in results[2 * FPS :])
    other[100:180, 200:230] = 20
    assert covered(gate.update(shown(other), 70 / FPS), (200, 100, 230, 180)) > 0.9


def test_a_covered_lens_is_a_change_of_scene() -> None:
    """Black is not merely less light: the gate says that the scene changed."""
    gate, scene = settled()
    results = watch(gate, lambda i: np.full_like(scene, 17), range(40, 60))
    assert results[0].reason == "scene_change"
    assert blind_for(results) <= 2.0
    assert results[-1].state == "watching"
    back = watch(gate, lambda i: scene, range(60, 80))
    assert "scene_change" in {r.reason for r in back}
    assert not back[-1].triggered


@pytest.mark.parametrize("fps", [1, 5, 30])
def test_endless_change_never_blinds_for_longer_than_two_seconds(fps: int) -> None:
    """A scene that never settles is watched as motion, whatever the frame rate."""
    gate = MotionGate(640, 360, fps)
    pictures = [shown(ground(seed=s)) for s in range(7)]
    since, states = None, Counter[str]()
    for i in range(20 * fps):
        at = i / fps
        result = gate.update(pictures[i * 3 % 7], at)
        states[result.state] += 1
        if result.state != "blind":
            since = None
            continue
        since = at if since is None else since
        assert at - since < 2.0
    assert states["watching"] > states["blind"] / 2
    calm = [gate.update(pictures[0], 20 + i / fps) for i in range(20 * fps)]
    assert not calm[-1].triggered
    assert calm[-1].state == "watching"


def test_the_first_frame_is_the_background_however_seldom_frames_come() -> None:
    """A camera with a picture every five seconds is looked at whole first, also in the dark."""
    gate, night = MotionGate(640, 360, 0.2), np.full((360, 640), 3, np.uint8)
    first = gate.update(night)
    assert (first.reason, first.state) == ("scan", "warming")
    assert not any(gate.update(night).triggered for _ in range(4))


def test_a_silent_gate_asks_for_a_look_every_ten_seconds() -> None:
    """Scans come at their period, over the whole frame, and trigger nothing."""
    gate, scene = MotionGate(640, 360, FPS), ground()
    results = watch(gate, lambda i: scene, range(31 * FPS))
    scans = [i for i, r in enumerate(results) if r.reason == "scan"]
    assert scans == [0, 50, 100, 150]
    assert all(results[i].regions.tolist() == [[0, 0, 640, 360]] for i in scans)
    assert not any(r.triggered for r in results)


def test_the_scan_period_can_be_chosen() -> None:
    """Three seconds when asked for, never when zero."""
    scene = ground()
    often = MotionGate(640, 360, FPS, scan_seconds=3)
    never = MotionGate(640, 360, FPS, scan_seconds=0)
    assert sum(r.reason == "scan" for r in watch(often, lambda i: scene, range(50))) == 4
    assert sum(r.reason == "scan" for r in watch(never, lambda i: scene, range(200))) == 1


def test_masked_places_are_not_looked_at() -> None:
    """A mover behind the mask is ignored, beside it is seen; a new mask takes effect."""
    gate, scene = settled()
    mask = np.ones((360, 640), np.uint8)
    mask[:, 320:] = 0
    for i in range(10):
        frame = scene.copy()
        frame[100:160, 400 + 10 * i : 430 + 10 * i] = 220
        assert not gate.update(shown(frame), 8 + i / FPS, mask).triggered
    frame = scene.copy()
    frame[100:160, 200:230] = 220
    assert covered(gate.update(shown(frame), 10.0, mask), (200, 100, 230, 160)) > 0.9
    assert not gate.update(shown(frame), 10.2, np.zeros((360, 640), bool)).triggered


@pytest.mark.parametrize(
    "size", [(480, 270), (768, 432), (640, 720), (1280, 720), (1001, 563), (33, 17), (3840, 2160)]
)
def test_any_size_sees_a_person_to_the_edge(size: tuple[int, int]) -> None:
    """A person of a fifth of the frame is covered, also when touching its far corner."""
    width, height = size
    gate, scene = MotionGate(width, height, FPS), ground(width, height)
    for i in range(3):
        gate.update(shown(scene), i / FPS)
    box = (width - max(4, width // 10), height - max(8, height // 5), width, height)
    scene[box[1] : box[3], box[0] : box[2]] = 250
    result = gate.update(shown(scene), 0.6)
    assert covered(result, box) == 1.0
    assert result.regions[:, 2:].max(axis=0).tolist() == [width, height]


def test_a_decoders_plane_is_read_in_place() -> None:
    """Neither contiguous nor padded planes are copied, and none is written to."""
    memory = np.zeros((1080, 2048), np.uint8)
    memory[:, :1920] = shown(ground(1920, 1080))
    plane = memory[:, :1920]
    plane.flags.writeable = False
    before = memory.copy()
    gate = MotionGate(1920, 1080, FPS)
    for i in range(6):
        gate.update(plane, i / FPS)
    tracemalloc.start()
    for i in range(6, 16):
        gate.update(plane, i / FPS)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 16_000
    np.testing.assert_array_equal(memory, before)


def test_regions_stay_tight_in_a_crowd() -> None:
    """Two dozen people scattered over the yard: each covered, most of the ground left out."""
    gate, scene = settled()
    rng = np.random.default_rng(3)
    people = []
    for x, y in zip(rng.integers(0, 600, 24), rng.integers(0, 300, 24), strict=True):
        scene[y : y + 50, x : x + 18] = 230
        people.append((int(x), int(y), int(x) + 18, int(y) + 50))
    result = gate.update(shown(scene), 8.0)
    assert all(covered(result, person) > 0.95 for person in people)
    assert covered(result, (0, 0, 640, 360)) < 0.3


def test_one_mover_is_one_region() -> None:
    """A person with a gap between head and body is not handed out twice."""
    gate, scene = settled()
    scene[100:120, 300:320] = 230
    scene[126:200, 290:330] = 230
    assert len(gate.update(shown(scene), 8.0).regions) == 1


def test_a_soft_shadow_beside_somebody_near_is_left_out() -> None:
    """Who fills a good part of the picture is boxed whole, but not the faint shade around them."""
    gate, scene = settled()
    scene[60:340, 180:420] -= 6
    scene[70:330, 260:340] = 20
    result = gate.update(shown(scene), 8.0)
    assert covered(result, (260, 70, 340, 330)) == 1.0
    assert covered(result, (180, 60, 240, 340)) == 0.0
    assert covered(result, (360, 60, 420, 340)) == 0.0


def test_somebody_near_who_hardly_stands_out_is_boxed_whole() -> None:
    """Where nothing of a large mover is clear, no part of it is left out."""
    gate, scene = settled()
    scene[70:330, 260:340] += 4
    assert covered(gate.update(shown(scene), 8.0), (260, 70, 340, 330)) > 0.95


def test_wrong_pictures_are_refused() -> None:
    """Another size or type of picture raises, and says what was expected."""
    gate = MotionGate(640, 360, FPS)
    with pytest.raises(ValueError, match="360 rows x 640 columns"):
        gate.update(np.zeros((640, 360), np.uint8))
    with pytest.raises(ValueError, match="uint8"):
        gate.update(np.zeros((360, 640), np.uint16))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="mask"):
        gate.update(np.zeros((360, 640), np.uint8), mask=np.ones((10, 10), np.uint8))
    with pytest.raises(ValueError, match="too small"):
        MotionGate(4, 360, FPS)


def test_times_that_jump_do_no_harm() -> None:
    """Backward, repeated and far-forward times neither raise nor trigger nor blind."""
    gate, scene = settled()
    for at in (8.0, 8.0, 3.0, 3.2, 5000.0, 5000.2, -7.0, 0.0):
        result = gate.update(shown(scene), at)
        assert not result.triggered
        assert result.state == "watching"
