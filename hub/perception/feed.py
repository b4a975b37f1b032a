"""One thread per camera that reads packets, and the bounded queue it leaves them in.

Files are paced by their own time stamps; servers are read as they send. A source that cannot be
opened, ends or falls silent is tried again for ever. Nothing is decoded here.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from hub.backoff import Backoff
from hub.clock import Clock
from hub.kinds.cameras import VideoSource
from hub.perception.ffmpeg import LARGEST, Wrapper

log = logging.getLogger(__name__)

OPEN_WITHIN_S = 8.0
READ_WITHIN_S = 5.0
HEALTHY_AFTER_S = 30.0
LATE_AFTER_S = 3.0
MAX_PACKETS = 512
MAX_BYTES = 24 << 20
JUMP_S = 2.0
FILE_JUMP_S = 60.0
FAR_S = 1e11  # seconds so large have no fractions left to tell frames apart
LAG_FOLLOWS = 0.1  # how much one packet tells of the next
FRAME_S = 0.04  # what a packet is taken to last that does not say
RTSP_OPTIONS = {"analyzeduration": "500000", "probesize": "500000", "reorder_queue_size": "64"}


class SourceLost(Exception):
    """The source gave up; the text says why and is free of credentials."""


@dataclass(frozen=True, slots=True)
class Session:
    """One opening of the source: a decoder of its own, made for what the stream says it is.

    `wrappers` are what may put its packets into a form for the `ffmpeg` command, one for each try.
    """

    number: int
    decoder: Any
    wrappers: Sequence[Wrapper] = ()


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet: `time` in seconds on the camera's clock, which never goes back for a loop.

    `base` is what to add to a picture's own time stamp (s) to get to that clock.
    """

    session: Session
    data: Any
    time: float
    base: float
    size: int
    key: bool


class PacketQueue:
    """Packets between the reading thread and the decoder, bounded in number, bytes and age.

    When the decoder falls behind, everything before the newest key frame goes; without one,
    everything until the next. What goes is counted in `dropped`.
    """

    def __init__(
        self,
        most: int = MAX_PACKETS,
        most_bytes: int = MAX_BYTES,
        late_after_s: float = LATE_AFTER_S,
    ) -> None:
        self._limits = (most, most_bytes, late_after_s)
        self._lock = threading.Lock()
        self._packets: deque[Packet] = deque()
        self._bytes = 0
        self._until_key = False
        self.dropped = 0

    def put(self, packet: Packet) -> None:
        """Append; never waits."""
        with self._lock:
            if self._until_key and not packet.key:
                self.dropped += 1
                return
            self._until_key = False
            self._packets.append(packet)
            self._bytes += packet.size
            if self._over():
                self._shed()

    def take(self) -> list[Packet]:
        """Everything there is, oldest first."""
        with self._lock:
            packets = list(self._packets)
            self._packets.clear()
            self._bytes = 0
            return packets

    def _over(self) -> bool:
        most, most_bytes, late_after_s = self._limits
        age = self._packets[-1].time - self._packets[0].time
        return len(self._packets) > most or self._bytes > most_bytes or age > late_after_s

    def _shed(self) -> None:
        keys = [at for at, packet in enumerate(self._packets) if packet.key]
        keep_from = keys[-1] if keys and keys[-1] > 0 else len(self._packets)
        self._until_key = keep_from == len(self._packets)
        for _ in range(keep_from):
            self._bytes -= self._packets.popleft().size
        self.dropped += keep_from


