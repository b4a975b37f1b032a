"""Decoding by the `ffmpeg` command, in a process of its own, with graphics hardware where it can.

The child is given packets, never an address: no password stands in its command line. Packets go
in and pictures come out as NUT, a container that keeps a time for each. It dies with the worker.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import shutil
import subprocess
import sys
import threading
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from hub.clock import Clock

Hardware = Literal["auto", "vaapi", "qsv", "none"]
Timed = tuple[Any, float]  # an `av.VideoFrame`, and its time on the camera's clock (s)

UNIT = Fraction(1, 1_000_000)
LARGEST = 8192 * 4352  # pixels; a damaged header may claim gigabytes
AHEAD = 12  # pictures that may wait to be taken
WRITE_WITHIN_S = 2.0
END_WITHIN_S = 2.0
REMEMBERED = 512  # packets whose time is remembered until their picture comes
LONGEST_STEP_S = 10.0
LAST_WORDS = 600  # characters
DEVICES = Path("/dev/dri")
TIED = (  # as hub.procfs.die_with_parent, without loading anything of the hub
    "import ctypes, os, sys\n"
    "ctypes.CDLL(None).prctl(1, 9)\n"
    "sys.exit(1) if os.getppid() != int(sys.argv[1]) else os.execv(sys.argv[2], sys.argv[2:])\n"
)
AT_ONCE = ("-probesize", "32", "-analyzeduration", "0", "-fpsprobesize", "0")


class NotDecoded(Exception):
    """The command cannot do it; the text says why, for a person."""


def ways(hardware: Hardware | None) -> Sequence[Hardware]:
    """What is tried, in order."""
    if hardware is None:
        return ()
    return ("vaapi", "qsv") if hardware == "auto" else (hardware,)


def command() -> str:
    """The command's path. Raises `NotDecoded` where there is none."""
    found = shutil.which("ffmpeg")
    if found is None:
        raise NotDecoded("there is no ffmpeg command; install it (apt-get install ffmpeg)")
    return found


def device() -> Path:
    """The graphics device that decodes. Raises `NotDecoded` where none may be used."""
    there = sorted(DEVICES.glob("renderD*")) if DEVICES.is_dir() else []
    if not there:
        raise NotDecoded(f"this machine shows no graphics device ({DEVICES}/renderD*)")
    for each in there:
        if os.access(each, os.R_OK | os.W_OK):
            return each
    raise NotDecoded(f"{there[0]} may not be opened; put the hub's user into the group {_group()}")


def _group() -> str:
    try:
        return sorted(DEVICES.glob("renderD*"))[0].group()
    except (KeyError, OSError, IndexError):
        return "render"


def before_input(way: Hardware, codec: str) -> list[str]:
    """The options that make the command decode in this way."""
    if way == "vaapi":
        return ["-hwaccel", "vaapi", "-hwaccel_device", str(device())]
    if way == "qsv":
        device()
        return ["-init_hw_device", "qsv=a", "-c:v", f"{codec}_qsv"]
    return ["-threads", "1"]


