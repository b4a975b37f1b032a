"""Cameras: each one's source is opened, a packet read, and one picture decoded."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from hub.config import CameraBlock, DriverBlock
from hub.doctor.apart import in_loop
from hub.doctor.drivers import EARLIER, as_finding, build, closed, late, probed, trouble
from hub.doctor.finding import Finding, Probe, bad, ok, warn
from hub.doctor.given import Given
from hub.kinds import Probed
from hub.kinds.cameras import VideoSource
from hub.perception.feed import (
    RTSP_OPTIONS,
    address_with_credentials,
    in_words,
    redact,
    without_credentials,
)
from hub.perception.ffmpeg import ways, why_not
from hub.threads import in_thread
from hub.units import duration_words

LARGEST = 1280 * 720
PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443, "rtmp": 1935}
CODECS = {"h264": "H.264", "hevc": "H.265", "mjpeg": "Motion JPEG", "mpeg4": "MPEG-4"}
LEAST_S = 0.2
CHECK_CABLE = "check the camera's power, its cable and the way to it"


def probes(given: Given) -> list[Probe]:
    """One for each enabled camera; none where the configuration is invalid."""
    if given.config is None:
        return []
    return [
        Probe("cameras", id_, partial(_look, given, id_, block))
        for id_, block in given.config.cameras.items()
        if block.enabled
    ]


async def _look(given: Given, id_: str, block: DriverBlock) -> AsyncIterator[Finding]:
    yield await in_loop(partial(_asked, given, id_, block))


async def _asked(given: Given, id_: str, block: DriverBlock) -> Finding:
    within = given.asked.limit * EARLIER
    until = monotonic() + within
    try:
        camera = build(given, "cameras", id_, block)
    except Exception as error:
        return trouble("cameras", block.driver, error)
    try:
        async with asyncio.timeout(within):
            said = await probed(camera)
            if said is not None and (said.complete or not said.works):
                return as_finding(block.driver, said)
            await camera.start()
            source = without_credentials(await camera.source("analysis"))
            unreached = await in_thread(lambda: _unreached(source, until))
            if unreached is not None:
                return _told(said, unreached)
            video = await in_thread(lambda: _first_picture(source, until))
            return _told(said, await in_thread(lambda: _by_command(block, video, until)))
    except TimeoutError:
        return late("cameras", within)
    except Exception as error:
        return trouble("cameras", block.driver, error)
    finally:
        await closed(camera)


def _told(said: Probed | None, video: Finding) -> Finding:
    """The video's finding, led by what the driver said of the device; the worse of the two."""
    if said is None:
        return video
    found = f"{said.found}; {video.found}"
    if said.remedy and video.state == "ok":
        return warn(found, said.remedy)
    return Finding(video.state, found, video.remedy)


def _by_command(block: DriverBlock, video: Finding, until: float) -> Finding:
    """The video's finding, or what keeps the command from decoding it where that is asked for."""
    if not isinstance(block, CameraBlock) or block.decoder != "ffmpeg" or video.state == "bad":
        return video
    said = ""
    for way in ways(block.hardware):
        said = why_not(way, max(LEAST_S, until - monotonic()))
        if not said:
            return Finding(video.state, f"{video.found}; ffmpeg decodes ({way})", video.remedy)
    told = f"{video.found}; ffmpeg does not decode: {said}; the built-in decoder stands in"
    return warn(told, "mend that, or take `decoder: ffmpeg` out")


def _unreached(source: VideoSource, until: float) -> Finding | None:
    """Why nobody gets as far as the camera's port; None for a file and for an open port."""
    parts = urlsplit(source.url) if "://" in source.url else None
    if parts is None or parts.scheme not in PORTS or not parts.hostname:
        return None
    host, port = parts.hostname, parts.port or PORTS[parts.scheme]
    try:
        socket.create_connection((host, port), timeout=max(LEAST_S, until - monotonic())).close()
    except socket.gaierror:
        return bad(f"no machine is called {host}", "correct the name, or give the IP address")
    except ConnectionRefusedError:
        remedy = "check the port, and that RTSP is switched on in the camera"
        return bad(f"{host} is there, but nothing listens at port {port}", remedy)
    except TimeoutError:
        return bad(f"no answer from {host}:{port}", CHECK_CABLE)
    except OSError as error:
        return bad(f"no way to {host}:{port}: {error.strerror or error}", CHECK_CABLE)
    return None


