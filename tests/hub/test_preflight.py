"""Plugins from outside are looked at in a process of their own before this one imports them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub import SystemClock, preflight
from hub.discovery import discovered
from hub.perception.detectors import Detectors
from hub.perception.spec import DetectorSpec, WorkerSpec
from hub.plugins import Provider, load_registry
from hub.preflight import look, looked_at, trust

SOUND = """
from hub import Block, Driver, hookimpl

@hookimpl
def vestibule_notifiers():
    return [Driver("{name}", dict, Block, "")]
"""
NOTING = """
import os
from pathlib import Path

with (Path(__file__).parent / "_imports.txt").open("a") as file:
    print(os.getpid(), file=file)
"""
FAULTS = [
    ("import os; os.abort()", "ended the process (SIGABRT) while importing"),
    ("import ctypes; ctypes.string_at(0)", "ended the process (SIGSEGV) while importing"),
    ("import os; os._exit(4)", "ended the process (exit status 4) while importing"),
    ("import os; os._exit(0)", "ended the process (exit status 0) while importing"),
    ("import sys; sys.exit(3)", "SystemExit: 3"),
    ("raise KeyboardInterrupt", "KeyboardInterrupt (line"),
    ("raise RuntimeError('no luck')", "RuntimeError: no luck (line"),
    ("while True: print('x' * 1000)", "printed more than 64 KiB while importing"),
    ("import os; os.fork()", "tried to copy or replace the process (os.fork) while importing"),
    ("import os; os.execv('/bin/true', ['true'])", "(os.exec) while importing"),
    ("import ctypes; ctypes.CDLL(None).fork()", "left a process running while importing"),
    (
        "import subprocess; subprocess.Popen(['sleep', '60'], start_new_session=True)",
        "left a process running while importing",
    ),
    (
        "from hub import hookimpl\n@hookimpl\ndef vestibule_cameras():\n    import os; os.abort()",
        "ended the process (SIGABRT) while announcing its drivers",
    ),
]


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    """Nothing is remembered from another test."""
    before = looked_at()
    preflight._known.clear()
    yield
    preflight._known.clear()
    trust(before)


def write(folder: Path, name: str, text: str) -> None:
    """A plugin file that offers a driver of its own name and notes each import, then the text."""
    body = textwrap.dedent(text)
    (folder / f"{name}.py").write_text(NOTING + SOUND.replace("{name}", name) + body + "\n")


def imports(folder: Path) -> list[int]:
    """The processes in which a plugin file was imported, in order."""
    return [int(line) for line in (folder / "_imports.txt").read_text().split()]


def files(folder: Path) -> dict[str, Provider]:
    """The plugin files of a folder, as the registry has them."""
    return {each.name: each for each in load_registry(folder).providers if each.source == "file"}


@pytest.mark.parametrize(("text", "reason"), FAULTS, ids=[reason for _, reason in FAULTS])
def test_what_misbehaves_is_broken_and_hides_no_other(
    tmp_path: Path, text: str, reason: str
) -> None:
    """Whatever a plugin does to its process, it is named with it, never imported here, and those
    before and after it are sound.
    """
    write(tmp_path, "a_first", "")
    (tmp_path / "bad.py").write_text(NOTING + text + "\n")
    write(tmp_path, "z_last", "")
    found = files(tmp_path)
    assert {name: each.state for name, each in found.items()} == {
        "a_first": "ok", "bad": "broken", "z_last": "ok",
    }  # fmt: skip
    assert reason in found["bad"].reason
    assert found["bad"].trouble.startswith(f"bad ({tmp_path / 'bad.py'}) is broken: ")
    assert imports(tmp_path).count(os.getpid()) == 2


@pytest.mark.parametrize(
    ("text", "doing"),
    [
        ("while True: pass", "importing"),
        ("import time; time.sleep(600)", "importing"),
        (
            "from hub import hookimpl\n@hookimpl\ndef vestibule_cameras():\n    while True: pass",
            "announcing its drivers",
        ),
    ],
)
def test_what_hangs_is_broken_in_time(tmp_path: Path, text: str, doing: str) -> None:
    """A plugin that never comes back is given up at its deadline, and the next one is looked at."""
    (tmp_path / "bad.py").write_text(f"{text}\n")
    write(tmp_path, "last", "")
    said = {one.name: reason for one, reason in look(found_in(tmp_path), within_s=1).items()}
    assert said["bad"].startswith(f"did not finish {doing} within 1 s; ")
    assert said["last"] == ""


def test_what_takes_too_much_memory_is_broken(tmp_path: Path) -> None:
    """The bound is on what is really held, and the sound plugin beside it is not blamed."""
    (tmp_path / "bad.py").write_text("held = []\nwhile True: held.append(bytearray(1 << 22))\n")
    write(tmp_path, "a_first", "")
    said = look(found_in(tmp_path), most_memory=200 << 20)
    assert {one.name: reason.partition(";")[0] for one, reason in said.items()} == {
        "a_first": "",
        "bad": "took more than 200 MiB of memory while importing",
    }


def found_in(folder: Path) -> list[preflight.Found]:
    """The plugins from outside."""
    return [one for one in discovered(folder) if one.foreign]


def test_a_short_helping_process_is_no_fault(tmp_path: Path) -> None:
    """Asking a program and waiting for its answer is what some libraries do when imported."""
    write(tmp_path, "asks", "import subprocess; subprocess.run(['true'], check=True)")
    assert files(tmp_path)["asks"].state == "ok"


def test_many_sound_plugins_cost_one_process(tmp_path: Path) -> None:
    """All are looked at by one and the same process, and then imported here."""
    for number in range(5):
        write(tmp_path, f"plugin{number}", "")
    assert {each.state for each in files(tmp_path).values()} == {"ok"}
    processes = imports(tmp_path)
    assert len(processes) == 10
    assert len(set(processes[:5])) == 1
    assert set(processes[5:]) == {os.getpid()} != set(processes[:5])


def test_nothing_is_looked_at_again_until_it_changes(tmp_path: Path) -> None:
    """Loading again starts no process for what is known; changed code is looked at anew."""
    write(tmp_path, "lamp", "")
    (tmp_path / "bad.py").write_text(NOTING + "import os; os.abort()\n")
    files(tmp_path)
    before = imports(tmp_path)
    assert files(tmp_path)["bad"].state == "broken"
    assert imports(tmp_path) == before
    write(tmp_path, "bad", "")
    assert files(tmp_path)["bad"].state == "ok"
    assert len(imports(tmp_path)) == len(before) + 2


def test_what_raised_is_looked_at_again(tmp_path: Path) -> None:
    """What an import lacked may have been installed since, without a change of the plugin."""
    write(
        tmp_path, "lamp", "if not Path(__file__).with_name('_there').exists(): raise OSError('x')"
    )
    assert files(tmp_path)["lamp"].state == "broken"
    (tmp_path / "_there").touch()
    assert files(tmp_path)["lamp"].state == "ok"


def test_another_process_trusts_what_was_found(tmp_path: Path) -> None:
    """What the hub found broken is broken in a worker too, which need not look at anything."""
    write(tmp_path, "lamp", "")
    (tmp_path / "bad.py").write_text(NOTING + "import os; os.abort()\n")
    files(tmp_path)
    before = len(imports(tmp_path))
    code = (
        "import json, sys; from pathlib import Path; from hub.plugins import load_registry, trust;"
        "trust(json.load(sys.stdin)); found = load_registry(Path(sys.argv[1])).providers;"
        "print(*(each.state for each in found if each.source == 'file'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], input=json.dumps(looked_at()),
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.split() == ["broken", "ok"]
    assert len(imports(tmp_path)) == before + 1


def test_without_plugins_from_outside_there_is_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is nothing to look at, nothing is started."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-such-python"))
    assert files(tmp_path) == {}
    assert look([]) == {}


def test_a_look_that_cannot_be_had_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a process to look with, no plugin from outside is imported, and that is said."""
    write(tmp_path, "lamp", "")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-such-python"))
    assert files(tmp_path)["lamp"].reason == "could not be looked at: No such file or directory"
    assert not (tmp_path / "_imports.txt").exists()
    (tmp_path / "no-such-python").write_text("#!/bin/sh\nexit 7\n")
    (tmp_path / "no-such-python").chmod(0o755)
    assert files(tmp_path)["lamp"].reason == (
        "could not be looked at: the process for it ended the process (exit status 7)"
    )


