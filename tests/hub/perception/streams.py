"""Small streams as cameras send them, and what a bad line or a bad encoder makes of their packets.

A stream is encoded, muxed, and demuxed again by the hub's own reader, so that packets, stamps and
decoders are real ones. All damage is seeded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from hub.kinds.cameras import VideoSource
from hub.perception.feed import _Opened
from tests.clips import encoded

GOP = 8
RATE = 25


@dataclass(frozen=True)
class Coding:
    """How a camera codes; `name` says it to whoever reads a failing test."""

    name: str
    encoder: str
    pixels: str
    size: tuple[int, int]
    suffix: str
    options: dict[str, str]


_X264 = {"preset": "ultrafast", "bf": "0", "sc_threshold": "0"}
_X265 = {
    "preset": "ultrafast",
    "x265-params": f"log-level=none:keyint={GOP}:min-keyint={GOP}:scenecut=0:open-gop=0:bframes=0"
    ":pools=none:frame-threads=1",
}
CODINGS = (
    Coding("h264", "libx264", "yuv420p", (160, 96), ".ts", _X264),
    Coding("h264 with parameters out of band", "libx264", "yuv420p", (160, 96), ".mp4", _X264),
    Coding("h264 slices", "libx264", "yuv420p", (160, 96), ".ts", _X264 | {"slices": "4"}),
    Coding("h264 b-frames", "libx264", "yuv420p", (96, 64), ".mp4", {"bf": "2"}),
    Coding("h264 4:2:2", "libx264", "yuv422p", (98, 66), ".ts", _X264),
    Coding("h264 10 bit", "libx264", "yuv420p10le", (98, 66), ".ts", _X264),
    Coding("h264 odd", "libx264", "yuv444p", (97, 61), ".ts", _X264),
    Coding("h265", "libx265", "yuv420p", (160, 96), ".ts", _X265),
    Coding("h265 4:2:2 10 bit", "libx265", "yuv422p10le", (98, 66), ".mp4", _X265),
    Coding("mjpeg", "mjpeg", "yuvj420p", (97, 63), ".mkv", {}),
    Coding("mjpeg 4:2:2", "mjpeg", "yuvj422p", (101, 67), ".avi", {}),
    Coding("mpeg4", "mpeg4", "yuv420p", (160, 96), ".ts", {}),
    Coding("mpeg4 odd", "mpeg4", "yuv420p", (99, 61), ".avi", {}),
)


def encode(coding: Coding, folder: Path, gops: int, seed: int = 1) -> Path:
    """A file of textured pictures with a block that walks, noise included."""
    rng = np.random.default_rng(seed)
    width, height = coding.size
    path = folder / f"{seed}-{width}x{height}-{coding.name.replace(' ', '-')}{coding.suffix}"
    ground = rng.integers(40, 200, (height // 8 + 1, width // 8 + 1, 3))
    ground = np.kron(ground, np.ones((8, 8, 1)))[:height, :width]

    def drawn(number: int) -> NDArray[np.uint8]:
        picture = ground + rng.normal(0, 3, ground.shape)
        picture[height // 3 :, number * 3 % width : number * 3 % width + 12] = (230, 60, 60)
        return np.clip(picture, 0, 255).astype(np.uint8)

    asked = {"g": str(GOP), "threads": "1"} | coding.options
    pictures = map(drawn, range(gops * GOP))
    return encoded(path, pictures, RATE, coding.encoder, coding.pixels, **asked)


def demuxed(path: Path) -> tuple[list[av.Packet], Callable[[], Any]]:
    """Its packets, and what makes a new decoder for them, both as the hub's reader has them."""
    source, timeouts = VideoSource(str(path), "file"), (5.0, 5.0)

    def decoder() -> Any:
        with _Opened(source, timeouts) as opened:
            return opened.decoder()

    with _Opened(source, timeouts) as opened:
        return list(opened.packets()), decoder


def groups(packets: list[av.Packet]) -> list[list[av.Packet]]:
    """The packets by group of pictures, each beginning with a key frame; at most `GOP` in one."""
    found: list[list[av.Packet]] = []
    for packet in packets:
        if not found or (packet.is_keyframe and len(found[-1]) >= GOP):
            found.append([])
        found[-1].append(packet)
    return [group for group in found if len(group) == GOP]


def copied(packet: av.Packet, content: bytes | None = None) -> av.Packet:
    """The same packet, or one like it with other content."""
    other = av.Packet(bytes(packet) if content is None else content)
    other.pts, other.dts, other.time_base = packet.pts, packet.dts, packet.time_base
    other.duration, other.is_keyframe = packet.duration, packet.is_keyframe
    return other


