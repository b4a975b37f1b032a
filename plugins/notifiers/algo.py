"""Algo's IP speakers and strobes: sounding, and falling silent again.

A device answers whether it took a command; what it plays or flashes its API does not tell, so that
nobody can read it back. What was started is kept in the state folder before the device is asked,
so that it is cleared also after a crash or restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from hub import (
    Block,
    Channel,
    Context,
    Driver,
    Duration,
    Names,
    Notice,
    NotReady,
    Probed,
    Receipt,
    duration_words,
    hookimpl,
)
from plugins.notifiers._algo_api import AlgoApi, ClockIsOff
from plugins.notifiers._kept import Kept
from plugins.notifiers._provider import RefusedByProvider, over, shaped
from plugins.notifiers._reach import reach, refused_certificate, trusted
from plugins.notifiers._wording import one_line

Colour = Literal["red", "blue", "green", "amber"]
Tone = Annotated[str, shaped(r"[\w .()-]{1,120}", "the name of a file on the device")]
Device = Annotated[
    str, shaped(r"https?://[^\s/@]+/?", "http:// or https:// and the device, without a path")
]
SOUNDS = "sounds"  # under which name it is kept
REMEMBERED = 32
FIRST_RETRY_S, LONGEST_RETRY_S = 1.0, 30.0


class Strobe(Block):
    """How it flashes; which numbers a model takes stands in its manual."""

    pattern: int = Field(13, ge=0, le=15, description="The number of the pattern.")
    colour: Colour = Field("red", description="Its colour, where the model has several.")
    second_colour: Colour | None = Field(None, description="Of patterns with two colours.")
    brightness: int = Field(
        255, ge=0, le=255, description="0, 56 or 255; on the 8190S it is 1, 2 or 3."
    )


class Signal(Block):
    """What is started: a tone, a strobe, or both."""

    tone: Tone | None = Field(None, description="A file on the device, such as `warble1-low.wav`.")
    strobe: Strobe | None = Field(None, description="How it flashes, where it has a strobe.")


class AlgoConfig(Signal):
    """Which device, and what it starts when a person has verified an alert."""

    url: Device = Field(description="The device, such as `https://192.0.2.40`.")
    password: str = Field(
        min_length=1,
        repr=False,
        description="That of its RESTful API; best as `!secret NAME`.",
    )
    authentication: Literal["standard", "basic"] = Field(
        "standard",
        description="As on the device; `standard` signs each request, `basic` only over https.",
    )
    ca_file: Annotated[Path, Names("file")] | None = Field(
        None, description="Whom to trust, where the device's certificate is not publicly signed."
    )
    sound_for: Duration = Field(
        120.0, gt=0, le=14_400, description="After how long it is cleared if nobody does so before."
    )
    drill: Signal = Field(
        default=Signal(tone=None, strobe=None),
        description="What a drill starts; nothing where it is left out.",
    )

    @model_validator(mode="after")
    def _whole(self) -> AlgoConfig:
        if self.tone is None and self.strobe is None:
            raise ValueError("expected `tone`, `strobe` or both: it would start nothing")
        if self.authentication == "basic" and not self.url.startswith("https:"):
            raise ValueError("expected an https:// address: `basic` sends the password readable")
        return self


class Algo:
    """Sounds when a person has verified an alert, clears when it is over. That somebody works on it
    silences nothing: those who hear it still have to know.
    """

    channel = Channel(path="lan", deduplicates=True, public=True)

    def __init__(self, config: AlgoConfig, context: Context) -> None:
        self._config = config
        self._context = context
        self._clock = context.clock
        self._api = AlgoApi(
            context, config.url, config.password, signed=config.authentication == "standard"
        )
        self._kept = Kept(context.state / "algo.json", 1)
        self._turn = asyncio.Lock()
        self._ending: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Ask the device for its status, which tries password and clock too.

        What sounds since before a restart sounds on until its time is over. Raises `NotReady`.
        """
        await self.close()
        await self._api.open(await self._trust())
        await self._kept.load()
        try:
            await self._api.status()
        except RefusedByProvider as error:
            raise NotReady(f"{self._api.host}: {error}") from error
        if self._sounds() is not None:
            self._end_in_time()

    async def send(self, notice: Notice) -> Receipt:
        """Start, clear, or leave it: what a person decided."""
        if notice.about == "alert" and notice.data.get("verdict") != "verified":
            return Receipt("failed", detail="nobody has verified this alert: it stays silent")
        await self._kept.load()  # the first notice after a restart may come before the start
        try:
            async with self._turn:
                if over(notice):
                    return await self._clear_for(notice)
                if notice.data.get("verdict") == "verified" and notice.about in _STARTING:
                    return await self._start_for(notice)
        except RefusedByProvider as error:
            return Receipt("failed", detail=f"{self._api.host}: {error}")
        return Receipt("delivered", id=notice.key, detail="left as it is")

    async def probe(self) -> Probed:
        """Read the device's status; nothing sounds or flashes."""
        trust = await self._trust()
        await self._api.open(trust)
        try:
            await reach(self._config.url, trust)
            found = await self._api.status()
        except ClockIsOff as error:
            return Probed(str(error), "give both a time server", works=False)
        except RefusedByProvider as error:
            return Probed(f"{self._api.host}: {error}", "see the device's page", works=False)
        except ssl.SSLError as error:
            wrong = refused_certificate(self._api.host, error)
            assert wrong is not None
            return wrong
        if found is None:
            what = f"{self._api.host} is reached, but has no status page"
            return Probed(what, "check that its RESTful API is on and its firmware 5.4 or later")
        name = one_line(str(found.get("Device Name", "")))[:60]
        clock = ", its clock agrees" if self._config.authentication == "standard" else ""
        told = f"{self._api.host} lets us in{f' as {name}' if name else ''}{clock}; nothing sounded"
        return Probed(told)

    async def close(self) -> None:
        """Let go of the connections. What sounds goes on: a restart must not silence it."""
        await self._stop_ending()
        await self._api.close()

    async def _start_for(self, notice: Notice) -> Receipt:
        wanted = self._config.drill if notice.drill else self._config
        parts = _starts(wanted)
        if not parts:
            return Receipt("delivered", id=notice.key, detail="a drill starts nothing here")
        now = self._sounds() or {"alerts": [], "keys": []}
        if notice.key in now["keys"]:
            return Receipt("delivered", id=notice.key, detail="it was started before")
        until = self._clock.now() + timedelta(seconds=self._config.sound_for)
        now |= {"until": until.timestamp(), "stops": _stops(wanted, now.get("stops", {}))}
        now["alerts"] = list(dict.fromkeys([*now["alerts"], notice.alert]))[-REMEMBERED:]
        await self._kept.put(SOUNDS, now)  # before it sounds: a crash in between is cleared too
        self._end_in_time()
        done = await self._ask(parts, "started")
        now["keys"] = [*now["keys"], notice.key][-REMEMBERED:]
        await self._kept.put(SOUNDS, now)
        told = f"{done} started for {duration_words(self._config.sound_for)}"
        return Receipt("delivered", id=notice.key, detail=await self._told(told))

    async def _clear_for(self, notice: Notice) -> Receipt:
        now = self._sounds()
        if now is None:
            # What others sound, such as the bell or a console's alarm, is not ours to stop.
            return Receipt("delivered", id=notice.key, detail="nothing of ours sounds")
        left = [alert for alert in now["alerts"] if alert != notice.alert]
        if left:
            await self._kept.put(SOUNDS, {**now, "alerts": left})
            return Receipt("delivered", id=notice.key, detail="it sounds for another alert")
        cleared = await self._clear(now)
        return Receipt("delivered", id=notice.key, detail=await self._told(f"{cleared} cleared"))

    async def _clear(self, now: dict[str, Any]) -> str:
        """Stop whatever was started; the device must take each part."""
        done = await self._ask(now["stops"], "cleared")
        await self._kept.drop(SOUNDS)
        if asyncio.current_task() is not self._ending:
            await self._stop_ending()
        return done

    async def _ask(self, parts: Mapping[str, Mapping[str, Any]], what: str) -> str:
        """Ask for each part by its address; says which. One that is refused costs the others
        nothing, and is raised once all have been asked for.
        """
        done: list[str] = []
        refused: dict[str, str] = {}
        for path, fields in parts.items():
            part = path.split("/")[-2]
            try:
                await self._api.post(path, fields)
                done.append(part)
            except RefusedByProvider as error:
                refused[part] = str(error)
        if refused:
            rest = f" ({', '.join(done)} {what})" if done else ""
            said = (f"the {part} was refused{rest}: {why}" for part, why in refused.items())
            raise RefusedByProvider("; ".join(said))
        return " and ".join(done)

    async def _told(self, told: str) -> str:
        """What was done, with what the device's status page says it is doing, where it says so."""
        with contextlib.suppress(NotReady, RefusedByProvider):
            action = (await self._api.status() or {}).get("Current Action")
            if isinstance(action, str) and action.strip():
                told += f"; the device says: {one_line(action)[:80]}"
        return f"{told}; {self._kept.trouble}" if self._kept.trouble else told

    def _sounds(self) -> dict[str, Any] | None:
        """What was started and not cleared, as far as it can be read."""
        found = self._kept.get(SOUNDS)
        whole = isinstance(found, dict) and {"alerts", "keys", "until", "stops"} <= found.keys()
        return {**found} if whole else None

    def _end_in_time(self) -> None:
        if self._ending is None or self._ending.done():
            name = f"{self._context.name} clears in time"
            self._ending = asyncio.create_task(self._clear_when_over(), name=name)

    async def _clear_when_over(self) -> None:
        """Wait until the time is over, then clear, again and again until the device has."""
        pause, waited = FIRST_RETRY_S, None
        while (now := self._sounds()) is not None:
            left = now["until"] - self._clock.now().timestamp()
            if left > 0 and waited != now["until"]:  # once: a clock set back sounds no longer
                await self._clock.sleep(min(left, self._config.sound_for))
                waited = now["until"]
                continue
            try:
                async with self._turn:
                    if self._sounds() == now:
                        await self._clear(now)
            except (NotReady, RefusedByProvider):
                await self._clock.sleep(pause)
                pause = min(pause * 2, LONGEST_RETRY_S)

    async def _stop_ending(self) -> None:
        ending, self._ending = self._ending, None
        if ending is not None:
            ending.cancel()
            await asyncio.gather(ending, return_exceptions=True)

    async def _trust(self) -> ssl.SSLContext | None:
        name = self._config.ca_file
        return await trusted(self._context, name) if name is not None else None


_STARTING = ("alert", "verdict")


def _starts(signal: Signal) -> dict[str, dict[str, Any]]:
    """What to ask for: the fields of each part by its address."""
    parts: dict[str, dict[str, Any]] = {}
    if signal.tone is not None:
        parts["/api/controls/tone/start"] = {"path": signal.tone, "loop": True}
    if (strobe := signal.strobe) is not None:
        fields = {"pattern": strobe.pattern, "color1": strobe.colour}
        fields |= {"color2": strobe.second_colour} if strobe.second_colour else {}
        fields |= {"ledlvl": strobe.brightness}
        parts["/api/controls/strobe/start"] = fields
    return parts


def _stops(signal: Signal, others: dict[str, Any]) -> dict[str, Any]:
    """What stops it and all else that was started; firmware up to 5.4 wants the tone's name."""
    stops = dict(others)
    if signal.tone is not None:
        stops["/api/controls/tone/stop"] = {"path": signal.tone}
    if signal.strobe is not None:
        stops["/api/controls/strobe/stop"] = {}
    return stops


@hookimpl
def vestibule_notifiers() -> Iterable[Driver]:
    """Announce the driver."""
    return [Driver("algo", Algo, AlgoConfig, "Algo speakers and strobes: start, and clear again")]