def why_not(way: Hardware, within_s: float = 5.0) -> str:
    """Why the command cannot decode in this way on this machine, or an empty text; for `doctor`."""
    try:
        given = [command(), "-nostdin", "-v", "error"]
        if way != "none":
            found = device()
            given += ["-init_hw_device", f"vaapi=a:{found}" if way == "vaapi" else "qsv=a"]
    except NotDecoded as no:
        return str(no)
    given += ["-f", "lavfi", "-i", "nullsrc=s=64x64:d=0.1", "-f", "null", "-"]
    try:
        done = subprocess.run(  # noqa: S603 - a path that was looked up, and fixed words
            given, capture_output=True, timeout=within_s, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return "ffmpeg does not run"
    return "" if done.returncode == 0 else _said(done.stderr)


def _said(stderr: bytes) -> str:
    lines = stderr.decode(errors="replace").strip().splitlines()
    said = next((line.strip() for line in lines if line.strip()), "")
    return f"ffmpeg says: {said[:200]}" if said else "ffmpeg has ended"


class Wrapper:
    """Puts one stream's packets into NUT. `stream` is that of an open container."""

    def __init__(self, stream: Any) -> None:
        import av

        self.codec = str(stream.codec_context.codec.name)
        self.colorspace = int(stream.codec_context.colorspace)
        self._written = bytearray()
        self._times: OrderedDict[int, float] = OrderedDict()
        self._last: tuple[float, int] | None = None
        self._into: Any = av.open(self, "w", format="nut", options={"flush_packets": "1"})
        self._stream = self._into.add_stream_from_template(stream, opaque=True)
        self._stream.time_base = UNIT

    def write(self, content: bytes) -> int:
        """For the muxer."""
        self._written += content
        return len(content)

    def wrap(self, packet: Any) -> bytes:
        """The bytes that carry a `hub.perception.feed.Packet`, the header first."""
        import av

        data = packet.data
        unit = data.time_base or 0
        stamped = data.pts is not None and data.dts is not None
        late = float((data.pts - data.dts) * unit) if stamped else 0.0
        stamp = self._stamp(packet.time)
        copy = av.Packet(bytes(data))
        copy.stream, copy.time_base, copy.is_keyframe = self._stream, UNIT, packet.key
        copy.dts, copy.pts = stamp, stamp + round(min(max(0.0, late), 5.0) / UNIT)
        shown = float(data.pts * unit) + packet.base if stamped else packet.time
        self._times[copy.pts] = shown if abs(shown - packet.time) <= 5.0 else packet.time
        while len(self._times) > REMEMBERED:
            self._times.popitem(last=False)
        self._into.mux(copy)
        content = bytes(self._written)
        self._written.clear()
        return content

    def time_of(self, picture: Any) -> float | None:
        """When a picture that came back was taken, in seconds on the camera's clock."""
        if picture.pts is None:
            return None
        return self._times.pop(round(float(picture.pts * picture.time_base) / UNIT), None)

    def _stamp(self, time: float) -> int:
        """Grows with the camera's clock and never jumps, as a muxer demands."""
        before, stamp = self._last or (time, 0)
        step = round(min(max(0.0, time - before), LONGEST_STEP_S) / UNIT)
        self._last = time, stamp + max(1, step)
        return self._last[1]


class Child:
    """One `ffmpeg` that decodes one stream. Raises `NotDecoded` when it cannot be started."""

    def __init__(self, wrapper: Wrapper, way: Hardware, clock: Clock) -> None:
        self._wrapper, self._clock = wrapper, clock
        program = command()
        pixels = "yuv420p" if way == "none" else "nv12"
        given = [program, "-hide_banner", "-nostdin", "-v", "error", *AT_ONCE]
        given += [
            *before_input(way, wrapper.codec),
            "-max_pixels",
            str(LARGEST),
            "-copyts",
            "-f",
            "nut",
            "-i",
            "pipe:0",
        ]
        given += ["-map", "0:v:0", "-fps_mode", "passthrough", "-enc_time_base", "-1"]
        given += ["-c:v", "rawvideo", "-pix_fmt", pixels, "-flush_packets", "1", "-f", "nut"]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - a path looked up, and fixed words
                [sys.executable, "-I", "-S", "-c", TIED, str(os.getpid()), *given, "pipe:1"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            )  # fmt: skip
        except OSError as error:
            raise NotDecoded(f"ffmpeg does not start: {error.strerror}") from None
        assert self._process.stdin is not None
        assert self._process.stderr is not None
        self._stdin, self._stderr = self._process.stdin.fileno(), self._process.stderr.fileno()
        for pipe in (self._stdin, self._stderr):
            os.set_blocking(pipe, False)
        self._words = b""
        self._pictures: queue.Queue[Any] = queue.Queue(AHEAD)
        stop = threading.Event()
        threading.Thread(
            target=_read, args=(self._process.stdout, self._pictures, stop),
            name="ffmpeg pictures", daemon=True,
        ).start()  # fmt: skip
        self._end = weakref.finalize(self, _end, self._process, stop)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def decode(self, packet: Any) -> list[Timed]:
        """Give it a packet; returns the pictures that have come by now.

        Raises `NotDecoded` when it has ended, or takes nothing for two seconds.
        """
        left = memoryview(self._wrapper.wrap(packet))
        found: list[Timed] = []
        until = self._clock.monotonic() + WRITE_WITHIN_S
        while left:
            found += self._come(packet)
            try:
                left = left[os.write(self._stdin, left) :]
            except BlockingIOError:
                if self._clock.monotonic() > until:
                    raise NotDecoded(f"ffmpeg took nothing for {WRITE_WITHIN_S:g} s") from None
                select.select((), (self._stdin,), (), 0.02)
            except OSError:
                raise NotDecoded(self._last_words()) from None
        return found + self._come(packet)

    def close(self) -> None:
        """End it now."""
        self._end()

    def _come(self, packet: Any) -> list[Timed]:
        found: list[Timed] = []
        with contextlib.suppress(OSError):
            self._words = (self._words + os.read(self._stderr, 4096))[:LAST_WORDS]
        with contextlib.suppress(queue.Empty):
            while (picture := self._pictures.get_nowait()) is not None:
                picture.colorspace = self._wrapper.colorspace
                time = self._wrapper.time_of(picture)
                found.append((picture, packet.time if time is None else time))
            raise NotDecoded(self._last_words())
        return found

    def _last_words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.5)
        with contextlib.suppress(OSError):
            self._words = (self._words + os.read(self._stderr, 4096))[:LAST_WORDS]
        return _said(self._words)


def _read(stdout: Any, pictures: queue.Queue[Any], stop: threading.Event) -> None:
    """Take pictures out of the pipe until it ends, on a thread of its own; None is the end."""
    import av

    def put(what: Any) -> None:
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                pictures.put(what, timeout=0.2)
                return

    options = dict(zip((each[1:] for each in AT_ONCE[::2]), AT_ONCE[1::2], strict=True))
    with stdout, contextlib.suppress(av.error.FFmpegError, OSError, ValueError):
        opened: Any = av.open(stdout, format="nut", options=options)
        with opened as container:
            for packet in container.demux(video=0):
                for picture in packet.decode():
                    put(picture)
    put(None)


def _end(process: subprocess.Popen[bytes], stop: threading.Event) -> None:
    stop.set()
    process.kill()
    for pipe in (process.stdin, process.stderr):
        assert pipe is not None
        pipe.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END_WITHIN_S)
