# ruff: noqa: T201

import asyncio
import contextlib
import io
import os
import sys
import warnings
from pathlib import Path

import pytest
import structlog

from hub.output import LONGEST_LINE, Guarded, guard_output, spawn
from hub.secrets import HIDDEN, Secrets


@pytest.fixture
def guard(monkeypatch):
    """Guards both streams, once the test runs; secrets, and what comes out on each."""
    return lambda: guarded(monkeypatch)


def guarded(monkeypatch):
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    secrets = Secrets(["hunter2!"])
    guard_output(secrets)
    return secrets, out, err


async def run(code, env=None):
    """A child that runs this code; its exit status."""
    environment = dict(os.environ) if env is None else env
    return await (await spawn((sys.executable, "-c", code), (), environment)).ended()


def test_both_streams_are_cleaned(guard):
    """Whether it is printed, warned of or written."""
    secrets, out, err = guard()
    secrets.add(["added-later"])
    print("it is hunter2!", "added-later")
    print("it is hunter2!", file=sys.stderr)
    assert sys.stderr.write("hunter2!") == 8
    assert out.getvalue() == f"it is {HIDDEN} {HIDDEN}\n"
    assert err.getvalue() == f"it is {HIDDEN}\n{HIDDEN}"


def test_a_logged_traceback_shows_no_variables(guard):
    """What a driver logs of an error says where it was, and nothing of what was held there."""
    _, out, _ = guard()
    held = "-".join(("value", "of", "a", "variable"))
    try:
        raise ValueError(f"with hunter2! and {len(held)}")
    except ValueError:
        structlog.get_logger("driver").exception("it failed")
    assert f"ValueError: with {HIDDEN} and 19" in out.getvalue()
    assert held not in out.getvalue()


def test_guarding_twice_guards_once(guard):
    """The secrets of the second time hold, and nothing is wrapped in wrappings."""
    _, out, _ = guard()
    guard_output(Secrets(["other-one"]))
    assert isinstance(sys.stdout, Guarded)
    assert sys.stdout.stream is out
    print("other-one")
    assert out.getvalue() == f"{HIDDEN}\n"


def test_a_guarded_stream_is_like_the_one_below(tmp_path):
    """What asks for a terminal, a descriptor or an encoding gets its answer."""
    with (tmp_path / "file").open("w", encoding="utf-8") as file:
        stream = Guarded(file, Secrets())
        assert stream.fileno() == file.fileno()
        assert stream.encoding == "utf-8"
        assert stream.writable()
        assert not stream.isatty()
        print("a line", file=stream, flush=True)
        stream.close()
        assert not file.closed
    assert (tmp_path / "file").read_text() == "a line\n"


async def test_what_a_child_writes_comes_out_cleaned(guard):
    """Also what goes to its descriptors directly; its exit status is its own."""
    _, out, err = guard()
    code = "import os, sys; print('out hunter2!'); sys.stdout.flush(); "
    code += "os.write(2, b'err hunter2!'); sys.exit(3)"
    assert await run(code) == 3
    assert err.getvalue() == f"out {HIDDEN}\nerr {HIDDEN}"
    assert out.getvalue() == ""


async def test_a_secret_that_comes_in_two_pieces_is_found(guard):
    """What a child flushes in the middle of a line is put together first."""
    _, _, err = guard()
    code = "import os, time; os.write(1, b'hunt'); time.sleep(0.2); os.write(1, b'er2!\\n')"
    assert await run(code) == 0
    assert err.getvalue() == f"{HIDDEN}\n"


async def test_endless_lines_do_not_grow(guard):
    """A child that never ends a line is passed on in pieces."""
    _, _, err = guard()
    size = 5 * LONGEST_LINE
    assert await run(f"import os; os.write(1, b'x' * {size})") == 0
    assert err.getvalue() == "x" * size


def told(pipe):
    """Whether somebody reads a pipe with a name; they see its end."""
    with contextlib.suppress(OSError):
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        return True
    return False


async def test_a_grandchild_does_not_hold_up_the_end(guard, tmp_path):
    """One that outlives the child and keeps the pipe is not waited for."""
    guard()
    end = tmp_path / "end"
    os.mkfifo(end)
    async with asyncio.timeout(30):
        assert await run(f"import subprocess; subprocess.Popen(['cat', {str(end)!r}])") == 0
        while not told(end):  # it is still there, and ends by this alone
            await asyncio.sleep(0.01)


async def test_what_cannot_be_started_leaves_nothing_open(guard):
    """No descriptor is lost when there is no such program."""
    guard()
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError, match="No such file"):
        await spawn(("/nowhere/at/all",), (), {})
    assert len(list(Path("/proc/self/fd").iterdir())) == before


async def test_a_stream_that_is_gone_stops_no_child(guard):
    """Where nobody reads standard error any more the child still runs to its end."""
    _, _, err = guard()
    err.close()
    with warnings.catch_warnings():
        assert await run("print('hunter2!')") == 0


def test_a_line_that_cannot_be_written_ends_nobody(guard):
    """A log on a full disk is lost; whoever logs goes on, the journal's writer above all."""
    full = Path("/dev/full").open("w", buffering=1)  # refuses as a full disk does  # noqa: SIM115
    stream = Guarded(full, Secrets())
    assert stream.write("a line\n") == 7
    stream.flush()
    structlog.PrintLogger(stream).error("another")
    with contextlib.suppress(OSError):
        full.close()
