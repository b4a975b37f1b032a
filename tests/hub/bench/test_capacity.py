"""How many cameras a machine carries: what is shown, how people are followed, and the verdict."""

import json
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from hub.bench.capacity import (
    Capacity,
    Step,
    judged,
    lateness,
    lines,
    measured_at,
    search,
)
from hub.bench.capacity_hub import Entered, Measured, Setting, settings, starving
from hub.bench.capacity_plot import TICKS, draw, rounded
from hub.bench.capacity_scenes import FPS, GOP, HEIGHT, SCENES, TAKES, WIDTH, Walk, clip
from hub.bench.capacity_source import clips, film_of, first_of
from hub.errors import CannotCheck, ModelError

CPU = {"decode": 1.0, "gate": 0.5, "inference": 2.0, "rest": 0.3, "reading": 0.1, "hub": 0.2}


def figures(cameras: int = 8, **changed: object) -> Measured:
    """Ten seconds of so many cameras."""
    found = Measured(cameras, begin=100.0, end=110.0, cpu=dict(CPU), memory_mb=300 + 4 * cameras)
    found.pictures_mb, found.inferred, found.decoded = 1.0 * cameras, 50, 1200
    for name, value in changed.items():
        setattr(found, name, value)
    return found


def carried_with(cameras: int, late: float = 0.5) -> Step:
    """What is judged of so many cameras and people who are all told of so late."""
    return judged(figures(cameras), [late] * 20, None)


# ------------------------------------------------------------------- the pictures


def test_a_clip_shows_who_is_said_to_walk_and_when() -> None:
    """A person is nowhere before the start, wholly in the picture when said to be visible."""
    made = clip("ordinary", "corridor", 1, 16)
    assert len(made.pictures) == 16 * FPS
    decoder = av.CodecContext.create("h264", "r")
    planes = []
    for content in made.pictures:
        for picture in decoder.decode(av.Packet(content)):
            planes.append(picture.to_ndarray(format="gray").astype(np.int16))
    walk = made.walks[0]
    empty = planes[0]

    def changed(at: float) -> np.ndarray:
        """Columns that differ from the empty place."""
        columns: np.ndarray = np.abs(planes[int(at * FPS)] - empty).max(0) > 60
        return columns.nonzero()[0]

    assert not len(changed(walk.start - 0.2))
    seen = changed(walk.visible + 0.1)
    left = walk.left(int((walk.visible + 0.1) * FPS) / FPS)
    assert len(seen)
    assert seen.min() >= left - 12
    assert seen.max() <= left + walk.wide + 12


@pytest.mark.parametrize("pace", [80.0, -80.0])
def test_a_walk_enters_and_leaves_on_its_own_sides(pace: float) -> None:
    """Both edges of the figure are inside the picture from the visible instant on."""
    walk = Walk(start=2.0, tall=100, pace=pace, foot=300, look=101)
    assert not walk.shows(1.9)
    assert 0 <= walk.left(walk.visible + 1e-6) <= WIDTH - walk.wide
    assert not 0 <= walk.left(walk.visible - 0.1) <= WIDTH - walk.wide
    assert not walk.shows(2.0 + (WIDTH + walk.wide) / 80 + 0.1)


def test_busier_scenes_have_more_people_and_end_as_they_began() -> None:
    """Nobody is in the picture where a clip begins again, and each scene is busier than another."""
    many = {}
    for scene in SCENES:
        made = clip(scene, "yard", 2, 12)
        many[scene] = len(made.walks)
        assert not any(walk.shows(0.0) for walk in made.walks)
        assert all(0 < walk.tall < walk.foot < HEIGHT for walk in made.walks)
    assert many["quiet"] <= many["ordinary"] < many["busy"]


def test_cameras_take_turns_and_begin_at_key_frames() -> None:
    """Neighbours show other places, and cameras of one clip do not show people all at once."""
    assert [film_of(camera) for camera in range(len(TAKES))] == list(range(len(TAKES)))
    firsts = {first_of(camera, 900) for camera in range(0, 60, len(TAKES))}
    assert len(firsts) > 4
    assert all(first % GOP == 0 for first in firsts)


def test_clips_are_drawn_once_a_run(tmp_path: Path) -> None:
    """A second step of the same run plays the same clips without drawing them again."""
    first = clips("quiet", 8, tmp_path)
    (file,) = tmp_path.iterdir()
    drawn_at = file.stat().st_mtime_ns
    assert clips("quiet", 8, tmp_path) == first
    assert file.stat().st_mtime_ns == drawn_at
    assert len(first) == len(TAKES)


