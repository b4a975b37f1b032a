"""Notices as one line each on the hub's own standard output."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pydantic import Field

from hub import Block, Channel, Context, Driver, Notice, Receipt, Severity, hookimpl
from plugins.notifiers._wording import headline, one_line, where

if TYPE_CHECKING:
    from rich.console import Console

STYLES: dict[Severity, str] = {
    "severe": "bold white on red",
    "high": "bold red",
    "check": "yellow",
    "note": "dim",
}


class ConsoleConfig(Block):
    """Whether to use colour; on a terminal only, either way."""

    colour: bool = Field(True, description="Use colour, on a terminal.")


class ConsoleLine:
    """Prints; whoever watches the terminal or the service's log is told."""

    channel = Channel(path="local")

    def __init__(self, config: ConsoleConfig, context: Context) -> None:
        self._config = config
        self._zone = ZoneInfo(context.timezone)
        self._console: Console | None = None

    async def start(self) -> None:
        """Find out what kind of output this is."""
        from rich.console import Console

        self._console = Console(
            highlight=False, markup=False, emoji=False, no_color=not self._config.colour
        )

    async def send(self, notice: Notice) -> Receipt:
        """Print one line."""
        if self._console is None:
            await self.start()
        assert self._console is not None
        style = STYLES[notice.severity] if self._config.colour else None
        self._console.print(line(notice, self._zone), style=style, soft_wrap=True)
        return Receipt("delivered", detail="printed")

    async def probe(self) -> str:
        """There is nothing to reach: the hub's own output is always there."""
        return "prints on the hub's own output"

    async def close(self) -> None:
        """Nothing to let go of."""


def line(notice: Notice, zone: ZoneInfo) -> str:
    """The notice in one line: when, how grave, what, where, for whom."""
    names = ", ".join(recipient.name for recipient in notice.to)
    title = headline(notice, deduplicates=False)
    parts = (title, where(notice), notice.text, names and f"for {names}", notice.link)
    said = " · ".join(one_line(part) for part in parts if part.strip())
    return f"{notice.time.astimezone(zone):%H:%M:%S} {notice.severity.upper()} {said}"


@hookimpl
def vestibule_notifiers() -> Iterable[Driver]:
    """Announce the driver."""
    return [Driver("console", ConsoleLine, ConsoleConfig, "One line on the hub's standard output")]
