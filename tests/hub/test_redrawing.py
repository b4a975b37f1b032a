"""Masks drawn by a person end in their own file, and nothing else there changes."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.audit import Audit
from hub.audit_port import Asked
from hub.check import examine
from hub.drawn_masks import DrawnMasks
from hub.errors import Refused
from hub.plugins import Registry, load_registry
from hub.redrawing import lines_of, redrawn
from hub.storage.journal import Journal
from hub.testing import FakeClock

NOW = datetime(2026, 11, 26, 22, 30, 5, tzinfo=UTC)
TRIANGLE = ((0.0, 0.0), (0.5, 0.0), (0.25, 0.125))
SQUARE = ((0.5, 0.5), (1.0, 0.5), (1.0, 1.0), (0.5, 1.0))
HEAD = """\
# Our school.  Mind the neighbour!
places:
  site: {name: School, kind: site}
detectors:
  motion: {driver: motion}
cameras:
"""


def school(folder: Path, cameras: str, more: str = "") -> Path:
    """A file whose section `cameras` is this."""
    file = folder / "school.yaml"
    file.write_bytes((HEAD + cameras + more).encode())
    return file


@cache
def built_in() -> Registry:
    """The drivers, found once."""
    return load_registry(None)


def drawn(file: Path, *masks: Any, camera: str = "yard") -> str:
    """The file with these masks of a camera."""
    return redrawn(examine(file, built_in()), camera, masks).after.decode()


BLOCK = """\
  yard:
    driver: simulated
    place: site      # where it hangs
    scene: yard

    # the last word
  gate: {driver: simulated, scene: yard, place: site}   # a small one
"""


def test_a_block_without_masks_gets_its_lines_behind_the_place(tmp_path: Path) -> None:
    """Comments, order and spacing stay byte for byte."""
    after = drawn(school(tmp_path, BLOCK), TRIANGLE, SQUARE)
    assert after == HEAD + BLOCK.replace(
        "    place: site      # where it hangs\n",
        "    place: site      # where it hangs\n"
        "    masks:\n"
        "      - [[0.0, 0.0], [0.5, 0.0], [0.25, 0.125]]\n"
        "      - [[0.5, 0.5], [1.0, 0.5], [1.0, 1.0], [0.5, 1.0]]\n",
    )


def test_a_block_on_one_line_stays_on_one_line(tmp_path: Path) -> None:
    """Braces are kept."""
    after = drawn(school(tmp_path, BLOCK), TRIANGLE, camera="gate")
    masks = "masks: [[[0.0, 0.0], [0.5, 0.0], [0.25, 0.125]]]"
    assert (
        f"gate: {{driver: simulated, scene: yard, place: site, {masks}}}   # a small one\n" in after
    )


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_masks_that_stand_there_are_replaced_and_their_comments_around_kept(
    tmp_path: Path, end: str
) -> None:
    """What stands before and behind the list stays, whatever ends the lines."""
    block = """\
  yard:
    driver: simulated
    masks:   # the neighbour's window
      - [[0.1, 0.1], [0.2, 0.1], [0.2, 0.2]]
      - [[0.3, 0.3], [0.4, 0.3], [0.4, 0.4]]   # the street

    # where it hangs
    place: site
