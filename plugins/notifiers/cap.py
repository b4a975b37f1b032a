"""Alerts in the Common Alerting Protocol 1.2, posted to an address or laid into a folder."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import Literal

from pydantic import Field, model_validator

from hub import (
    Channel,
    Context,
    Driver,
    Duration,
    Notice,
    NotReady,
    Probed,
    Receipt,
    hookimpl,
)
from plugins.notifiers._cap_document import (
    Form,
    document,
    earlier,
    identifier,
    message_type,
)
from plugins.notifiers._kept import Kept
from plugins.notifiers._provider import Provider, secrets_in

TYPE = "application/cap+xml"
REMEMBERED = 1000  # notices that made no message


class CapConfig(Form):
    """What the documents say, and where they go: `url`, `folder` or both."""

    url: str | None = Field(
        None, pattern=r"^https?://[^\s]+$", repr=False, description="Where each is posted."
    )
    headers: dict[str, str] = Field(
        default_factory=dict, repr=False, description="Further headers, such as a token's."
    )
    folder: Path | None = Field(
        None, description="Where each is laid as a file; a plain name lies in the state folder."
    )
    keep: Duration = Field(
        2_592_000.0, ge=3600, description="After how long files in the folder are removed."
    )
    path: Literal["local", "lan", "wan"] = Field("wan", description="What must work for it.")

    @model_validator(mode="after")
    def _somewhere(self) -> CapConfig:
        if self.url is None and self.folder is None:
            raise ValueError("expected `url`, `folder` or both: it would go nowhere")
        return self


class Cap:
    """One document a notice: a new alert, an update of an earlier one, or its cancellation."""

    channel = Channel(path="wan", deduplicates=True)

    def __init__(self, config: CapConfig, context: Context) -> None:
        self.channel = Channel(path=config.path, deduplicates=True, public=config.scope == "public")
        self._config = config
        self._clock = context.clock
        self._folder = context.state / config.folder if config.folder is not None else None
        self._unsent = Kept(context.state / "unsent.json", REMEMBERED)
        self._provider: Provider | None = None
        if config.url is not None:
            self._provider = Provider(
                context,
                config.url,
                headers=config.headers,
                secrets=secrets_in(config.headers),
                hidden=True,
            )

    async def start(self) -> None:
        """Make the folder and open the connection pool; the address is reached at the first
        notice.
        """
        if self._folder is not None:
            try:
                await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
            except OSError as error:
                raise NotReady(f"cannot use {self._folder}: {error.strerror}") from error
        await self._unsent.load()
        if self._provider is not None:
            await self._provider.start()

    async def send(self, notice: Notice) -> Receipt:
        """Write and post the document; a 2xx is acceptance, another 4xx a refusal."""
        before = earlier(notice, [key for key, _ in self._unsent.items()])
        kind = message_type(notice, before)
        if self.channel.public and kind == "Alert" and notice.data.get("verdict") != "verified":
            return Receipt("failed", detail="nobody has verified this alert: it is not made public")
        if kind is None:
            await self._unsent.put(notice.key, True)  # so that no later message refers to it
            return Receipt("accepted", detail="no news of the alert for those who read CAP")
        made = document(notice, self._config, kind, before)
        name = identifier(notice.key)
        trouble = ""
        if self._folder is not None:
            try:
                await asyncio.to_thread(_lay, self._folder / f"{name}.xml", made)
            except OSError as error:
                trouble = f"cannot write to {self._folder}: {error.strerror}"
                if self._provider is None:
                    raise NotReady(trouble) from error
            else:
                await asyncio.to_thread(_tidy, self._folder, self._oldest())
        if self._provider is None:
            return Receipt("accepted", id=name, detail=f"{kind} laid into the folder")
        answer = await self._provider.call(
            "POST", "", data=made, headers={"Content-Type": f"{TYPE}; charset=utf-8"}
        )
        if not answer.taken:
            return Receipt("failed", detail=f"{kind}: {answer.refusal('see what it takes')}")
        told = f"{kind}: {answer.words}{f'; {trouble}' if trouble else ''}"
        return Receipt("accepted", id=name, detail=told)

    async def probe(self) -> Probed:
        """Whether the address is reached and the folder can be written; nothing is sent."""
        found: list[str] = []
        if self._folder is not None:
            try:
                await asyncio.to_thread(_try, self._folder)
            except OSError as error:
                raise NotReady(f"cannot write to {self._folder}: {error.strerror}") from error
            found.append(f"{self._folder} can be written")
        if self._provider is None:
            return Probed("; ".join(found))
        found.append(f"{self._provider.host} reached; nothing was posted")

        async def reached() -> Probed:
            return Probed("; ".join(found))

        return await self._provider.probe(reached)

    async def close(self) -> None:
        """Close the connection pool."""
        if self._provider is not None:
            await self._provider.close()

    def _oldest(self) -> float:
        return (self._clock.now() - timedelta(seconds=self._config.keep)).timestamp()


def _lay(file: Path, content: bytes) -> None:
    """Put a whole file into the folder, on the disk before it has its name."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    with part.open("wb") as written:
        written.write(content)
        written.flush()
        os.fsync(written.fileno())
    part.replace(file)


def _tidy(folder: Path, oldest: float) -> None:
    """Remove our own files that are older than this time, in Unix seconds. One that somebody
    collects meanwhile, or has made theirs, costs no message.
    """
    with contextlib.suppress(OSError):
        for file in folder.glob("vestibule-*.xml"):
            with contextlib.suppress(OSError):
                if file.stat().st_mtime < oldest:
                    file.unlink(missing_ok=True)


def _try(folder: Path) -> None:
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    with TemporaryFile(dir=there):
        pass


@hookimpl
def vestibule_notifiers() -> Iterable[Driver]:
    """Announce the driver."""
    return [Driver("cap", Cap, CapConfig, "Alerts in the Common Alerting Protocol 1.2 (CAP)")]
