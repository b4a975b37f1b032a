from hub.identity.throttle import Throttle
from hub.testing import FakeClock

DESK = ("desk", "10.0.0.1")


async def test_a_few_mistakes_cost_nothing_and_more_cost_twice_as_much_each() -> None:
    """Waits double up to the longest, and end when they are over."""
    clock = FakeClock()
    throttle = Throttle(clock, free=3, longest_s=8)
    waits = []
    for _ in range(8):
        throttle.count(DESK)
        waits.append(throttle.wait(DESK))
        await clock.advance(throttle.wait(DESK))
        assert throttle.wait(DESK) == 0
    assert waits == [0, 0, 1, 2, 4, 8, 8, 8]


async def test_a_good_try_and_a_long_pause_both_start_anew() -> None:
    """Somebody who remembered, or came back later, is not punished."""
    clock = FakeClock()
    throttle = Throttle(clock, free=1, forget_s=60)
    throttle.count(DESK)
    assert throttle.wait(DESK) > 0
    throttle.clear(DESK)
    assert throttle.wait(DESK) == 0
    for _ in range(4):
        throttle.count(DESK)
    await clock.advance(100)
    throttle.count(DESK)
    assert throttle.wait(DESK) == 1


async def test_the_memory_of_a_flood_of_names_is_bounded() -> None:
    """Ten thousand names take the room of a hundred; the latest are the ones remembered."""
    throttle = Throttle(FakeClock(), free=1, entries=100)
    for number in range(10_000):
        throttle.count((str(number),))
    assert len(throttle) == 100
    assert throttle.wait(("9999",)) > 0
    assert throttle.wait(("0",)) == 0


async def test_good_tries_of_many_people_do_not_add_up() -> None:
    """A school behind one address may sign in a hundred people in a morning."""
    throttle = Throttle(FakeClock(), free=5)
    for _ in range(100):
        throttle.count(DESK)
        assert throttle.wait(DESK) == 0
        throttle.forgive(DESK)
    for _ in range(5):
        throttle.count(DESK)
    assert throttle.wait(DESK) > 0