# --------------------------------------------------------------- from seen to told


def test_each_person_is_told_of_by_one_event_that_shows_them_there() -> None:
    """An event elsewhere in the picture, of another camera or too late is not about them."""
    walk = Walk(start=1.0, tall=100, pace=92.0, foot=300, look=101)  # visible at 1.5
    began = 100.0
    middle = walk.left(2.0) + walk.wide / 2
    right = Entered(0, 102.1, 102.0, middle)
    found = figures(1, began={0: began}, end=120.0)
    assert lateness(found, [[walk]], 60) == [None]
    found.entered = [Entered(0, 102.1, 102.0, middle + 200), Entered(1, 102.1, 102.0, middle)]
    assert lateness(found, [[walk]], 60) == [None]
    found.entered = [Entered(0, 107.0, 102.0, middle)]
    assert lateness(found, [[walk]], 60) == [None]
    found.entered = [right, Entered(0, 102.4, 102.0, middle)]
    assert lateness(found, [[walk]], 60) == [pytest.approx(0.6)]


def test_people_come_again_each_time_the_clip_does() -> None:
    """Comings are counted from the beginning of the measurement, shortly before its end no more."""
    walk = Walk(start=1.0, tall=100, pace=92.0, foot=300, look=101)
    found = figures(1, began={0: 50.0}, begin=100.0, end=131.0)
    assert len(lateness(found, [[walk]], 10)) == 3  # at 101.5, 111.5 and 121.5, not at 131.5
    found = figures(1, began={0: 50.0}, begin=102.0, end=126.0)
    assert len(lateness(found, [[walk]], 10)) == 1  # 111.5; 121.5 leaves no time to answer


# ------------------------------------------------------------------------ verdicts


def test_figures_are_percent_of_a_core_and_add_up() -> None:
    """CPU is by stage, the hub's own and reading inside `rest`; the source is apart."""
    step = judged(figures(8, source_cpu=1.0), [0.4] * 19 + [0.9], None)
    assert step.carried
    assert step.cpu["decode"] == 10.0
    assert step.cpu["rest"] == pytest.approx(6.0)
    assert step.cpu_percent == pytest.approx(41.0)
    assert step.source_cpu_percent == 10.0
    assert step.inferences_per_s == 5.0
    assert (step.p50, step.p95) == (0.4, pytest.approx(0.425, abs=0.006))


def test_late_people_end_it() -> None:
    """A p95 above one second is not carried, and says so."""
    step = judged(figures(16), [0.4] * 10 + [1.3] * 10, carried_with(8))
    assert not step.carried
    assert step.why_not == "95 of 100 people took up to 1.30 s"


def test_where_few_cameras_are_late_already_load_may_add_a_quarter() -> None:
    """The number then tells what load does, and that it is not in time is said with it."""
    few = carried_with(8, late=1.2)
    assert few.carried
    assert judged(figures(16), [1.4] * 20, few).carried
    assert not judged(figures(32), [1.5] * 20, few).carried
    late = Capacity("busy", 8, False, (few,))
    assert late.as_dict()["in_time"] is False
    text = "\n".join(lines([late, Capacity("quiet", 8, False, (carried_with(8),))]))
    assert text.splitlines()[1].split()[1] == "8*"
    assert text.splitlines()[2].split()[1] == "8"
    assert "with few cameras already" in text


def test_a_starved_camera_ends_it_whoever_is_seen_elsewhere() -> None:
    """One camera without pictures is enough, by name."""
    step = judged(figures(starved={"c3": "it is offline"}), [0.2] * 20, None)
    assert step.why_not == "1 cameras starved, such as c3: it is offline"


def test_missing_people_ends_it_beside_what_few_cameras_see() -> None:
    """What the detector never sees is not the load's fault; what it sees no more is."""
    few = judged(figures(8), [0.4] * 18 + [None] * 2, None)
    assert few.carried
    same = judged(figures(16), [0.4] * 17 + [None] * 3, few)
    assert same.carried
    fewer = judged(figures(32), [0.4] * 12 + [None] * 8, few)
    assert fewer.why_not == "60% of the people were seen, 90% with 8 cameras"
    assert judged(figures(), [None] * 4, None).why_not == "nobody who came in was seen"


def test_starving_is_having_no_new_picture() -> None:
    """Offline, never a picture, or an old one."""
    fine = {"id": "a", "state": "online", "picture_age_s": 0.1}
    old = {"id": "b", "state": "online", "picture_age_s": 2.5}
    away = {"id": "c", "state": "offline", "picture_age_s": None}
    assert set(starving([fine, old, away])) == {"b", "c"}


