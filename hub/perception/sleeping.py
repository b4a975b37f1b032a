"""Whether a packet needs decoding now, or may wait because nothing has moved for long.

While a camera sleeps, each key frame and the few frames behind it are decoded and looked at; the
rest of the group of pictures is kept as packets. What an encoder has to tell of a still picture is
nearly constant, so packets that grow are the sign to wake: then all that was kept is decoded in
order, each picture with its own time.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np

from hub.perception.feed import Packet
from hub.perception.intra import reordered

LONGEST_GROUP_S = 2.1  # between key frames, beyond which nothing sleeps
SHORTEST_GROUP = 8  # packets; in shorter groups there is nothing to save
MOST_PACKETS = 150
MOST_BYTES = 8 << 20
NEVER = -1e18
GLIMPSE_S = 0.45  # looked at behind each key frame, so that the gate sees what it finds twice
AGAIN_S = 1.0  # awake for at least so long, however wrong the sign was

LEARNT = 40  # packets from which sizes are judged
REMEMBERED = 150
LEAST_SPREAD = 0.06  # of the logarithm of a size
ALLOWED = 1.0  # deviations that a size may lie above the middle for ever
SURE = 6.0  # deviations, summed over packets beyond what is allowed
OUTLIER = 7.0  # one packet counts no more


class PacketSizes:
    """How large the packets of a still picture are, and whether they have begun to grow.

    A one-sided cumulative sum (Page 1954) of robust deviations of the logarithm of the size.
    """

    def __init__(self) -> None:
        self._sizes: deque[float] = deque(maxlen=REMEMBERED)
        self._middle = 0.0
        self._spread = 1.0
        self._sum = 0.0

    @property
    def known(self) -> bool:
        """Whether there were enough to judge by."""
        return len(self._sizes) >= LEARNT

    def learn(self, size: int) -> None:
        """A packet of a picture in which nothing moved."""
        self._sizes.append(math.log(max(1, size)))

    def settle(self) -> None:
        """Take what was learnt as what is usual; costs too much to be done for each packet."""
        sizes = np.array(self._sizes)
        self._middle = float(np.median(sizes))
        spread = 1.4826 * float(np.median(np.abs(sizes - self._middle)))
        self._spread = max(LEAST_SPREAD, spread)
        self._sum = 0.0

    def grown(self, size: int) -> bool:
        """Whether this packet, with those before it, says that something moves."""
        deviation = (math.log(max(1, size)) - self._middle) / self._spread
        self._sum = max(0.0, self._sum + min(OUTLIER, deviation) - ALLOWED)
        return self._sum >= SURE


class Sleeping:
    """Decides for one camera, packet by packet. `after` is for how long (s) nothing must have moved
    until it sleeps; None means never.

    `asleep` says whether it does, `held` how many packets lie undecoded.
    """

    def __init__(self, after: float | None) -> None:
        self.after = after
        self.asleep = False
        self._session = -1
        self._held: list[Packet] = []
        self._held_bytes = 0
        self._sizes = PacketSizes()
        self._key_at = NEVER
        self._in_group = 0
        self._group: tuple[float, int] | None = None  # its length in seconds and in packets
        self._reordered = False
        self._first: float | None = None
        self._moved = self._woken = NEVER

    @property
    def held(self) -> int:
        """Packets that wait."""
        return len(self._held)

    def admit(self, packet: Packet) -> Sequence[Packet]:
        """What is to be decoded now, in order; this packet may be kept for later instead."""
        if self.after is None and not self._held:
            return (packet,)
        if packet.session.number != self._session:
            self._session = packet.session.number
            self._forget()
        self._count(packet)
        if not self.asleep and packet.key and self._may_sleep(packet.time):
            self.asleep = True
            self._sizes.settle()
        if not self.asleep:
            return (packet,)
        if packet.key:
            self._key_at, self._held, self._held_bytes = packet.time, [], 0
            self._sizes.settle()
            return (packet,)
        if self._must_wake(packet):
            return self.wake(packet.time, packet)
        self._sizes.learn(packet.size)
        if not self._held and packet.time - self._key_at <= GLIMPSE_S:
            return (packet,)
        self._held.append(packet)
        self._held_bytes += packet.size
        return ()

    def wake(self, time: float, *last: Packet) -> Sequence[Packet]:
        """Sleep no more for now; returns what was kept, `last` behind it."""
        kept = (*self._held, *last)
        self._held, self._held_bytes = [], 0
        self.asleep, self._woken = False, time
        return kept

    def looked(self, time: float, moving: bool) -> None:
        """A picture of that time was looked at; `moving` when more than a routine look came of it.

        Called between two packets, so nothing is kept when what was decoded moves.
        """
        if moving:
            self._moved = max(self._moved, time)
            self.asleep = bool(self._held)
        elif self._moved == NEVER:
            self._moved = time

    def _forget(self) -> None:
        self.asleep = False
        self._held, self._held_bytes = [], 0
        self._sizes = PacketSizes()
        self._key_at, self._in_group, self._group = NEVER, 0, None
        self._reordered, self._first = False, None
        self._moved = self._woken = NEVER

    def _count(self, packet: Packet) -> None:
        """Keep track of how long groups of pictures are, and of how large packets are."""
        if self._first is None:
            self._first = packet.time
        self._reordered = self._reordered or reordered(packet)
        if not packet.key:
            self._in_group += 1
            if not self.asleep:
                self._sizes.learn(packet.size)
            return
        if self._key_at > NEVER:
            self._group = (packet.time - self._key_at, self._in_group + 1)
        self._key_at, self._in_group = packet.time, 0

    def _may_sleep(self, time: float) -> bool:
        if self.after is None or self._group is None or self._reordered:
            return False
        seconds, packets = self._group
        if not 0 < seconds <= LONGEST_GROUP_S or packets < SHORTEST_GROUP:
            return False
        still = NEVER < self._moved <= time - self.after and time - self._woken >= AGAIN_S
        return still and self._sizes.known

    def _must_wake(self, packet: Packet) -> bool:
        late = not 0 <= packet.time - self._key_at <= LONGEST_GROUP_S
        full = len(self._held) >= MOST_PACKETS or self._held_bytes + packet.size > MOST_BYTES
        return late or full or self.after is None or self._sizes.grown(packet.size)
