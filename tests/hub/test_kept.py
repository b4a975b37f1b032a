"""Configurations that ran: kept whole, found by their hash, never with a secret."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from hub.errors import StateError
from hub.kept import KEPT, KeptConfigs, Standing, fingerprint, texts_of
from hub.yamlfile import read_yaml

TEXTS = {"school.yaml": b"hub: {name: One}\n", "parts/doors.yaml": b"front: {}\n"}


@pytest.fixture
def configs(tmp_path: Path) -> KeptConfigs:
    """An empty place to keep them in."""
    return KeptConfigs(tmp_path / "state" / "config")


def source(tmp_path: Path) -> Path:
    return tmp_path / "etc" / "school.yaml"


def test_what_ran_is_kept_byte_for_byte(tmp_path: Path, configs: KeptConfigs) -> None:
    """Every file lies under the hash, readable by its owner alone."""
    kept = configs.keep(source(tmp_path), TEXTS, "2026-03-02T08:00:00.000Z")
    assert kept.hash == fingerprint(TEXTS)
    assert kept.main.read_bytes() == TEXTS["school.yaml"]
    assert (kept.main.parent / "parts" / "doors.yaml").read_bytes() == TEXTS["parts/doors.yaml"]
    assert stat.S_IMODE(kept.main.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.main.parent.stat().st_mode) == 0o700
    assert configs.of(source(tmp_path)) == [kept]


def test_the_hash_tells_files_apart() -> None:
    """Another byte, another name, or the same bytes shared out differently: another hash."""
    hashes = {
        fingerprint(texts)
        for texts in (
            TEXTS,
            {**TEXTS, "school.yaml": b"hub: {name: Two}\n"},
            {"school.yaml": TEXTS["school.yaml"]},
            {"a": b"bc", "d": b""},
            {"a": b"b", "d": b"c"},
            {"ab": b"c", "d": b""},
        )
    }
    assert len(hashes) == 6


def test_secrets_are_not_copied(tmp_path: Path) -> None:
    """The texts hold the file and what it includes, but not secrets.yaml."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "places.yaml").write_text("site: {name: S, kind: site}\n")
    (tmp_path / "secrets.yaml").write_text("name: canary\n")
    main = tmp_path / "school.yaml"
    main.write_text("hub: {name: !secret name}\nplaces: !include parts/places.yaml\n")
    texts = texts_of(read_yaml(main))
    assert set(texts) == {"school.yaml", "parts/places.yaml"}
    assert b"canary" not in b"".join(texts.values())


def test_the_newest_comes_first_and_the_oldest_go(tmp_path: Path, configs: KeptConfigs) -> None:
    """So many are kept; the one that stands is never let go."""
    every = [{"school.yaml": f"hub: {{name: N{number}}}\n".encode()} for number in range(KEPT + 5)]
    first = configs.keep(source(tmp_path), every[0], "2026-03-02T08:00:00.000Z")
    configs.stand(Standing(first.hash, "of the file"))
    for number, texts in enumerate(every[1:], 1):
        configs.keep(source(tmp_path), texts, f"2026-03-02T09:{number:02}:00.000Z")
    found = configs.of(source(tmp_path))
    assert len(found) == KEPT + 1
    assert [kept.time for kept in found] == sorted((kept.time for kept in found), reverse=True)
    assert found[-1].hash == first.hash


def test_keeping_it_again_makes_it_the_newest(tmp_path: Path, configs: KeptConfigs) -> None:
    """A configuration that runs again is one entry with the later time."""
    configs.keep(source(tmp_path), TEXTS, "2026-03-02T08:00:00.000Z")
    configs.keep(source(tmp_path), {"school.yaml": b"{}"}, "2026-03-02T09:00:00.000Z")
    configs.keep(source(tmp_path), TEXTS, "2026-03-02T10:00:00.000Z")
    found = configs.of(source(tmp_path))
    assert found[0].hash == fingerprint(TEXTS)
    assert len(found) == 2


def test_one_is_found_by_how_its_hash_begins(tmp_path: Path, configs: KeptConfigs) -> None:
    """Four digits are enough when they fit one; anything else is answered with what there is."""
    kept = configs.keep(source(tmp_path), TEXTS, "2026-03-02T08:00:00.000Z")
    assert configs.find(source(tmp_path), kept.hash[:4]) == kept
    for wrong in ("", kept.hash[:3], "zzzz", "../.."):
        with pytest.raises(StateError, match=kept.short):
            configs.find(source(tmp_path), wrong)


def test_another_file_has_its_own(tmp_path: Path, configs: KeptConfigs) -> None:
    """Two schools on one state folder do not mix."""
    configs.keep(source(tmp_path), TEXTS, "2026-03-02T08:00:00.000Z")
    assert configs.of(tmp_path / "other.yaml") == []


def test_what_is_damaged_is_not_taken(tmp_path: Path, configs: KeptConfigs) -> None:
    """A half-written or foreign folder is no kept configuration."""
    kept = configs.keep(source(tmp_path), TEXTS, "2026-03-02T08:00:00.000Z")
    (kept.main.parent / "kept.json").write_text("{")
    (configs.folder / "stray").mkdir()
    (configs.folder / "file").write_text("x")
    assert configs.every() == []


def test_a_name_that_leads_out_is_refused(tmp_path: Path, configs: KeptConfigs) -> None:
    """Nothing is ever written beside the folder."""
    with pytest.raises(StateError, match="outside"):
        configs.keep(source(tmp_path), {"school.yaml": b"", "../x.yaml": b""}, "2026")
    assert not (configs.folder.parent / "x.yaml").exists()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """The reason comes in words, for the log and for people."""
    (tmp_path / "config").write_text("a file in its place")
    configs = KeptConfigs(tmp_path / "config")
    with pytest.raises(StateError, match="could not be kept"):
        configs.keep(source(tmp_path), TEXTS, "2026-03-02T08:00:00.000Z")


def test_going_back_is_remembered_until_it_is_not(tmp_path: Path, configs: KeptConfigs) -> None:
    """What stands survives; None forgets it; damage means that nothing stands."""
    assert configs.standing() is None
    configs.stand(Standing("aa", "bb"))
    assert configs.standing() == Standing("aa", "bb")
    configs.stand(None)
    assert configs.standing() is None
    (configs.folder / "standing.json").write_text("[]")
    assert configs.standing() is None