class Feed:
    """Reads one camera for as long as it is wanted. `trouble` says why nothing comes, or is "".

    `end_of_clip` is true once a file that does not loop has been played. `lag` is how much later
    (s) than their own time packets come, as a rule.
    """

    def __init__(
        self,
        camera: str,
        source: VideoSource,
        clock: Clock,
        *,
        open_within_s: float = OPEN_WITHIN_S,
        read_within_s: float = READ_WITHIN_S,
        first_delay_s: float = 1.0,
        wrappers: int = 0,
    ) -> None:
        self.camera = camera
        self.source = without_credentials(source)
        self.queue = PacketQueue()
        self.trouble = ""
        self.connects = 0
        self.end_of_clip = False
        self.lag = 0.0
        self._clock = clock
        self._timeouts = (open_within_s, read_within_s)
        self._backoff = Backoff(first_delay_s)
        self._wrappers = wrappers
        self._stop = threading.Event()
        self._reopen = ""
        self._offset: float | None = None
        self._end = 0.0
        self._thread = threading.Thread(target=self._run, name=f"demux {camera}", daemon=True)

    def start(self) -> None:
        """Begin reading."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; it may sit in a read for up to its timeout, so nobody waits."""
        self._stop.set()

    def join(self, within_s: float) -> bool:
        """Whether the thread has ended within this time."""
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def reopen(self, reason: str) -> None:
        """The decoder can make nothing of what comes: open the source afresh, after a delay."""
        self._reopen = reason

    def _run(self) -> None:
        while not self._stop.is_set():
            opened = self._clock.monotonic()
            try:
                self._play()
                if self.source.transport == "file" and not self._reopen:
                    if not self.source.loop:
                        self.end_of_clip, self.trouble = True, "the clip has been played"
                        return
                    continue
                self.trouble = self._reopen or "the stream ended"
                self._reopen = ""
            except SourceLost as lost:
                self.trouble = str(lost)
            except Exception as error:
                self.trouble = f"could not be read: {type(error).__name__}"
                log.error("camera %s: reading: %s", self.camera, redact(repr(error), self.source))
            if self._clock.monotonic() - opened >= HEALTHY_AFTER_S:
                self._backoff.reset()
            self._stop.wait(self._backoff.delay())

    def _play(self) -> None:
        with _Opened(self.source, self._timeouts) as opened:
            self.connects += 1
            wrappers = opened.wrappers(self._wrappers)
            session = Session(self.connects, opened.decoder(), wrappers)
            self._offset = None
            seen = False
            for data in opened.packets():
                if self._stop.is_set() or self._reopen:
                    return
                seen = True
                self._pass_on(session, data)
                self.trouble = ""
            if not seen:
                raise SourceLost("there are no pictures in it")

    def _pass_on(self, session: Session, data: Any) -> None:
        stamp = data.dts if data.dts is not None else data.pts
        unit = data.time_base or 0  # a stamp without a unit says nothing
        own = None if stamp is None or not unit else float(stamp * unit)
        if own is not None and abs(own) > FAR_S:
            own = None
        now = self._clock.monotonic()
        if own is None:
            time, base = now, 0.0
        else:
            time = self._place(own, now)
            base = time - own
        length = float(data.duration * unit) if data.duration and unit else FRAME_S
        self._end = max(self._end, time + min(length, 1.0))
        if self.source.transport == "file":
            self._stop.wait(max(0.0, time - now))
        self.lag += LAG_FOLLOWS * (max(0.0, self._clock.monotonic() - time) - self.lag)
        self.queue.put(Packet(session, data, time, base, int(data.size), bool(data.is_keyframe)))

    def _place(self, own: float, now: float) -> float:
        """Where a time stamp lies on the camera's clock, anchored anew where the two part."""
        file = self.source.transport == "file"
        if self._offset is not None:
            time = own + self._offset
            if -JUMP_S <= time - now <= (FILE_JUMP_S if file else JUMP_S):
                if time > now and not file:
                    # What came in the meantime of opening is read in one go, so the first packet
                    # was older than it seemed; nothing is from the future.
                    self._offset, time = now - own, now
                return time
        self._offset = min(max(now, self._end), now + JUMP_S) - own
        return own + self._offset


def opened(source: VideoSource) -> _Opened:
    """A source opened by hand, as a context; for tests and measurements."""
    return _Opened(source, (OPEN_WITHIN_S, READ_WITHIN_S))


