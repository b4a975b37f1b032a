"""What Linux tells of processes and threads."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic, thread_time

import pytest

from hub import procfs
from hub.procfs import give_way, memory_mb, name_threads, threads

ROOT = Path(__file__).resolve().parents[2]
GROUP = Path("/proc/self/autogroup")


def test_threads_are_named_for_the_kernel_and_their_work_is_counted() -> None:
    """A thread that works shows under its name, cut to 15 characters; it is named only once."""
    began, end = threading.Event(), threading.Event()

    def work() -> None:
        while thread_time() < 0.1:
            pass
        began.set()
        end.wait(10)

    thread = threading.Thread(target=work, name="inference of people")
    thread.start()
    known: set[int] = set()
    try:
        assert began.wait(20)
        name_threads(known)
        assert thread.native_id in known
        name, seconds = threads(os.getpid())[thread.native_id or 0]
        assert name == "inference of pe"
        assert 0.05 < seconds < 1.0
    finally:
        end.set()
        thread.join()
    until = monotonic() + 20  # the kernel lists a thread for a moment after it was joined
    while thread.native_id in threads(os.getpid()):
        assert monotonic() < until


def test_memory_is_that_of_the_process() -> None:
    """More after more was taken; none for a process that is not there."""
    before = memory_mb(os.getpid())
    with mmap.mmap(-1, 40 << 20) as held:  # of its own, not out of what was freed earlier
        held.write(bytes(40 << 20))
        assert memory_mb(os.getpid()) - before > 30
    assert memory_mb(1 << 22) == 0.0
    assert threads(1 << 22) == {}


GIVING_WAY = """
import os, pathlib
from hub.procfs import give_way
give_way(7)
group = pathlib.Path("/proc/self/autogroup")
share = group.read_text().split() if group.exists() else []
print(os.nice(0), share[-1] if share else "none")
"""


@pytest.mark.parametrize("leads", [True, False])
def test_who_gives_way_does_so_with_the_whole_session_that_it_leads(leads: bool) -> None:
    """A niceness alone counts only within a session; one that others share is left as it is."""
    before = "0"
    if not GROUP.exists():
        before = "none"
    elif not leads:
        before = ["none", *GROUP.read_text().split()][-1]  # nothing: that of the first process
    done = subprocess.run(
        [sys.executable, "-c", GIVING_WAY],
        cwd=ROOT, start_new_session=leads, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    niceness, share = done.stdout.split()
    assert int(niceness) == min(19, os.nice(0) + 7)
    assert share == ("7" if leads and before != "none" else before)


def test_a_kernel_that_is_busy_with_another_session_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The kernel takes a share once in a tenth of a second: a refusal for now is not the end."""
    group, refused, slept = tmp_path / "autogroup", [11, 11], []
    group.touch()
    write = os.write

    def busy(descriptor: int, data: bytes) -> int:
        if refused:
            raise BlockingIOError(refused.pop(), "busy")
        return write(descriptor, data)

    monkeypatch.setattr(procfs, "_GROUP", group)
    monkeypatch.setattr(os, "write", busy)
    monkeypatch.setattr(os, "getsid", lambda _: os.getpid())
    monkeypatch.setattr(os, "nice", lambda _: 0)
    monkeypatch.setattr(procfs.time, "sleep", slept.append)
    give_way(7)
    assert (group.read_text(), len(slept)) == ("7", 2)
