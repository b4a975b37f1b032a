"""Whether a camera shows again what it has shown before, as when a recording takes its place.

A lens sees noise, so no two of its pictures are alike to the last grey level. One of eight pictures
is remembered, chosen by what it shows, so that the same are chosen again: the last 2000, which is a
quarter of an hour at 15 pictures a second. Where one different picture after another is among them,
something is played again. Of a stream that repeats itself from the start, as drawn ones and files
do, nothing is said.
"""

from __future__ import annotations

CHOSEN = 8  # one picture of so many is remembered
REMEMBERED = 2000
EARLIER_SECONDS = 10.0  # a picture at rest is alike for as long, also between its key frames
RECENT_SECONDS = 180.0
ENOUGH = 12  # different pictures, each seen before, within what is recent
TRUSTED_SECONDS = 2700.0  # of new pictures, before a camera is known to be one that sees noise


class Repeats:
    """Remembers pictures of one camera by their hash."""

    def __init__(self) -> None:
        self.since = 0.0  # when the first of those that were seen before came again
        self._seen: dict[int, float] = {}  # the oldest first
        self._again: dict[int, float] = {}
        self._fresh = 0.0
        self._before: float | None = None
        self._found = False

    @property
    def found(self) -> bool:
        """Whether pictures are played again."""
        return self._found

    def see(self, picture: bytes, now: float) -> None:
        """Take note of a picture's cell means at `now`, in seconds that only grow."""
        chosen = hash(picture)
        if chosen % CHOSEN:
            return
        earlier = self._seen.get(chosen)
        if earlier is None:
            self._remember(chosen, now)
        elif now - earlier >= EARLIER_SECONDS:
            self._again.setdefault(chosen, now)
        self._forget(now)
        self._judge()

    def _remember(self, chosen: int, now: float) -> None:
        if self._before is not None:
            self._fresh += min(now - self._before, EARLIER_SECONDS)
        self._before = now
        self._seen[chosen] = now
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]

    def _forget(self, now: float) -> None:
        for chosen in [each for each, at in self._again.items() if now - at > RECENT_SECONDS]:
            del self._again[chosen]

    def _judge(self) -> None:
        if not self._again:
            self._found = False
        elif len(self._again) >= ENOUGH and not self._found:
            if self._fresh >= TRUSTED_SECONDS:
                self._found, self.since = True, next(iter(self._again.values()))
            else:
                self._fresh = 0.0
