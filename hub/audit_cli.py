"""`vestibule audit`: take the audit away, and say whether what was taken away is as it was."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli_exit import UNREADABLE, fail
from hub.cli_options import AsJson, State, state_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub.storage.audit_verify import Sound
    from hub.storage.folder import StateFolder

audit = typer.Typer(
    help="Who looked, took away, opened, decided and changed.", no_args_is_help=True
)

HEX_OF_A_KEY = 64


@audit.command("export")
def export(
    file: Annotated[
        Path | None, typer.Argument(help="Write to this new file; without one, to the terminal.")
    ] = None,
    who: Annotated[str, typer.Option(help="Only what this person did.")] = "",
    act: Annotated[str, typer.Option(help="Only this act, such as view.live.")] = "",
    day: Annotated[
        str, typer.Option(help="Only this day in UTC, as in 2026-03-02.", metavar="DAY")
    ] = "",
    state: State = None,
) -> None:
    """Write the audit as JSON Lines that anybody can verify, also while the hub runs."""
    from hub.audit_port import Asked, whole_day

    try:
        since, until = whole_day(day) if day else ("", "")
    except ValueError:
        raise fail(f"--day {day}: expected a day such as 2026-03-02", UNREADABLE) from None
    with _opened(file) as out:
        _write(_folder(state), Asked(who, act, since, until), out)


def _folder(state: Path | None) -> StateFolder:
    from hub.storage.folder import StateFolder

    folder = StateFolder(state_folder(state))
    if not folder.journal.is_file():
        raise fail(
            f"there is no journal in {folder.path}; name the hub's folder: --state", UNREADABLE
        )
    return folder


@contextmanager
def _opened(file: Path | None) -> Iterator[Any]:
    """Where the export goes; a file that is there already is left alone, half of one is not."""
    if file is None:
        yield sys.stdout
        return
    try:
        out = file.open("x", encoding="utf-8", newline="\n")
    except FileExistsError:
        raise fail(f"{file} is there already; name another file", UNREADABLE) from None
    except OSError as error:
        raise fail(f"cannot write {file}: {error.strerror}", UNREADABLE) from error
    try:
        with out:
            yield out
    except BaseException as error:
        file.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise fail(f"cannot write {file}: {error.strerror}", UNREADABLE) from error
        raise


def _write(folder: StateFolder, asked: Any, out: Any) -> None:
    from hub.clock import SystemClock
    from hub.origin import THIS_MACHINE, account_here, origin
    from hub.storage import audit_export as exports
    from hub.storage.audit_key import load_or_make
    from hub.storage.database import open_engine

    key, now = load_or_make(folder.path), SystemClock().now()
    engine = open_engine(folder.journal)
    try:
        with origin(account_here(), THIS_MACHINE), engine.begin() as connection:
            piece = exports.take_away(connection, asked, account_here(), key, now)
        out.write(exports.opening(piece))
        for after in piece.parts:
            with engine.connect() as connection:
                text = exports.part(connection, piece, asked, after)
            out.write(text)
        out.write(exports.closing(piece))
    finally:
        engine.dispose()


@audit.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(help="An export.")],
    key: Annotated[
        list[str] | None,
        typer.Option(help="A public key that you trust, or a file that holds it.", metavar="KEY"),
    ] = None,
    earlier: Annotated[
        Path | None, typer.Option(help="An export from before, which this one has to continue.")
    ] = None,
    json_: AsJson = False,
) -> None:
    """Say whether an export is as the hub wrote it, and if not, which line is the first."""
    from hub.storage.audit_verify import Broken

    trusted = [_key(each) for each in key or ()]
    found: dict[str, Any] = {"file": str(file), "sound": False, "problem": ""}
    try:
        before = None
        if earlier is not None:
            found["file"] = str(earlier)
            before = _verified(earlier, trusted).head
        found["file"] = str(file)
        sound = _verified(file, trusted, before)
    except OSError as error:
        raise fail(f"cannot read {error.filename}: {error.strerror}", UNREADABLE) from error
    except Broken as broken:
        found["problem"] = str(broken)
    else:
        found |= {"sound": True, "chain": sound.chain, "first": sound.first, "last": sound.last}
        found |= {"hidden": sound.hidden, "signed": sound.head["time"], "key": sound.head["key"]}
        found |= {"trusted": bool(trusted), "notes": sound.notes}
    if json_:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        for line in _told(found):  # a file must not paint the terminal
            print("".join(c if c.isprintable() else " " for c in line))
    raise typer.Exit(0 if found["sound"] else 1)


def _verified(file: Path, trusted: list[str], before: Any = None) -> Sound:
    """What an export holds; of a line without end no more is read than it takes to say so."""
    from hub.storage.audit_verify import LONGEST
    from hub.storage.audit_verify import verify as look

    with file.open("rb") as out:
        return look(iter(partial(out.readline, LONGEST + 1), b""), trusted, before)


def _key(given: str) -> str:
    """A public key in hexadecimal digits, from a file where one is named."""
    text = given
    if len(given) != HEX_OF_A_KEY:
        with suppress(OSError, ValueError):
            text = Path(given).read_text(encoding="utf-8", errors="replace")
    text = text.strip().lower()
    if len(text) != HEX_OF_A_KEY or not set(text) <= set("0123456789abcdef"):
        raise fail(
            f"--key {given[:80]}: expected {HEX_OF_A_KEY} hexadecimal digits, as the page Audit "
            "shows them, or a file that holds them",
            UNREADABLE,
        )
    return text


def _told(found: dict[str, Any]) -> list[str]:
    if not found["sound"]:
        return [f"{found['file']}: BROKEN: {found['problem']}."]
    said = [f"{found['file']}: sound, lines {found['first']} to {found['last']}."]
    if found["hidden"]:
        said.append(f"{found['hidden']} of them stand there as their hashes alone.")
    said.append(f"Signed {found['signed']} with the key {found['key']}.")
    if not found["trusted"]:
        said.append(
            "Whose key that is the file cannot prove: compare it with the one that the page Audit "
            "shows, or name it with --key."
        )
    return said + [f"Note: {note}." for note in found["notes"]]
