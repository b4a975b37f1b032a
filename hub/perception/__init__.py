"""From packets to tracks: decoding, motion, inference, zones, and the workers that run them."""
