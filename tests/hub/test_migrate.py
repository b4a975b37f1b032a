"""`vestibule config migrate`: only tokens of renamed keys change, never without a way back."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.check import examine
from hub.errors import Refused
from hub.migrate import rewrites
from hub.migrate_cli import migrate
from hub.rewriting import write
from hub.testing import FakeClock

Capture = pytest.CaptureFixture[str]
ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 26, 22, 30, 5, tzinfo=UTC)

OLD = """\
# Our school.  The siren is loud!
places:
  site: {name: School, kind: site}   # the whole of it
access_control:
  main_doors: {driver: simulated, stale_after_s: 12}
doors:
  front:
    name: "Front door"
    controller: main_doors
    place: site
    egress: free
    device: {behaviour: prompt, 'forced_after_s' : 25, "passage_s": 2.5}  # somebody pulls
notifiers:
  siren:
    driver: simulated_siren
    sound_for_s:   30
  log: {driver: logbook}
"""
NEW = (
    OLD.replace("stale_after_s: 12", "stale_after: 12s")
    .replace("'forced_after_s' : 25", "'forced_after' : 25s")
    .replace('"passage_s": 2.5', '"passage": 2.5s')
    .replace("sound_for_s:   30", "sound_for:   30s")
)
BACKUP = "school.yaml.2026-11-26T22-30-05.bak"


@pytest.fixture
def school(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with keys of earlier versions, in the working folder."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "school.yaml"
    file.write_bytes(OLD.encode())
    return file


def run(file: str = "school.yaml", dry_run: bool = False) -> int:
    """The verb, at a known time."""
    return migrate(file, dry_run, FakeClock(NOW))


def test_only_the_tokens_of_renamed_keys_change(
    school: Path, capsys: pytest.CaptureFixture
) -> None:
    """Comments, order, quotes and spaces stay; a number of seconds gets its unit."""
    assert run() == 0
    assert school.read_bytes() == NEW.encode()
    shown = capsys.readouterr()
    assert "-    sound_for_s:   30\n+    sound_for:   30s" in shown.out
    assert "Front door" not in shown.out, "only lines that change are shown"
    assert f"kept as {BACKUP}" in shown.err
    assert examine("school.yaml").problems == examine("school.yaml").notes == []


def test_the_backup_is_the_file_as_it_was(school: Path) -> None:
    """Beside the file, byte for byte, for the eyes of those who may read the file."""
    school.chmod(0o640)
    assert run() == 0
    backup = school.with_name(BACKUP)
    assert backup.read_bytes() == OLD.encode()
    assert backup.stat().st_mode == school.stat().st_mode
    assert school.stat().st_mode & 0o777 == 0o640
    assert sorted(each.name for each in school.parent.iterdir()) == ["school.yaml", BACKUP]


def test_a_second_run_has_nothing_to_do(school: Path, capsys: Capture) -> None:
    """What has today's names is left alone and gets no backup."""
    assert run() == 0
    before = school.stat().st_mtime_ns
    capsys.readouterr()
    assert run() == 0
    assert "nothing to do" in capsys.readouterr().err
    assert school.stat().st_mtime_ns == before
    assert len(list(school.parent.iterdir())) == 2


def test_two_backups_of_one_second_do_not_meet(school: Path) -> None:
    """A backup never replaces another."""
    assert run() == 0
    school.write_bytes(OLD.encode())
    assert run() == 0
    assert school.with_name("school.yaml.2026-11-26T22-30-05-2.bak").read_bytes() == OLD.encode()


def test_a_dry_run_only_shows(school: Path, capsys: Capture) -> None:
    """The difference is printed, the folder stays as it was."""
    assert run(dry_run=True) == 0
    shown = capsys.readouterr()
    assert "+    sound_for:   30s" in shown.out
    assert "dry run" in shown.err
    assert school.read_bytes() == OLD.encode()
    assert list(school.parent.iterdir()) == [school]


def test_line_ends_and_byte_order_mark_stay(school: Path) -> None:
    """A file that was saved on Windows looks the same there afterwards."""
    bom = b"\xef\xbb\xbf"
    school.write_bytes(bom + OLD.replace("\n", "\r\n").encode())
    assert run() == 0
    assert school.read_bytes() == bom + NEW.replace("\n", "\r\n").encode()


def test_included_files_are_rewritten_too(school: Path) -> None:
    """Each file that is read gets today's names and a backup of its own."""
    (school.parent / "parts").mkdir()
    part = school.parent / "parts" / "siren.yaml"
    part.write_text("driver: simulated_siren\nsound_for_s: 9 # short\n")
    school.write_text("notifiers:\n  siren: !include parts/siren.yaml\n")
    assert run() == 0
    assert part.read_text() == "driver: simulated_siren\nsound_for: 9s # short\n"
    assert part.with_name("siren.yaml.2026-11-26T22-30-05.bak").exists()
    assert not school.with_name(BACKUP).exists()


