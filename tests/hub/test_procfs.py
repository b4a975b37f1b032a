"""What Linux tells of processes and threads."""

from __future__ import annotations

import mmap
import os
import threading
from time import monotonic, thread_time

from hub.procfs import memory_mb, name_threads, threads


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