@dataclass
class _Seen:
    """What came of the stream before the first picture."""

    packets: int = 0
    keys: int = 0
    damaged: int = 0


def _first_picture(source: VideoSource, until: float) -> Finding:
    import av

    began = monotonic()
    seen = _Seen()
    within = max(LEAST_S, until - began)
    options = dict(source.options)
    if source.url.startswith("rtsp"):
        options = RTSP_OPTIONS | {"rtsp_transport": source.transport} | options
    try:
        with av.open(
            address_with_credentials(source), options=options, timeout=(within, within)
        ) as container:
            if not container.streams.video:
                return bad("there is no video in it", "correct the path of the address")
            stream = container.streams.video[0]
            picture = _decode(container, stream, seen, until)
            if picture is None:
                return _no_picture(seen, within)
            return _picture(stream, picture, monotonic() - began)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if seen.packets and isinstance(error, av.error.ExitError | TimeoutError):
            return _no_picture(seen, within)
        return _failed(error, source, within)


def _decode(container: Any, stream: Any, seen: _Seen, until: float) -> Any | None:
    """The first sound picture, or None when time is up or the stream ends."""
    import av

    for packet in container.demux(stream):
        if monotonic() > until:
            return None
        if packet.size:
            seen.packets += 1
            seen.keys += bool(packet.is_keyframe)
        try:
            pictures = packet.decode()
        except (av.error.InvalidDataError, av.error.EOFError):
            seen.damaged += 1
            continue
        for picture in pictures:
            if not picture.is_corrupt:
                return picture
    return None


def _no_picture(seen: _Seen, within: float) -> Finding:
    time = duration_words(round(within, 1))
    if not seen.packets:
        remedy = "restart the camera, and see that its stream is switched on"
        return bad(f"it was opened, but sends nothing within {time}", remedy)
    if not seen.keys:
        remedy = "set the camera's key-frame (I-frame) interval to one or two seconds"
        return bad(f"it sends video, but no key frame within {time}", remedy)
    remedy = "choose H.264 in the camera, or try another of its streams"
    return bad(f"it sends video that cannot be decoded ({seen.packets} packets)", remedy)


def _picture(stream: Any, picture: Any, seconds: float) -> Finding:
    codec = str(stream.codec_context.name)
    rate = stream.average_rate or stream.guessed_rate
    told = f"{picture.width}x{picture.height} {CODECS.get(codec, codec)}"
    told += f", {float(rate):.3g} pictures a second" if rate else ", pictures a second not stated"
    told += f", first picture after {seconds:.1f} s"
    if picture.width * picture.height > LARGEST:
        return warn(f"{told}; far larger than needed", "give the address of its small sub-stream")
    return ok(told)


def _failed(error: Exception, source: VideoSource, within: float) -> Finding:
    import av

    remedies: list[tuple[type[Exception], str]] = [
        (av.error.HTTPUnauthorizedError, "correct the camera's `username` and `password`"),
        (av.error.HTTPForbiddenError, "let this user see the stream, in the camera's own pages"),
        (av.error.HTTPNotFoundError, "correct the path of the address, see the camera's manual"),
        (FileNotFoundError, "correct the path, or mount the disk it lies on"),
        (av.error.ExitError, "restart the camera; see that this port is RTSP"),
        (TimeoutError, "restart the camera; see that this port is RTSP"),
        (av.error.InvalidDataError, "give a video file or the address of a video stream"),
    ]
    remedy = next((text for kind, text in remedies if isinstance(error, kind)), CHECK_CABLE)
    said = in_words(error, source, round(within, 1))
    return bad(redact(said, source), remedy)