def test_an_anchor_is_rewritten_once(school: Path) -> None:
    """However many blocks share a mapping, its text is changed in one place."""
    text = (
        "notifiers:\n  a: &siren {driver: simulated_siren, sound_for_s: 9}\n  b: *siren\n"
        "  c: {<<: *siren, enabled: false}\n"
    )
    school.write_text(text)
    assert run() == 0
    assert school.read_text() == text.replace("sound_for_s: 9", "sound_for: 9s")


def test_what_is_no_plain_number_keeps_its_text(school: Path) -> None:
    """Only a number that stands directly behind its key is given a unit."""
    text = "notifiers:\n  a: {driver: simulated_siren, sound_for_s: 1m}\n"
    school.write_text(text)
    assert run() == 0
    assert school.read_text() == text.replace("sound_for_s", "sound_for")


def test_the_rest_of_a_faulty_file_is_rewritten(school: Path) -> None:
    """A problem elsewhere, which was there before, is no reason to stop."""
    text = "hub: {nam: x}\nnotifiers:\n  a: {driver: simulated_siren, sound_for_s: 9000}\n"
    school.write_text(text)
    assert run() == 0
    assert school.read_text() == text.replace("sound_for_s: 9000", "sound_for: 9000s")


def test_both_names_at_once_are_left_alone(school: Path, capsys: Capture) -> None:
    """Which of the two counts is for a person to say."""
    text = "notifiers:\n  a: {driver: simulated_siren, sound_for_s: 9, sound_for: 9s}\n"
    school.write_text(text)
    assert run() == 1
    shown = capsys.readouterr()
    assert shown.out.startswith(
        "school.yaml:2:32: notifiers.a.sound_for_s: `sound_for_s` is called"
    )
    assert "nothing is changed, for the file has the problem" in shown.err
    assert "nothing to do" not in shown.err
    assert school.read_text() == text


@pytest.mark.parametrize("text", ["a: [", "notifiers:\n  a: {driver: siren\n", ""])
def test_what_is_no_configuration_has_its_problems_shown(
    school: Path, capsys: Capture, text: str
) -> None:
    """Nobody can say that every key of it has today's name: the lines of `check` are printed."""
    school.write_text(text)
    assert run(dry_run=True) == 1
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [str(each) for each in examine("school.yaml").problems] != []
    assert "nothing to do" not in shown.err
    assert school.read_text() == text


@pytest.mark.parametrize("last", ["sound_for_s: 30", "sound_for_s: '30s'", "sound_for_s: 30 #"])
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_file_may_lack_its_last_line_end(
    school: Path, capsys: Capture, last: str, dry_run: bool
) -> None:
    """The last token may end where the file does."""
    text = f"notifiers:\n  s:\n    driver: simulated_siren\n    {last}"
    school.write_text(text)
    assert run(dry_run=dry_run) == 0
    assert "+    sound_for: " in capsys.readouterr().out
    new = text.replace("sound_for_s: 30", "sound_for: 30s").replace("sound_for_s", "sound_for")
    assert school.read_text() == (text if dry_run else new)


@pytest.mark.parametrize("mark", ["!", "&"])
def test_a_password_that_is_read_as_a_tag_is_not_shown(
    school: Path, capsys: Capture, mark: str
) -> None:
    """`!word` or `&word` without quotes may be meant as a password all the same."""
    text = (
        "access_control:\n  locks: {driver: mqtt, host: x.example, username: hub, "
        f"password: {mark}canary-0815 , stale_after_s: 5}}\n"
    )
    school.write_text(text)
    assert run(dry_run=True) == 0
    shown = capsys.readouterr()
    assert "password: (hidden) , stale_after: 5s" in shown.out
    assert "canary" not in shown.out + shown.err


def test_secrets_are_not_shown(school: Path, capsys: Capture) -> None:
    """A private value on a line that changes is masked in the difference, and kept in the file."""
    (school.parent / "secrets.yaml").write_text("broker: canary-0815\n")
    text = (
        "access_control:\n  locks: {driver: mqtt, host: x.example, username: hub, "
        'password: &pw "ca\'nary\\u0037", stale_after_s: 5} # was canary-0815\n'
        "  more: {driver: mqtt, host: x.example, username: hub, password: !secret broker}\n"
        "  pin: {driver: mqtt, host: x.example, username: hub, password: '12', stale_after_s: 5}\n"
    )
    school.write_text(text)
    assert run() == 0
    shown = capsys.readouterr()
    assert "password: (hidden), stale_after: 5s" in shown.out
    for secret in ("canary", "ca'nary", "0815", "'12'"):
        assert secret not in shown.out + shown.err
    assert school.read_text() == text.replace("stale_after_s: 5", "stale_after: 5s")


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, capsys: Capture) -> None:
    """What lies elsewhere is not ours to change: the real file is named, and nothing happens."""
    real = tmp_path / "real.yaml"
    real.write_text(OLD)
    folder = tmp_path / "etc"
    folder.mkdir()
    link = folder / "school.yaml"
    link.symlink_to(real)
    assert run(str(link)) == 1
    assert f"leads out of the configuration's folder, to {real}" in capsys.readouterr().err
    assert real.read_text() == OLD
    assert list(folder.iterdir()) == [link]
    assert link.is_symlink()