""".replace("\n", end)
    file = tmp_path / "school.yaml"
    before = HEAD.replace("\n", end) + block
    file.write_bytes(before.encode())
    after = redrawn(examine(file), "yard", [SQUARE]).after.decode()
    head, _, rest = before.partition("      - [[0.1")
    tail = rest.partition("[0.4, 0.4]]")[2]
    assert after == head + "      - [[0.5, 0.5], [1.0, 0.5], [1.0, 1.0], [0.5, 1.0]]" + tail


def test_taking_all_masks_away_leaves_an_empty_list(tmp_path: Path) -> None:
    """The key stays, so that what stood beside it does."""
    block = "  yard:\n    driver: simulated\n    scene: yard\n    place: site\n    masks:\n"
    block += "      - [[0, 0], [1, 0], [1, 1]]\n"
    file = school(tmp_path, block, "hub: {name: School}\n")
    file.write_text(drawn(file))
    assert examine(file).config.cameras["yard"].masks == ()  # type: ignore[union-attr]
    assert "    masks: []\nhub: {name: School}\n" in file.read_text()


def test_a_file_of_one_camera_is_changed_there(tmp_path: Path) -> None:
    """The block that another file includes is changed where it stands."""
    (tmp_path / "yard.yaml").write_text("driver: simulated\nplace: site\n")
    file = school(tmp_path, "  yard: !include yard.yaml\n")
    found = redrawn(examine(file), "yard", [TRIANGLE])
    assert found.file == (tmp_path / "yard.yaml").resolve()
    assert found.after.decode().startswith("driver: simulated\nplace: site\nmasks:\n  - [[0.0")


@pytest.mark.parametrize(
    "block",
    [
        "  yard: &one\n    driver: simulated\n    place: site\n"
        "    masks: &m [[[0, 0], [1, 0], [1, 1]]]\n"
        "  gate:\n    driver: simulated\n    place: site\n    masks: *m\n",
        "  gate: &one {driver: simulated, place: site}\n  yard: *one\n",
    ],
)
def test_what_other_blocks_share_is_left_to_a_person(tmp_path: Path, block: str) -> None:
    """A change there would change another camera too."""
    file = school(tmp_path, block)
    with pytest.raises(Refused, match="only a person can change"):
        drawn(file, TRIANGLE, camera="gate" if "*m" in block else "yard")


def test_no_secret_shows_in_the_difference(tmp_path: Path) -> None:
    """A password in the same line is hidden."""
    block = "  yard: {driver: rtsp, url: 'rtsp://192.0.2.1/x', password: topsecret, place: site}\n"
    found = redrawn(examine(school(tmp_path, block)), "yard", [TRIANGLE])
    assert "topsecret" in found.after.decode()
    assert "topsecret" not in found.diff
    assert "masks: [[[0.0, 0.0]" in found.diff


points = st.tuples(*[st.integers(0, 1000).map(lambda n: n / 1000)] * 2)
polygons = st.lists(points, min_size=3, max_size=6)
blocks = st.sampled_from([
    BLOCK,
    "  yard: {place: site, driver: simulated}\n",
    "  yard: {place: 'site', masks: [], driver: simulated}",
    "  yard:\n      place: site\n      driver: simulated",
    "  yard:\n    masks:\n    - [[0, 0], [1, 0], [1, 1]]\n    driver: simulated\n    place: site\n",
    "  yard:\n    masks:\n    - - [0, 0]\n      - [1, 0]\n      - [1, 1]\n    place: site\n"
    "    driver: simulated\n",
])  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(block=blocks, masks=st.lists(polygons, max_size=4))
def test_what_is_read_back_is_what_was_drawn(tmp_path: Path, block: str, masks: Any) -> None:
    """Whatever way the block is written: these masks, and all else as before."""
    file = school(tmp_path, block)
    before = yaml.safe_load(file.read_text())
    file.write_text(drawn(file, *masks))
    after = yaml.safe_load(file.read_text())
    assert [[tuple(p) for p in each] for each in after["cameras"]["yard"].pop("masks")] == [
        [tuple(p) for p in each] for each in masks
    ]
    before["cameras"]["yard"].pop("masks", None)
    assert after == before
    assert yaml.safe_load(lines_of(masks))["masks"] == [[list(p) for p in each] for each in masks]


class Named:
    """What masks ask of the configuration: where its file lies."""

    def __init__(self, file: Path) -> None:
        self.file = file

    async def view(self) -> dict[str, str]:
        return {"file": str(self.file)}


@pytest.fixture
async def journal(tmp_path: Path) -> Any:
    """An open journal."""
    made = Journal(tmp_path / "journal.db")
    await made.open()
    yield made
    await made.close()


async def test_it_is_written_with_a_copy_beside_it_and_a_line_in_the_audit(
    tmp_path: Path, journal: Journal
) -> None:
    """Who drew it, for which camera, and where the copy lies."""
    file, clock = school(tmp_path, BLOCK), FakeClock(NOW)
    masks = DrawnMasks(Named(file), journal, clock)  # type: ignore[arg-type]
    plan = await masks.plan("yard", [TRIANGLE])
    assert plan["why"] == ""
    assert "+    masks:" in plan["diff"]
    copy = await masks.write("yard", [TRIANGLE], plan["before"], "IT")
    assert (tmp_path / copy).read_text() == HEAD + BLOCK
    assert examine(file).config.cameras["yard"].masks == (TRIANGLE,)  # type: ignore[union-attr]
    (line,) = (await Audit(journal, tmp_path, clock).view(Asked(act="config.written")))["lines"]
    assert (line["who"], line["subject"]) == ("IT", "camera/yard")
    assert line["details"]["backup"] == copy


async def test_what_somebody_else_changed_meanwhile_is_not_overwritten(
    tmp_path: Path, journal: Journal
) -> None:
    """The difference has to be looked at anew."""
    file = school(tmp_path, BLOCK)
    masks = DrawnMasks(Named(file), journal, FakeClock(NOW))  # type: ignore[arg-type]
    plan = await masks.plan("yard", [TRIANGLE])
    file.write_text(file.read_text() + "# somebody was here\n")
    with pytest.raises(Refused, match="has changed since"):
        await masks.write("yard", [TRIANGLE], plan["before"], "IT")
    assert "masks" not in file.read_text()


async def test_what_cannot_be_audited_is_taken_back(tmp_path: Path, journal: Journal) -> None:
    """No line, no change; and no copy is left behind."""
    file = school(tmp_path, BLOCK)
    masks = DrawnMasks(Named(file), journal, FakeClock(NOW))  # type: ignore[arg-type]
    plan = await masks.plan("yard", [TRIANGLE])
    await journal.write(lambda c: c.exec_driver_sql("ALTER TABLE audit RENAME TO away"))
    with pytest.raises(Exception):  # noqa: B017, PT011  (whatever the journal says)
        await masks.write("yard", [TRIANGLE], plan["before"], "IT")
    assert file.read_text() == HEAD + BLOCK
    assert list(tmp_path.glob("*.bak")) == []


async def test_a_file_that_two_cameras_share_is_left_to_a_person(
    tmp_path: Path, journal: Journal
) -> None:
    """The other camera would be masked too, so it is taken back."""
    (tmp_path / "one.yaml").write_text("driver: simulated\nscene: yard\nplace: site\n")
    file = school(tmp_path, "  yard: !include one.yaml\n  gate: !include one.yaml\n")
    masks = DrawnMasks(Named(file), journal, FakeClock(NOW))  # type: ignore[arg-type]
    plan = await masks.plan("yard", [TRIANGLE])
    with pytest.raises(Refused, match="its block is shared"):
        await masks.write("yard", [TRIANGLE], plan["before"], "IT")
    assert "masks" not in (tmp_path / "one.yaml").read_text()


async def test_where_the_hub_may_not_write_the_lines_are_shown(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hardened service cannot write its own configuration, and says what to put there."""
    file = school(tmp_path, BLOCK)
    monkeypatch.setattr("os.access", lambda *_: False)  # tests may run as root
    plan = await DrawnMasks(Named(file), journal, FakeClock(NOW)).plan("yard", [TRIANGLE])  # type: ignore[arg-type]
    assert "may not write" in plan["why"]
    assert plan["lines"].startswith("masks:\n  - [[0.0, 0.0]")
