"""Drivers of every kind that give away their secret in every way a driver can."""

# ruff: noqa: T201

import logging
import os
import sys
import warnings
from base64 import b64encode
from datetime import UTC, datetime
from urllib.parse import quote

import structlog
from pydantic import Field, model_validator

from hub import (
    VERBS,
    Block,
    Capabilities,
    Channel,
    CommandFailed,
    DetectorInfo,
    DoorReport,
    Driver,
    Event,
    NotReady,
    Receipt,
    Refused,
    Screening,
    VideoSource,
    Visit,
    hookimpl,
)


class Leaky(Block):
    """`phrase` is secret because its field says so, `password` because of its name."""

    password: str = ""
    phrase: str = Field("", repr=False)
    at: str = "start"
    sound: bool = True

    @model_validator(mode="after")
    def complains(self):
        """A model that repeats what it was given."""
        print("checked", self.secret)
        say(self.secret)
        if not self.sound:
            raise ValueError(f"the phrase {self.secret} is too short")
        return self

    @property
    def secret(self):
        return self.password or self.phrase


def say(secret):
    """Everything that ends up on standard output or standard error."""
    print("printed", secret)
    print("printed as an error", secret, file=sys.stderr)
    logging.getLogger("leaky").warning("logged %s", secret)
    structlog.get_logger("leaky").warning(
        "logged with structure", secret=secret, all={"in": secret}
    )
    raw, pair = secret.encode(), f"vestibule:{secret}".encode()
    shapes = quote(secret), b64encode(raw), b64encode(pair).decode(), raw.hex(), repr(repr(secret))
    logging.getLogger("leaky").warning("logged in other shapes %s", shapes)
    warnings.warn(f"warned of {secret}", stacklevel=1)
    try:
        raise RuntimeError(f"told in a traceback: {secret}")
    except RuntimeError:
        logging.getLogger("leaky").exception("a traceback")
        structlog.get_logger("leaky").exception("a structured traceback")


class Base:
    def __init__(self, config, context):
        self.secret = config.secret
        self.at = config.at
        self.context = context
        say(self.secret)
        if self.at == "factory":
            raise RuntimeError(f"cannot be built with {self.secret}")

    async def start(self):
        say(self.secret)
        if self.at == "start":
            raise NotReady(f"not reached with {self.secret}")
        if self.at == "foreign":
            raise KeyError(self.secret)

    async def close(self):
        raise RuntimeError(f"cannot close {self.secret}")


class LeakyCamera(Base):
    async def source(self, purpose):
        if self.at == "source":
            raise RuntimeError(f"no source for {self.secret}")
        return VideoSource(f"/nowhere/{self.secret}.mp4", transport="file", password=self.secret)


class LeakyDetector:
    """Runs in the worker: what it prints there comes out there."""

    def __init__(self, config, context):
        say(config.secret)
        print("all of the environment:", dict(os.environ))
        os.write(1, f"written to a descriptor: {config.secret}\n".encode())
        os.write(2, f"written to a descriptor: {config.secret}\n".encode())
        os.system(f"echo 'said by a grandchild: {config.phrase}'")
        if config.at == "factory":
            raise RuntimeError(f"no model behind {config.secret}")
        self.info = DetectorInfo(config.secret, ("person",), (64,), config.secret, config.secret)
        self.secret = config.secret

    def infer(self, crops):
        raise RuntimeError(f"asked with {self.secret}")

    def close(self):
        raise RuntimeError(self.secret)


class LeakyDoors(Base):
    capabilities = Capabilities(verbs=frozenset(VERBS))

    async def command(self, door, verb, key):
        say(self.secret)
        raise CommandFailed(f"the lock says {self.secret} is wrong")

    async def refresh(self, door):
        raise RuntimeError(f"cannot ask with {self.secret}")

    async def reports(self):
        now = datetime.now(UTC)
        for door in self.context.devices:
            yield DoorReport(door, now, lock="locked", position="open", detail=self.secret)
            data = {
                "door": door,
                "header": "Basic " + b64encode(f"vestibule:{self.secret}".encode()).decode(),
                "detail": f"signed in with {self.secret}",
                "deep": [{"list": [self.secret]}],
                f"as a key: {self.secret}": 1,
            }
            await self.context.publish(Event("door.forced", f"door/{door}", now, door, data))
            of = f"plugin.leaky.{self.secret}"
            await self.context.publish(Event(of, self.secret, now, self.secret, id=self.secret))
            await self.context.publish(
                Event("door.offline", f"door/{door}", now, door, {"reason": self.secret})
            )
        raise RuntimeError(f"the link of {self.secret} is lost")


class LeakyChannel(Base):
    channel = Channel(path="lan")

    async def send(self, notice):
        say(self.secret)
        if self.at == "receipt":
            return Receipt("failed", self.secret, f"refused {self.secret}")
        if self.at == "accept":
            return Receipt("accepted", self.secret, f"taken for {self.secret}")
        raise RuntimeError(f"not sent with {self.secret}")


class LeakyDesk(Base):
    def _visit(self):
        now = datetime.now(UTC)
        return Visit("one", self.secret, self.secret, f"to see {self.secret}", now, now)

    async def visits(self):
        return [self._visit()]

    async def screen(self, visitor):
        return Screening(True, self.secret)

    async def check_in(self, visit):
        raise Refused(f"not in with {self.secret}")

    async def check_out(self, visit):
        return self._visit()


@hookimpl
def vestibule_cameras():
    return [Driver("leaky", LeakyCamera, Leaky, "Leaks")]


@hookimpl
def vestibule_detectors():
    return [Driver("leaky", LeakyDetector, Leaky, "Leaks")]


@hookimpl
def vestibule_access_control():
    return [Driver("leaky", LeakyDoors, Leaky, "Leaks")]


@hookimpl
def vestibule_notifiers():
    return [Driver("leaky", LeakyChannel, Leaky, "Leaks")]


@hookimpl
def vestibule_visitors():
    return [Driver("leaky", LeakyDesk, Leaky, "Leaks")]
