"""What is spared of streams of key frames only: Motion JPEG, 15 pictures a second, 5 looked at."""

from __future__ import annotations

import time
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.perception.feed import Packet, Session
from hub.perception.intra import SURE_AFTER, KeyFramesOnly
from hub.perception.stream import StreamDecoder

EACH = 3  # pictures sent for one that is looked at
FPS = 15


def motion_jpeg(pictures: Iterable[NDArray[np.uint8]], width: int, height: int) -> list[Any]:
    """Packets of 4:2:0 planes (3 height / 2, width)."""
    import av

    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base = Fraction(1, FPS)
    packets = []
    for number, planes in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(planes, format="yuvj420p")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        packets += encoder.encode(frame)
    return packets


def spent(packets: list[Any], rounds: int) -> tuple[float, float]:
    """Microseconds of CPU time for each picture sent: when all are decoded, and when only those
    are that are due; medians.
    """
    times: dict[bool, list[float]] = {False: [], True: []}
    for turn in range(rounds + 1):
        for spare in (False, True):
            took = _played(packets, spare)
            if turn:
                times[spare].append(took)
    return float(np.median(times[False])), float(np.median(times[True]))


def _played(packets: list[Any], spare: bool) -> float:
    import av

    session = Session(1, av.CodecContext.create("mjpeg", "r"))
    keys, stream = KeyFramesOnly(), StreamDecoder(lambda why: None)
    begin = 0
    for number in range(SURE_AFTER + len(packets)):
        if number == SURE_AFTER:
            begin = time.thread_time_ns()
        data = packets[number % len(packets)]
        packet = Packet(session, data, number / FPS, 0.0, data.size, True)
        for each in keys.admit(packet, not spare or number % EACH == 0):
            for _ in stream.decode(each):
                pass
    return (time.thread_time_ns() - begin) / 1000 / len(packets)
