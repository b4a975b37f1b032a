"""The campus: places inside places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from hub.config import Place


class Campus:
    """Answers where a place lies. Built from a checked configuration, so every name resolves."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        self._places = places
        self._words = {place: self._in_words(place) for place in places}

    def name(self, place: str) -> str:
        """What people call it; the id itself for an unknown place."""
        return self._places[place].name if place in self._places else place

    def ancestry(self, place: str) -> Iterator[str]:
        """The place itself, then what it is part of, outwards."""
        seen: set[str] = set()
        current: str | None = place
        while current is not None and current in self._places and current not in seen:
            seen.add(current)
            yield current
            current = self._places[current].parent

    def within(self, place: str, outer: str) -> bool:
        """Whether `place` is `outer` or part of it."""
        return outer in self.ancestry(place)

    def words(self, place: str) -> str:
        """The place in words, innermost first: `Laboratory 2, Science wing, First floor`."""
        return self._words.get(place, "")

    def shared(self, places: Sequence[str]) -> list[tuple[str, int]]:
        """Where these places are, with how many: the innermost place that they all lie in or, where
        that is a whole site or none, the places just inside of it, those with most first.
        """
        known = [place for place in places if place in self._places]
        ways = [list(self.ancestry(place))[::-1] for place in known]
        steps = [set(step) for step in zip(*ways, strict=False)]
        depth = next((n for n, step in enumerate(steps) if len(step) > 1), len(steps))
        if depth and self._places[ways[0][depth - 1]].kind != "site":
            return [(ways[0][depth - 1], len(known))]
        return Counter(way[min(depth, len(way) - 1)] for way in ways).most_common()

    def private(self, place: str) -> bool:
        """Whether the place, or anything it is part of, is marked private."""
        return any(self._places[step].private for step in self.ancestry(place))

    def _in_words(self, place: str) -> str:
        steps = (self._places[step] for step in self.ancestry(place))
        return ", ".join(each.name for each in steps if each.kind != "site")