def test_secrets_are_not_within_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that looks has neither the hub's environment nor anything in its arguments."""
    monkeypatch.setenv("DOOR_PASSWORD", "tulip-9-harbour")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "tulip-9-harbour"))
    write(
        tmp_path,
        "nosy",
        """
        seen = "".join(Path(f"/proc/self/{part}").read_text() for part in ("environ", "cmdline"))
        with (Path(__file__).parent / "_seen.txt").open("a") as file:
            file.write(seen)
        """,
    )
    look(found_in(tmp_path))
    seen = (tmp_path / "_seen.txt").read_text()
    assert "hub.preflight" in seen
    assert "PATH=" in seen
    assert "tulip" not in seen


def test_nothing_outlives_the_look(tmp_path: Path) -> None:
    """What a plugin started before it died or hung is ended with it."""
    start = "import subprocess, os\nprint(subprocess.Popen(['sleep', '600']).pid,"
    for name, end in (("dies", "os.abort()"), ("hangs", "while True: pass")):
        note = f"file=open({str(tmp_path / '_pids')!r}, 'a'), flush=True)"
        (tmp_path / f"{name}.py").write_text(f"{start} {note}\n{end}\n")
    look(found_in(tmp_path), within_s=2)
    started = [int(line) for line in (tmp_path / "_pids").read_text().split()]
    assert len(started) == 3  # what dies among others is looked at once more, alone
    until = time.monotonic() + 20  # who was killed ends a moment later on a busy machine
    while any(alive(pid) for pid in started):
        assert time.monotonic() < until, [pid for pid in started if alive(pid)]


def alive(pid: int) -> bool:
    """Whether a process runs; one that has only not been buried yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_worker_trusts_what_the_hub_found(tmp_path: Path) -> None:
    """A worker neither imports nor looks at what its hub found broken, and says the reason."""
    (tmp_path / "bad.py").write_text(NOTING + "import os; os.abort()\n")
    files(tmp_path)
    spec = WorkerSpec(
        name="perception", config_folder=tmp_path, state=tmp_path, activity=tmp_path / "activity",
        plugins_dir=tmp_path, looked_at=looked_at(),
        detectors=(DetectorSpec(id="eye", driver="bad"),),
    )  # fmt: skip
    preflight._known.clear()
    reason = Detectors(spec, SystemClock()).report()["eye"]["reason"]
    assert "bad.py) is broken: ended the process (SIGABRT)" in reason
    assert len(imports(tmp_path)) == 1