class _Opened:
    """An open source. Every error that leaves here is a `SourceLost` in words."""

    def __init__(self, source: VideoSource, timeouts: tuple[float, float]) -> None:
        self._source = source
        self._timeouts = timeouts
        self._container: Any = None

    def __enter__(self) -> _Opened:
        import av

        options = dict(self._source.options)
        if self._source.url.startswith("rtsp"):
            options = RTSP_OPTIONS | {"rtsp_transport": self._source.transport} | options
        try:
            self._container = av.open(
                address_with_credentials(self._source),
                options=options,
                timeout=self._timeouts,
                metadata_errors="replace",  # a stream's title may be in any encoding
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise SourceLost(in_words(error, self._source, self._timeouts[0])) from None
        if not self._container.streams.video:
            self._container.close()
            raise SourceLost("there is no video in it")
        if self._container.streams.video[0].codec_context is None:
            self._container.close()
            raise SourceLost("its video is of a kind that cannot be decoded")
        return self

    def __exit__(self, *unused: object) -> None:
        self._container.close()

    def decoder(self) -> Any:
        """A decoder that outlives this container: packets may still be queued when it closes."""
        import av

        announced = self._container.streams.video[0].codec_context
        decoder = av.CodecContext.create(announced.codec.name, "r")
        if announced.extradata:
            decoder.extradata = announced.extradata
        decoder.thread_type = "SLICE"
        decoder.thread_count = 1
        decoder.options = {"max_pixels": str(LARGEST)}
        return decoder

    def wrappers(self, count: int) -> list[Wrapper]:
        """Fewer where the stream is of a kind that cannot be wrapped."""
        import av

        stream = self._container.streams.video[0]
        with contextlib.suppress(av.error.FFmpegError, ValueError, AttributeError):
            return [Wrapper(stream) for _ in range(count)]
        return []

    def packets(self) -> Iterator[Any]:
        import av

        stream = self._container.streams.video[0]
        demuxed = self._container.demux(stream)
        while True:
            try:
                packet = next(demuxed)
            except (StopIteration, av.error.EOFError):
                return
            except (av.error.FFmpegError, OSError) as error:
                raise SourceLost(in_words(error, self._source, self._timeouts[1])) from None
            except IndexError:  # PyAV's, at a packet of a stream that was not announced
                demuxed = self._container.demux(stream)
                continue
            if packet.size:
                yield packet


def address_with_credentials(source: VideoSource) -> str:
    """The address as the demuxer wants it. Never log it."""
    if source.username is None or "://" not in source.url:
        return source.url
    parts = urlsplit(source.url)
    person = quote(source.username, safe="")
    if source.password is not None:
        person += ":" + quote(source.password, safe="")
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{person}@{host}"))


def without_credentials(source: VideoSource) -> VideoSource:
    """The same source with credentials that stood in the address moved beside it."""
    parts = urlsplit(source.url) if "://" in source.url else None
    if parts is None or "@" not in parts.netloc:
        return source
    person, _, host = parts.netloc.rpartition("@")
    name, colon, password = person.partition(":")
    return replace(
        source,
        url=urlunsplit(parts._replace(netloc=host)),
        username=source.username if source.username is not None else unquote(name),
        password=source.password if source.password is not None or not colon else unquote(password),
    )


def in_words(error: Exception, source: VideoSource, waited_s: float) -> str:
    """Why a source failed, from the kind of error alone: its text may hold the whole address."""
    import av

    host = urlsplit(source.url).netloc.rpartition("@")[2] if "://" in source.url else ""
    said: list[tuple[type[Exception], Callable[[], str]]] = [
        (av.error.HTTPUnauthorizedError, lambda: refusal(source)),
        (av.error.HTTPForbiddenError, lambda: "it refused access (403)"),
        (av.error.HTTPNotFoundError, lambda: "it has no stream of this name (404)"),
        (ConnectionRefusedError, lambda: f"nothing listens at {host}"),
        (FileNotFoundError, lambda: f"there is no file {source.url}"),
        (av.error.ExitError, lambda: f"no answer within {waited_s:g} s"),
        (TimeoutError, lambda: f"no answer within {waited_s:g} s"),
        (av.error.InvalidDataError, lambda: "what it sends is not video that can be read"),
    ]
    for kind, words in said:
        if isinstance(error, kind):
            return words()
    words_of_it = getattr(error, "strerror", None) or type(error).__name__
    return redact(str(words_of_it), source)


def refusal(source: VideoSource) -> str:
    """What a 401 means: wrong credentials, or none given."""
    if source.username is None:
        return "it asks for a user name and a password (401)"
    return "it refused the user name or password (401)"


def redact(text: str, source: VideoSource) -> str:
    """The text without the source's password, plain or quoted."""
    if not source.password:
        return text
    for secret in {source.password, quote(source.password, safe="")}:
        text = text.replace(secret, "***")
    return text
