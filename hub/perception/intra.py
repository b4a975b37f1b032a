"""Streams of key frames only: pictures that nobody is due to look at need not be decoded.

Motion JPEG and intra-only H.264 send every picture whole. Of such a stream each packet can be
decoded by itself, so those between two looks may be left out.
"""

from __future__ import annotations

from collections.abc import Sequence

from hub.perception.feed import Packet

SURE_AFTER = 32  # key frames in a row; no usual group of pictures is as short as one


class KeyFramesOnly:
    """Says packet by packet what is to be decoded. `skipped` counts what was left out for good.

    The last packet left out is kept: should one that is no key frame follow after all, both are
    decoded, and nothing has been lost.
    """

    def __init__(self) -> None:
        self.skipped = 0
        self._session = -1
        self._keys = 0
        self._spare: Packet | None = None

    def admit(self, packet: Packet, due: bool) -> Sequence[Packet]:
        """What is to be decoded now, in order; `due` when this packet's picture is to be seen."""
        if packet.session.number != self._session:
            self._session, self._keys, self._spare = packet.session.number, 0, None
        spare, self._spare = self._spare, None
        if not packet.key or reordered(packet):
            self._keys = 0
            return (packet,) if spare is None else (spare, packet)
        self.skipped += spare is not None
        self._keys += 1
        if due or self._keys <= SURE_AFTER:
            return (packet,)
        self._spare = packet
        return ()


def reordered(packet: Packet) -> bool:
    """Whether pictures do not come out in the order of their packets."""
    shown, decoded = packet.data.pts, packet.data.dts
    return shown is not None and decoded is not None and shown != decoded
