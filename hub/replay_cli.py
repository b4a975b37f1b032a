"""`vestibule replay`: rules over the recorded journal, what would have fired beside what did."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from hub.cli_exit import UNREADABLE, USAGE, fail
from hub.cli_options import State, state_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.check import Examined
    from hub.config import Config
    from hub.safety.rules.replay import Firing, Replayed
    from hub.storage.folder import StateFolder

SHOWN = 200
MOMENTS = "7d or 12h ago, a date such as 2026-03-02, or 2026-03-02T08:15"


def replay(
    config: Annotated[
        Path | None, typer.Argument(help="The YAML file; without one, what ran last.")
    ] = None,
    since: Annotated[str, typer.Option(help="From when: 7d ago, or a date and time.")] = "7d",
    until: Annotated[str, typer.Option(help="Until when; now, where it is left out.")] = "",
    rules: Annotated[
        Path | None, typer.Option(help="Try the rules of this file instead.", metavar="FILE")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    state: State = None,
) -> None:
    """Run rules over the recorded journal: what would have fired, beside what did."""
    from time import perf_counter

    from hub.errors import CannotCheck, StateError
    from hub.safety.rules.replay import as_json
    from hub.storage.folder import StateFolder

    folder = StateFolder(state_folder(state, beside=config))
    try:
        examined = _examined(config, rules, folder)
    except (CannotCheck, StateError) as error:
        raise fail(str(error), UNREADABLE) from None
    if examined.config is None:
        _say(str(problem) for problem in examined.problems)
        raise typer.Exit(1)
    now = datetime.now(UTC)
    zone = ZoneInfo(examined.config.hub.timezone)
    try:
        begin = _moment(since, now, zone)
        end = _moment(until, now, zone) if until else now
    except ValueError as error:
        raise fail(str(error), USAGE) from None
    if begin >= end:
        raise fail(f"--since {since} is not before --until {until or 'now'}", USAGE)
    began = perf_counter()
    try:
        found = _replayed(examined.config, folder.journal, begin, end)
    except StateError as error:
        raise fail(str(error), UNREADABLE) from None
    seconds = perf_counter() - began
    if json_:
        _say([as_json(found, examined.config.rules, seconds)])
    else:
        _say(_lines(found, examined.config, zone, seconds))


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")


def _examined(config: Path | None, rules: Path | None, folder: StateFolder) -> Examined:
    """The configuration that is named, or the one that ran last, with the rules to try."""
    from hub.check import examine
    from hub.errors import StateError
    from hub.kept import KeptConfigs

    if config is not None:
        return examine(config, spare=True, models=folder.models, draft=rules)
    kept = KeptConfigs(folder.configs).every()
    if not kept:
        raise StateError(
            f"no hub has run with the state folder {folder.path}; name the YAML file, or its "
            "state folder with --state"
        )
    beside = Path(kept[0].source).parent
    return examine(kept[0].main, folder=beside, spare=True, models=folder.models, draft=rules)


def _moment(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """A moment as people write it. Raises `ValueError`."""
    from hub.units import parse_duration

    try:
        return now - timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"cannot tell when {text!r} is; expected {MOMENTS}") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def _replayed(config: Config, journal: Path, since: datetime, until: datetime) -> Replayed:
    from sqlalchemy.exc import DBAPIError

    from hub.errors import StateError
    from hub.safety.rules.replay import Replay
    from hub.storage.database import open_readers, state_error
    from hub.storage.schema import refuse_newer

    if not journal.is_file():
        raise StateError(
            f"there is no journal {journal}; expected the folder of a hub that has run"
        )
    engine = open_readers(journal, 1)
    try:
        with engine.begin() as connection:
            found = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            refuse_newer(journal, int(found))
            if not int(found):
                raise StateError(f"{journal} is no journal; expected the one of a hub that has run")
            with _bar() as step:
                return Replay(config, since, until).run(connection, step)
    except DBAPIError as error:
        trouble = state_error(error, journal)
        raise (trouble or StateError(f"cannot read the journal {journal}: {error.orig}")) from error
    finally:
        engine.dispose()


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    errors = Console(stderr=True)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task("Replaying", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _lines(found: Replayed, config: Config, zone: ZoneInfo, seconds: float) -> list[str]:
    """What was found, for people."""
    counts = found.counts(config.rules)
    wide = max([4, *(len(name) for name in counts)])
    lines = [
        f"{found.events} events from {_when(found.since, zone)} to {_when(found.until, zone)}, "
        f"in {seconds:.1f} s",
        "",
        f"{'rule':<{wide}}  {'fired':>7}  {'would':>7}  {'both':>7}  {'kept back':>9}",
    ]
    for name, row in counts.items():
        lines.append(
            f"{name:<{wide}}  {row['did']:>7}  {row['would']:>7}  {row['both']:>7}  "
            f"{row['kept_back']:>9}"
        )
    differ = [firing for firing in found.firings if firing.did != firing.would]
    if not found.firings:
        return [*lines, "", "Nothing fired, and nothing would have."]
    if not differ:
        return [*lines, "", "What fired is what would have."]
    lines += ["", "+ would have fired and did not, - fired and would not have:"]
    lines += [_line(firing, zone) for firing in differ[:SHOWN]]
    if len(differ) > SHOWN:
        lines.append(f"and {len(differ) - SHOWN} more; --json has all")
    if found.forgotten:
        lines.append(f"{found.forgotten} things were forgotten because there were too many at once")
    return lines


def _line(firing: Firing, zone: ZoneInfo) -> str:
    sign = "+" if firing.would else "-"
    what = f"{firing.rule}, {firing.about}" if firing.about else firing.rule
    return f"{sign} {_when(firing.time, zone)}  {what}: {'; '.join(firing.matched)}"


def _when(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"