# ------------------------------------------------------------------------- damage

Group = list[av.Packet]


def _truncate(group: Group, at: int, random: Random) -> None:
    content = bytes(group[at])
    group[at] = copied(group[at], content[: random.randrange(1, len(content) + 1)])


def _corrupt(group: Group, at: int, random: Random) -> None:
    content = bytearray(bytes(group[at]))
    for _ in range(random.choice((1, 4, 30))):
        content[random.randrange(len(content))] = random.randrange(256)
    group[at] = copied(group[at], bytes(content))


def _corrupt_head(group: Group, at: int, random: Random) -> None:
    """The part in which sizes, profiles and references stand."""
    content = bytearray(bytes(group[at]))
    for _ in range(random.choice((1, 3))):
        content[random.randrange(min(48, len(content)))] ^= 1 << random.randrange(8)
    group[at] = copied(group[at], bytes(content))


def _drop(group: Group, at: int, random: Random) -> None:
    if len(group) > 1:
        del group[at]


def _double(group: Group, at: int, random: Random) -> None:
    group.insert(at, copied(group[at]))


def _reorder(group: Group, at: int, random: Random) -> None:
    other = random.randrange(len(group))
    group[at], group[other] = group[other], group[at]


def _empty(group: Group, at: int, random: Random) -> None:
    group[at] = copied(group[at], b"")


def _huge(group: Group, at: int, random: Random) -> None:
    more = random.randbytes(1 << random.randrange(12, 19))
    content = bytes(group[at])
    group[at] = copied(group[at], content + more if random.random() < 0.7 else more)


def _zeroed(group: Group, at: int, random: Random) -> None:
    content = bytes(group[at])
    begin = random.randrange(len(content) + 1)
    group[at] = copied(group[at], content[:begin] + bytes(len(content) - begin))


def _glue(group: Group, at: int, random: Random) -> None:
    """Two packets lose the border between them."""
    if at + 1 < len(group):
        group[at] = copied(group[at], bytes(group[at]) + bytes(group.pop(at + 1)))


def _jump(group: Group, at: int, random: Random) -> None:
    """From here on the clock of the stream is another."""
    far = random.choice((-(1 << 62), -(10**9), -90_000, 90_000, 10**9, 1 << 33, 1 << 61))
    for number in range(at, len(group)):
        group[number] = _stamped(group[number], far)


def _jitter(group: Group, at: int, random: Random) -> None:
    group[at] = _stamped(group[at], random.randrange(-50_000, 50_000))


def _unstamped(group: Group, at: int, random: Random) -> None:
    other = copied(group[at])
    kind = random.randrange(3)
    if kind != 1:
        other.pts = None
    if kind != 0:
        other.dts = None
    group[at] = other


def _untimed(group: Group, at: int, random: Random) -> None:
    """It lasts absurdly long."""
    other = copied(group[at])
    other.duration = random.choice((0, 1, 1 << 40))
    group[at] = other


def _false_key(group: Group, at: int, random: Random) -> None:
    other = copied(group[at])
    other.is_keyframe = not other.is_keyframe
    group[at] = other


def _stamped(packet: av.Packet, later: int) -> av.Packet:
    other = copied(packet)
    limit = (1 << 63) - 1
    for name in ("pts", "dts"):
        stamp = getattr(packet, name)
        if stamp is not None:
            setattr(other, name, max(-limit, min(limit, stamp + later)))
    return other


DAMAGE: dict[str, Callable[[Group, int, Random], None]] = {
    "truncated": _truncate,
    "corrupted": _corrupt,
    "corrupted head": _corrupt_head,
    "dropped": _drop,
    "doubled": _double,
    "reordered": _reorder,
    "empty": _empty,
    "huge": _huge,
    "zeroed": _zeroed,
    "glued": _glue,
    "clock jumps": _jump,
    "stamp jitters": _jitter,
    "without stamps": _unstamped,
    "absurd duration": _untimed,
    "false key": _false_key,
}


def damaged(group: Group, random: Random, most: int = 4) -> tuple[Group, list[str]]:
    """A copy of a group with up to `most` damages, and their names."""
    group = list(group)
    kinds = random.choices(list(DAMAGE), k=random.randint(1, most))
    for kind in kinds:
        at = random.randrange(len(group))
        if kind == "empty" or group[at].size:
            DAMAGE[kind](group, at, random)
    return group, kinds