@pytest.mark.parametrize("limit", [0, 1, 5, 8, 9, 37, 64, 99])
@pytest.mark.parametrize("start", [1, 8])
def test_the_search_closes_in_on_the_limit(limit: int, start: int) -> None:
    """Never more than is carried, never less by more than a tenth or so, in few steps."""
    asked: list[int] = []

    def carried(number: int) -> bool:
        asked.append(number)
        return number <= limit

    found = search(start, 99, carried)
    assert limit - max(1, limit // 9) <= found <= limit
    assert len(asked) == len(set(asked)) <= 14
    assert max(asked) <= 99


def test_memory_grows_by_camera_beside_what_pictures_take() -> None:
    """The slope over all steps, with the pictures that are remembered told apart."""
    steps = tuple(carried_with(cameras) for cameras in (8, 16, 32))
    found = Capacity("quiet", 32, False, steps)
    assert found.memory_per_camera_mb == pytest.approx(3.0)
    assert found.pictures_per_camera_mb == 1.0
    assert Capacity("quiet", 8, False, steps[:1]).memory_per_camera_mb is None


def test_the_table_and_the_object_tell_the_same() -> None:
    """One line for each load, then every step, with what ended it."""
    late = judged(figures(64), [2.0] * 20, carried_with(32))
    found = Capacity("busy", 32, False, (carried_with(32), late))
    told = found.as_dict()
    assert json.loads(json.dumps(told))["cameras"] == 32
    assert told["ended_by"] == "95 of 100 people took up to 2.00 s"
    text = "\n".join(lines([found]))
    assert text.splitlines()[1].split()[:3] == ["busy", "32", "0.50"]
    assert "busy, 64:" in text
    assert text.endswith("took up to 2.00 s")


def test_the_plot_draws_a_line_for_each_load(tmp_path: Path) -> None:
    """A picture with both colours in it, also where only one number was measured."""
    many = Capacity("quiet", 32, False, tuple(carried_with(n) for n in (8, 16, 32)))
    one = Capacity("busy", 8, False, (carried_with(8),))
    draw([many, one], tmp_path / "cost.png")
    with Image.open(tmp_path / "cost.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20) or []}
    assert {(0x1B, 0x6C, 0xA8), (0x2A, 0x9D, 0x5C)} <= colours


def test_the_axes_of_the_plot_end_in_short_numbers_that_hold_everything() -> None:
    """Whatever is drawn, ticks have two figures at most, and no more than half is left empty."""
    for most in (0.07, 0.93, 1.0, 2.06, 33.6, 67.2, 632.0, 1400.0):
        end = rounded(most)
        assert most <= end < 2 * most
        assert len(f"{end / TICKS:.6g}".strip("0.").replace(".", "")) <= 2


# -------------------------------------------------------------------- what is asked


def test_unknown_loads_and_models_are_refused_with_what_there_is(tmp_path: Path) -> None:
    """A misspelt load names the known ones; a model must be installed or a file."""
    with pytest.raises(CannotCheck, match=r"no load 'quite'; there are: quiet, asleep; quiet; ord"):
        settings(["quite"], 5, (1, 1), state=tmp_path)
    with pytest.raises(ModelError, match="nowhere"):
        settings([], 5, (1, 1), model="nowhere", state=tmp_path)
    made = settings(["quiet, asleep"], 5, (1, 1), state=tmp_path)
    (only,) = made.values()
    config = only.config(7, 8554)
    assert config["cameras"]["c6"]["sleep_after"] == "10s"
    assert config["cameras"]["c6"]["url"] == "rtsp://127.0.0.1:8554/quiet-corridor-1/6"


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    """Exit status 2 and one line, without a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "hub", "bench", "capacity", "--load", "loud", "--state", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("vestibule: no load 'loud'")
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_whole_hub_tells_of_people_who_walk_by(tmp_path: Path) -> None:
    """Real streams, a real hub: people become events in time, and every figure has a value."""
    setting = Setting("busy", False, 5.0, {"driver": "motion"}, 6.0, 14.0, 16)
    found = measured_at("busy", setting, [2], tmp_path, lambda _: None)
    (step,) = found.steps
    assert step.people
    assert step.seen > 0.3
    assert step.pictures_per_s == pytest.approx(2 * FPS, rel=0.1)
    assert step.inferences_per_s > 0
    assert all(step.cpu[stage] > 0 for stage in ("decode", "gate", "rest", "of_it_reading"))
    assert 0 < step.source_cpu_percent < step.cpu_percent
    assert step.memory_mb > 100
