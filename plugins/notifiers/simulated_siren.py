"""A simulated siren and strobe: on, off and until when, in a file; it makes no sound."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import Field

from hub import (
    Block,
    Channel,
    Context,
    Driver,
    Duration,
    Notice,
    NotReady,
    Receipt,
    duration_words,
    hookimpl,
    iso,
)
from plugins.notifiers._wording import headline


class SirenConfig(Block):
    """How long it sounds."""

    renamed = MappingProxyType({"sound_for_s": "sound_for"})

    sound_for: Duration = Field(120.0, gt=0, le=3600, description="How long it sounds.")


class SimulatedSiren:
    """Sounds when a person has verified an alert, stops when one dismisses or resolves it.

    Any other notice leaves it as it is: a siren never sounds on a detector's word. What it would do
    stands in `siren.json`.
    The file says `simulated` (always true), `on`, `strobe`, `since`, `until`, `why`, `key`, `alert`
    and `drill`. Whoever reads it compares `until` with the clock.
    """

    channel = Channel(path="local", deduplicates=True, public=True)

    def __init__(self, config: SirenConfig, context: Context) -> None:
        self.file: Path = context.state / "siren.json"
        self._config = config
        self._clock = context.clock
        self._last_key = ""
        self._sounds_for: str | None = None
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Fall silent; a restart does not resume a sound nobody asked for again."""
        await self._show({"on": False, "why": "", "key": ""})

    async def send(self, notice: Notice) -> Receipt:
        """Sound, stop, or leave it: what the person's verdict says."""
        verdict = notice.data.get("verdict")
        if notice.about == "alert" and verdict != "verified":
            return Receipt("failed", detail="simulated siren: nobody has verified this alert")
        if verdict not in ("verified", "dismissed", "resolved"):
            return Receipt("delivered", id=notice.key, detail="simulated siren: left as it is")
        async with self._turn:
            return await self._switch(notice, on=verdict == "verified")

    async def probe(self) -> str:
        """There is nothing to reach, and nothing sounds."""
        return f"simulated: makes no sound, says what it would do in {self.file}"

    async def close(self) -> None:
        """Fall silent."""
        if self._last_key:
            await self._show({"on": False, "why": "", "key": ""})

    async def _switch(self, notice: Notice, *, on: bool) -> Receipt:
        if notice.key == self._last_key:
            return Receipt("delivered", id=notice.key, detail="simulated siren: already done")
        if not on and self._sounds_for not in (None, notice.alert):
            detail = "simulated siren: it sounds for another alert"
            return Receipt("delivered", id=notice.key, detail=detail)
        now = self._clock.now()
        until = now + timedelta(seconds=self._config.sound_for if on else 0)
        await self._show(
            {
                "on": on,
                "since": iso(now),
                "until": iso(until),
                "why": headline(notice),
                "key": notice.key,
                "alert": notice.alert,
                "drill": notice.drill,
            }
        )
        self._last_key = notice.key
        self._sounds_for = notice.alert if on else None
        sounds = f"sound for {duration_words(self._config.sound_for)}" if on else "are silent"
        return Receipt("delivered", id=notice.key, detail=f"simulated siren and strobe {sounds}")

    async def _show(self, state: dict[str, Any]) -> None:
        whole = {"simulated": True, "strobe": state["on"], **state}
        try:
            await asyncio.to_thread(_replace, self.file, json.dumps(whole, indent=1))
        except OSError as error:
            raise NotReady(f"cannot write {self.file}: {error.strerror}") from error


def _replace(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(file)


@hookimpl
def vestibule_notifiers() -> Iterable[Driver]:
    """Announce the driver."""
    summary = "A simulated siren and strobe: shows what it would do, makes no sound"
    return [Driver("simulated_siren", SimulatedSiren, SirenConfig, summary)]