def test_a_link_within_the_folder_stays_one(school: Path) -> None:
    """The file that it leads to is rewritten."""
    real = school.rename(school.with_name("real.yaml"))
    school.symlink_to(real)
    assert run() == 0
    assert school.is_symlink()
    assert real.read_text() == NEW


def test_where_nothing_can_be_written_nothing_changes(
    school: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    """A disk that fails in the middle leaves both files as they were, and no litter."""
    part = school.with_name("siren.yaml")
    part.write_text("driver: simulated_siren\nsound_for_s: 9\n")
    text = OLD + "  second: !include siren.yaml\n"
    school.write_text(text)
    replaced: list[Path] = []
    replace = Path.replace

    def failing(self: Path, target: Path) -> Path:
        replaced.append(target)
        if len(replaced) == 2:
            raise OSError(28, "No space left on device", str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    assert run() == 1
    assert "No space left on device; nothing is changed" in capsys.readouterr().err
    assert school.read_text() == text
    assert part.read_text() == "driver: simulated_siren\nsound_for_s: 9\n"
    assert sorted(each.name for each in school.parent.iterdir()) == ["school.yaml", "siren.yaml"]


def test_a_read_only_folder_is_refused(
    school: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Where no new file can be made the command says so, ends with 1 and leaves all as it was."""
    opened = os.open

    def read_only(path: str, flags: int, *more: int) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return opened(path, flags, *more)

    monkeypatch.setattr(os, "open", read_only)
    assert run() == 1
    assert "Read-only file system; nothing is changed" in capsys.readouterr().err
    assert school.read_bytes() == OLD.encode()
    assert list(school.parent.iterdir()) == [school]


def may_mount() -> bool:
    """Whether this machine lets us mount a file system of our own."""
    tried = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    try:
        return subprocess.run(tried, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


if may_mount():

    def test_a_read_only_mount_is_refused(school: Path) -> None:
        """The same on a real medium that cannot be written, with the real command."""
        folder = school.parent
        script = (
            f"mount -t tmpfs none {folder} && cat > {school} && "
            f"mount -o remount,ro {folder} && cd {folder} && "
            f"{sys.executable} -m hub config migrate school.yaml; code=$?; "
            f"ls -A {folder} >&2; exit $code"
        )
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script],
            input=OLD, capture_output=True, text=True, check=False, timeout=120,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert done.returncode == 1, done.stderr
        assert "Read-only file system; nothing is changed" in done.stderr
        assert done.stderr.rstrip().endswith("\nschool.yaml")


def test_a_file_that_changed_meanwhile_is_left_alone(school: Path) -> None:
    """Somebody's save between reading and writing is not lost."""
    found = rewrites(examine("school.yaml"))
    school.write_text(OLD + "# saved just now\n")
    with pytest.raises(Refused, match="changed by somebody else just now"):
        write(found, Path(), NOW)
    assert school.read_text() == OLD + "# saved just now\n"
    assert list(school.parent.iterdir()) == [school]


def test_a_key_in_disguise_is_for_a_person(school: Path, capsys: Capture) -> None:
    """A key that is written with escapes is named with its place and not touched."""
    text = 'notifiers:\n  a: {driver: simulated_siren, "sound\\x5ffor_s": 9}\n'
    school.write_text(text)
    assert run() == 1
    assert "school.yaml:2:32: `sound_for_s` is written in a way" in capsys.readouterr().err
    assert school.read_text() == text


def test_what_would_get_worse_is_undone(school: Path, capsys: Capture) -> None:
    """One mapping shared by two drivers of which only one renamed the key: all is put back."""
    (school.parent / "my_plugins").mkdir()
    (school.parent / "my_plugins" / "gong.py").write_text(
        "from hub import Block, Driver, hookimpl\n"
        "class GongConfig(Block):\n    sound_for_s: float = 1\n"
        "@hookimpl\ndef vestibule_notifiers():\n"
        "    return [Driver('gong', dict, GongConfig, 'Sounds')]\n"
    )
    text = (
        "notifiers:\n  a: &a {driver: simulated_siren, sound_for_s: 9}\n"
        "  b: {<<: *a, driver: gong}\n"
    )
    school.write_text(text)
    assert run() == 1
    assert "would not say the same; everything is as it was" in capsys.readouterr().err
    assert school.read_text() == text
    assert not school.with_name(BACKUP).exists()


def test_what_cannot_be_read_ends_with_two(school: Path) -> None:
    """A missing file is neither done nor refused."""
    assert run("nowhere.yaml") == 2


def test_the_verb_itself(school: Path) -> None:
    """The real command shows the difference, writes and ends with 0."""
    done = subprocess.run(
        [sys.executable, "-m", "hub", "config", "migrate", "school.yaml"],
        capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "--- school.yaml\n+++ school.yaml\n" in done.stdout
    assert school.read_text() == NEW
