"""Who is silent is told from who has no processor, and from an asker who comes too late."""

from __future__ import annotations

import os

from hub.procfs import waited_s
from hub.silence import MOST_FORGIVEN_S, Silence
from hub.testing import FakeClock


async def silent_after(seconds: int, each: float, every_s: float = 1.0) -> float:
    """How silent a process counts that says nothing and waits `each` second so long for a
    processor, where it is asked every second, or every `every_s`.
    """
    clock, waited = FakeClock(), 10.0
    silence = Silence(1, clock, 1.0, lambda _: waited)
    silence.broken()
    found = silence.seconds()
    for _ in range(int(seconds / every_s)):
        await clock.advance(every_s)
        waited += each * every_s
        found = silence.seconds()
    return found


async def test_who_blocks_is_silent_for_all_of_the_time() -> None:
    """Nothing is forgiven to a process that had a processor, or asked for none."""
    assert await silent_after(4, each=0.0) == 4


async def test_who_has_no_processor_is_hardly_silent() -> None:
    """What it waited for one does not count: on a busy machine nobody is killed for that."""
    assert await silent_after(20, each=0.95) < 3


async def test_whom_nobody_asked_in_time_is_hardly_silent() -> None:
    """Where the asker was held up, what was answered meanwhile is still to be read."""
    assert await silent_after(20, each=0.0, every_s=10.0) <= 3


async def test_no_machine_is_waited_for_without_end() -> None:
    """However busy it is, a process that says nothing counts as silent in the end."""
    assert await silent_after(40, each=1.0) == 40 - MOST_FORGIVEN_S


async def test_a_word_ends_the_silence_and_all_that_was_forgiven() -> None:
    """After each word it is counted anew."""
    clock, waited = FakeClock(), 0.0
    silence = Silence(1, clock, 1.0, lambda _: waited)
    await clock.advance(2.0)
    waited = 2.0
    assert silence.seconds() < 2
    silence.broken()
    assert silence.seconds() == 0
    await clock.advance(1.0)
    assert silence.seconds() == 1


def test_linux_tells_how_long_a_process_has_waited() -> None:
    """Of this one something, which grows; of one that is not there nothing."""
    first = waited_s(os.getpid())
    assert 0 <= first <= waited_s(os.getpid())
    assert waited_s(2**22 + 1) == 0.0
