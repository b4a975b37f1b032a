"""What another scene must not teach: edges that differ in it are no camera that sways."""

import numpy as np

from hub.bench.scenes import drawn
from hub.bench.score import frames
from hub.perception import motion_grid as G
from hub.perception.motion import MotionGate
from tests.hub.perception.test_motion_disbelief import lawn, shown
from tests.hub.perception.test_motion_twin import assert_same, both

FPS = 5


def middle(gate: MotionGate) -> float:
    """The threshold that half of the cells are under, grey levels."""
    return float(np.median(gate._cells_of(G.LIMIT)))


def test_a_switch_to_infrared_does_not_pass_for_a_swaying_camera() -> None:
    """Two seconds after it thresholds are not twice as high as before."""
    place = next(scene for scene in drawn() if scene.name == "gym")
    switch, gate, before, blind = place.count // 3, MotionGate(640, 360, FPS), 0.0, 0
    for i, luma in frames(place, "infrared switch", people=False):
        if i == switch + 2 * FPS:
            break
        before = before if i > switch else middle(gate)
        blind += gate.update(luma, i / FPS).state == "blind"
    assert blind
    assert gate._found[G.SHAKE] < 0.02
    assert middle(gate) < 2 * before


def test_a_camera_that_swayed_is_remembered_through_another_scene() -> None:
    """It forgets a gust by the clock, and nothing else."""
    rng, gate = np.random.default_rng(6), MotionGate(640, 360, FPS)
    for i in range(100):
        gate.update(shown(np.roll(lawn(), int(rng.integers(-2, 3)), axis=1), rng), i / FPS)
    shake = gate._found[G.SHAKE]
    assert shake > 0.02
    assert gate.update(shown(255 - lawn()[::-1], rng), 20.0).state == "blind"
    assert gate._found[G.SHAKE] == shake


def test_twins_remember_the_same_of_a_camera_that_sways() -> None:
    """Through another scene, to the last bit."""
    rng = np.random.default_rng(7)
    ours, twin = both(320, 180)
    first, second = (rng.uniform(20, 230, (180, 320)) for _ in range(2))
    blind = 0
    for i in range(60):
        scene = np.roll(first if i < 40 else second, i % 3, axis=1)
        assert_same(ours, twin, scene.astype(np.uint8), i / FPS)
        assert ours._found[G.SHAKE] == twin._found[G.SHAKE]
        blind += ours._blind_since is not None
    assert blind


def test_a_scene_just_adopted_is_looked_at_whole_for_three_looks_more() -> None:
    """Who stood in it was adopted as well; then it is watched as any other."""
    rng, gate = np.random.default_rng(8), MotionGate(640, 360, FPS)
    for i in range(60):
        gate.update(shown(lawn(), rng), i / FPS)
    said = [gate.update(shown(255 - lawn()[::-1], rng), 12 + i / FPS) for i in range(20)]
    blind = [i for i, result in enumerate(said) if result.state == "blind"]
    after = said[blind[-1] + 1 : blind[-1] + 6]
    whole = [result.regions.tolist() == [[0, 0, 640, 360]] for result in after]
    assert whole == [True, True, True, True, False]
    assert [result.reason for result in after[1:]] == ["scan", "scan", "scan", "none"]
    assert not any(result.triggered for result in after[1:])


def test_mains_light_on_even_ground_is_no_other_scene() -> None:
    """Its bands pass for a gain that is none: the gate goes on watching, and nothing triggers."""
    rng, gate = np.random.default_rng(0), MotionGate(640, 360, FPS)
    even = 138 + rng.uniform(-4, 4, (45, 80)).astype(np.float32).repeat(8, 0).repeat(8, 1)
    down = np.arange(360, dtype=np.float32)[:, None] / 360
    least = 0.0
    for i in range(120):
        lit = even * (1 + np.float32(0.06) * np.sin(np.float32(2.1 * i) + 9 * down))
        result = gate.update(shown(lit, rng), i / FPS)
        if i >= 40:
            assert (result.triggered, result.state) == (False, "watching")
            least = min(least, float(gate._found[G.GAIN]))
    assert least < -0.2


def test_views_that_jump_about_are_no_mains_light() -> None:
    """Whatever lines they show, no light explains them: the gate says that it cannot judge, and
    both kernels do.
    """
    rng = np.random.default_rng(9)
    ours, twin = both(320, 180)
    wide = rng.uniform(20, 230, (60, 80)).repeat(8, 0).repeat(8, 1)
    blind = 0
    for i in range(120):
        x, y = (0, 0) if i < 40 else (int(v) for v in rng.integers(0, 140, 2))
        view = np.ascontiguousarray(wide[y : y + 180, x : x + 320]).astype(np.uint8)
        assert_same(ours, twin, view, i / FPS)
        blind += i >= 40 and ours._blind_since is not None
    assert blind >= 24
