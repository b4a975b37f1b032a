"""Camera driver `rtsp`: a camera or recorder that speaks RTSP, over TCP or UDP."""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress
from typing import Literal
from urllib.parse import unquote, urlsplit, urlunsplit

from pydantic import Field, field_validator

from hub import Block, Context, Driver, Purpose, VideoSource, hookimpl

HOST = re.compile(r"[^\s/\\]+")
NUMBERS = re.compile(r"[0-9.]+")  # meant as an address, though no name server knows 192.0.2.300


class RtspConfig(Block):
    """Where the stream is. Credentials may stand in the address but are better beside it."""

    url: str = Field(
        pattern=r"^rtsps?://",
        repr=False,
        description="The address of the stream, best the camera's small sub-stream.",
    )
    username: str | None = Field(None, description="Who signs in there.")
    password: str | None = Field(None, repr=False, description="Best as `!secret NAME`.")
    transport: Literal["tcp", "udp"] = Field("tcp", description="How the packets travel.")

    @field_validator("url")
    @classmethod
    def an_rtsp_address(cls, url: str) -> str:
        """`rtsp://host[:port]/path` (or rtsps); the message never repeats what was given."""
        try:
            parts = urlsplit(url)
            sound = parts.scheme in ("rtsp", "rtsps") and bool(parts.hostname)
            sound = sound and (parts.port is None or parts.port > 0)
        except ValueError:
            sound = False
        if not sound:
            raise ValueError(
                "expected rtsp://HOST:PORT/PATH, and user and password under keys of their own"
            )
        if not _may_be_host(parts.hostname or ""):
            raise ValueError("expected a host name, or an address such as 192.0.2.7, in the URL")
        return url


def _may_be_host(text: str) -> bool:
    if NUMBERS.fullmatch(text):
        with suppress(ValueError):
            return bool(ipaddress.IPv4Address(text))
        return False
    return HOST.fullmatch(text) is not None


class RtspCamera:
    """One stream of one camera."""

    def __init__(self, config: RtspConfig, context: Context) -> None:
        self._source = split_credentials(config)

    async def start(self) -> None:
        """Nothing to prepare: the worker connects, and keeps trying."""

    async def source(self, purpose: Purpose) -> VideoSource:
        """The same stream for every purpose; give the camera's small sub-stream."""
        return self._source

    async def close(self) -> None:
        """There is nothing to let go of."""


def split_credentials(config: RtspConfig) -> VideoSource:
    """The source with any name and password taken out of the address; the keys beside it win."""
    parts = urlsplit(config.url)
    person, _, host = parts.netloc.rpartition("@")
    name, colon, password = person.partition(":")
    username = config.username if config.username is not None else unquote(name) or None
    in_address = unquote(password) if colon else None
    return VideoSource(
        url=urlunsplit(parts._replace(netloc=host)),
        transport=config.transport,
        username=username,
        password=config.password if config.password is not None else in_address,
    )


@hookimpl
def vestibule_cameras() -> list[Driver]:
    """Announce the driver."""
    return [
        Driver(
            name="rtsp",
            factory=RtspCamera,
            config=RtspConfig,
            summary="An RTSP camera, over TCP or UDP, with or without a password",
        )
    ]
