"""Pages wait for doors, never the other way round."""

import asyncio
from typing import Any

import pytest

from hub.web import turns
from hub.web.turns import SHARE, Turns


@pytest.fixture(autouse=True)
async def passing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes on the loop when it would only wait, and while pages are made; so nothing else
    that the machine has to do makes an act or a pause any longer.
    """
    loop: Any = asyncio.get_running_loop()
    select = loop._selector.select
    passed = loop.time()

    def skip(timeout: float | None) -> Any:
        nonlocal passed
        passed += max(timeout or 0.0, 1e-6)
        return select(timeout and 0.0)

    monkeypatch.setattr(loop, "time", lambda: passed)
    monkeypatch.setattr(loop._selector, "select", skip)


def _make(milliseconds: float) -> None:
    """Keep the event loop busy, as making a page does."""
    asyncio.get_running_loop()._selector.select(milliseconds / 1000)  # type: ignore[attr-defined]


async def test_pages_take_no_more_than_their_share() -> None:
    """However many are asked for at once, the loop is left alone for the rest of the time."""
    made = Turns()

    async def page() -> None:
        async with made.turn():
            _make(4)

    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(page() for _ in range(12)))
    assert loop.time() - began >= 11 * 0.004 / SHARE


async def test_a_single_page_waits_for_nothing() -> None:
    """Where nothing else is asked for, a page is made at once, and what only looks is begun."""
    made = Turns()
    for waits in (made.turn().__aenter__(), made.calm()):
        with pytest.raises(StopIteration):
            waits.send(None)


async def test_they_are_made_in_the_order_in_which_they_were_asked_for() -> None:
    """Nobody is passed by, and somebody who leaves holds up nobody."""
    made, order = Turns(), []

    async def page(number: int) -> None:
        async with made.turn():
            order.append(number)
            _make(1)

    tasks = [asyncio.create_task(page(number)) for number in range(6)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [0, 1, 2, 4, 5]
    assert [type(one) for one in ended if one is not None] == [asyncio.CancelledError]


async def test_who_leaves_after_being_passed_by_leaves_quietly() -> None:
    """A reader goes in the moment in which the one before them is through."""
    made, entered = Turns(), asyncio.Event()

    async def page() -> None:
        async with made.turn():
            entered.set()
            await asyncio.sleep(0)

    async with made.turn():
        waiting = asyncio.create_task(page())
        await asyncio.sleep(0)
        waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not entered.is_set()
    await page()


async def test_a_page_that_somebody_opens_goes_before_those_that_are_open() -> None:
    """It waits for the page that is being made, and neither for the others nor for the share."""
    made, order = Turns(), []

    async def page(name: str, opened: bool) -> None:
        async with made.turn(opened):
            order.append(name)
            _make(4)

    async with asyncio.TaskGroup() as pages:
        for number in range(5):
            pages.create_task(page(f"again {number}", False))
        await asyncio.sleep(0)
        await page("opened", True)
        assert len(order) <= 3  # one was made, one had its turn
    assert order[-1] == "again 4"


async def test_who_leaves_when_it_is_their_turn_passes_it_on() -> None:
    """A reader who goes away at any moment never leaves the others waiting."""
    made = Turns()

    async def page() -> None:
        async with made.turn():
            await asyncio.sleep(0)

    for steps in range(6):
        tasks = [asyncio.create_task(page()) for _ in range(3)]
        for _ in range(steps):
            await asyncio.sleep(0)
        for task in tasks[:2]:
            task.cancel()
        async with asyncio.timeout(5):
            await asyncio.gather(*tasks, return_exceptions=True)
            await page()


async def test_no_page_is_begun_while_somebody_acts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither while what was asked is taken, nor in the moment in which it goes out; one page does
    not wait for ever, and an act that takes long holds up none.
    """
    made, loop = Turns(), asyncio.get_running_loop()
    monkeypatch.setattr(turns, "LONGEST_ACT_S", 0.2)

    async def page() -> float:
        async with made.turn():
            return loop.time()

    with made.act():
        waiting = asyncio.create_task(page())
        await asyncio.sleep(0.03)
        assert not waiting.done()
        over = loop.time()
    assert await waiting >= over + turns.AFTER_AN_ACT_S
    began = loop.time()
    with made.act():
        assert await page() - began >= 0.19
        assert loop.time() - began < turns.LONGEST_HOLD_S


async def test_a_page_is_made_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two of them everything else goes on, and what is counted is what was made alone."""
    made, went_on = Turns(), []

    async def rest_of_the_hub() -> None:
        while True:
            went_on.append(len(went_on))
            await asyncio.sleep(0)

    other = asyncio.create_task(rest_of_the_hub())
    async with made.turn() as turn:
        for _ in range(5):
            before = len(went_on)
            _make(2)
            await turn.pause()
            assert len(went_on) > before
        before = len(went_on)
        monkeypatch.setattr(turns, "SLICE_S", 60)
        await turn.pause()
        assert len(went_on) == before, "a slice that is hardly begun is gone on with"
    other.cancel()
    assert turn.busy_s == pytest.approx(0.01, abs=1e-3)


async def test_no_slice_is_made_while_somebody_acts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that was begun waits for an act too; for all acts together no longer than a second."""
    made, loop = Turns(), asyncio.get_running_loop()
    monkeypatch.setattr(turns, "AFTER_AN_ACT_S", 0.02)
    monkeypatch.setattr(turns, "LONGEST_ACT_S", 60)
    acting, over = asyncio.Event(), 0.0

    async def act() -> None:
        nonlocal over
        with made.act():
            acting.set()
            await asyncio.sleep(0.05)
        over = loop.time()

    async with made.turn() as turn:
        task = asyncio.create_task(act())
        await acting.wait()
        _make(2)
        await turn.pause()
        assert over, "the act is over"
        assert loop.time() >= over + 0.02
        await task
        monkeypatch.setattr(turn, "_patience_s", 0.03)
        with made.act():
            for _ in range(2):
                _make(2)
                await turn.pause()
            assert made.held_s() > 0, "it has waited long enough"


async def test_a_reader_who_leaves_in_a_pause_has_not_kept_the_loop_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What they waited for somebody's act is not held against the pages behind them."""
    monkeypatch.setattr(turns, "LONGEST_ACT_S", 60)
    made, counted = Turns(), []

    async def page() -> None:
        async with made.turn() as turn:
            _make(2)
            try:
                await turn.pause()
            finally:
                counted.append(turn.busy_s)
                counted.append(turn.end())

    leaving = asyncio.create_task(page())
    while not made._busy:
        await asyncio.sleep(0)
    with made.act():
        await asyncio.sleep(0.2)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
    assert counted[1] - counted[0] < 0.1


async def test_what_only_looks_waits_until_an_act_is_through() -> None:
    """A picture or a list is begun behind an act, and soon, also where acts never cease."""
    made, loop = Turns(), asyncio.get_running_loop()
    with made.act():
        waiting = asyncio.create_task(made.calm())
        await asyncio.sleep(0.03)
        assert not waiting.done()
    await waiting
    with made.act():
        began = loop.time()
        await made.calm()
        assert loop.time() - began < 20 * turns.LONGEST_ACT_S
