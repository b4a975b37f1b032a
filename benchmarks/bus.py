"""What handing an event around costs: the bus beside a bare dispatcher, and rules by their number.

    python benchmarks/bus.py [--events 200000] [--rounds 9] [--json]

*Bus*: 1,000 listeners of which each event concerns 10. The *dict of lists* is what no bus in Python
can be cheaper than by much: `for call in listeners[type]: call(event)` with calls that do nothing.
A listener of the bus does more: its bounded queue really holds the events.
*Rules*: the same events judged by 100 and by 1,000 rules of the same event type, 10 of which match
either way. Everything is interleaved in one process; figures are medians over the rounds, p99 is
over single events.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median, quantiles
from time import perf_counter, perf_counter_ns
from typing import Any

from told import tell

from hub.bus import Bus
from hub.campus import Campus
from hub.config import Config
from hub.events import Event
from hub.safety.rules.book import RuleBook
from hub.safety.rules.memory import Memory

LISTENERS, MATCHING = 1000, 10
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


def bus_of_listeners(types: list[str]) -> Bus:
    """A bus with ten listeners to each type."""
    bus = Bus()
    for number in range(LISTENERS):
        bus.subscribe(types=(types[number // MATCHING],))
    return bus


def bare_dispatcher(types: list[str]) -> Callable[[Event, int], None]:
    """The floor: a dict of lists of calls that do nothing."""
    table: dict[str, list[Callable[[Event, int], None]]] = {}

    def listener(event: Event, seq: int) -> None:
        pass

    for number in range(LISTENERS):
        table.setdefault(types[number // MATCHING], []).append(listener)

    def publish(event: Event, seq: int) -> None:
        for call in table.get(event.type, ()):
            call(event, seq)

    return publish


def rule_book(count: int) -> tuple[RuleBook, list[Event]]:
    """So many rules on people entering places, ten to each place, and events in the first ten."""
    places = {f"p{n}": {"name": f"P{n}", "kind": "room"} for n in range(count // MATCHING)}
    rules = {
        f"r{n}": {
            "name": f"R{n}",
            "when": "zone.entered",
            "if": {"place": f"p{n // MATCHING}", "label": "person", "min_score": 0.5},
            "alert": {"severity": "note"},
        }
        for n in range(count)
    }
    config = Config.model_validate({"places": places, "rules": rules})
    events = [
        Event("zone.entered", "camera/c", NOW, "c", {"place": f"p{n}", "label": "person"} | SCORE)
        for n in range(10)
    ]
    return RuleBook(config, Campus(config.places)), events


SCORE = {"score": 0.9, "camera": "c"}


def rate(publish: Callable[[Event, int], Any], events: list[Event], count: int) -> float:
    """Events a second."""
    began = perf_counter()
    for number in range(count):
        publish(events[number % len(events)], number)
    return count / (perf_counter() - began)


def p99_us(publish: Callable[[Event, int], Any], events: list[Event], count: int) -> float:
    """The 99th percentile of one event, in microseconds."""
    times = []
    for number in range(count):
        event = events[number % len(events)]
        began = perf_counter_ns()
        publish(event, number)
        times.append(perf_counter_ns() - began)
    return quantiles(times, n=100)[98] / 1000


def judged(book: RuleBook, memory: Memory) -> Callable[[Event, int], Any]:
    """Judging as `publish`."""
    return lambda event, seq: book.judge(memory, event, NOW)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    types = [f"plugin.t{number}" for number in range(LISTENERS // MATCHING)]
    events = [Event(type_, "bench", NOW) for type_ in types]
    bus, bare = bus_of_listeners(types), bare_dispatcher(types)
    few, some = rule_book(100)
    much, _ = rule_book(1000)
    assert len(few.judge(Memory(), some[0], NOW)) == len(much.judge(Memory(), some[0], NOW)) == 10
    ways = {
        "bus": (bus.publish, events, given.events),
        "dict": (bare, events, given.events),
        "rules_100": (judged(few, Memory()), some, given.events // 20),
        "rules_1000": (judged(much, Memory()), some, given.events // 20),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(given.rounds + 1):
        for name, (publish, each, count) in ways.items():
            measured = rate(publish, each, count)
            if turn:
                found[name].append(measured)
    rates = {name: median(each) for name, each in found.items()}
    told = {
        "events_per_s": round(rates["bus"]),
        "dict_events_per_s": round(rates["dict"]),
        "bus_vs_dict": round(rates["bus"] / rates["dict"], 2),
        "p99_us": round(p99_us(bus.publish, events, given.events), 2),
        "rules_100_events_per_s": round(rates["rules_100"]),
        "rules_1000_events_per_s": round(rates["rules_1000"]),
        "rules_1000_vs_100": round(rates["rules_100"] / rates["rules_1000"], 3),
    }
    tell(told, given.json)


if __name__ == "__main__":
    main()
