"""The audit's chain: each line holds the hash of the one before it.

A line's `content` is the SHA-256 of what it says, its `hash` the SHA-256 of that together with its
number and the hash before. So a line may be left out of what is handed on, its content's hash in
its place, and the chain still closes. What is hashed is canonical JSON in the manner of RFC 8785:
keys sorted, no spaces, UTF-8, no fractions; all text is in Unicode's form NFC.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from hub.clock import iso
from hub.events import Event, new_id
from hub.origin import THIS_MACHINE, present_origin
from hub.storage.audit_acts import Act, act_of, plain

NOTHING = "0" * 64
CHAIN = "audit.chain"
NOBODY = "nobody signed in"
SAYS = ("chain", "time", "who", "address", "act", "subject", "outcome", "details", "event")

_LAST = "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1"
_CHAIN = "SELECT value FROM meta WHERE key = ?"
_ADD = (
    "INSERT INTO audit (number, time, who, address, act, subject, outcome, details, previous, "
    "hash, event) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))

log = structlog.get_logger(__name__)


def canonical(value: Mapping[str, Any]) -> str:
    """A JSON object in its one form. It holds no fractions (`hub.storage.audit_acts.plain`)."""
    return _JSON.encode(value)


def sha256(text: str) -> str:
    """64 hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def content_of(line: Mapping[str, Any]) -> str:
    """The hash of what a line says."""
    return sha256(canonical({key: line[key] for key in SAYS}))


def hash_of(number: int, previous: str, content: str) -> str:
    """The hash of a line in its place."""
    return sha256(canonical({"content": content, "number": number, "previous": previous}))


def whole(text: str) -> str:
    """Text as the chain keeps it: form NFC, half characters replaced."""
    return unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode())


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, dict):
        return {whole(key): _whole(each) for key, each in value.items()}
    return [_whole(each) for each in value] if isinstance(value, list) else value


def append(connection: Connection, act: Act, now: datetime, address: str | None = None) -> int:
    """Add a line to the chain; returns its number. `address` is where the request comes from, that
    of the present one without.
    """
    if address is None:
        address = _address(act.who)
    raw = _bare(connection)
    try:
        last = raw.execute(_LAST).fetchone() or (0, NOTHING)
        number, previous = int(last[0]) + 1, str(last[1])
        details = _whole(plain({**_under(act.who), **(act.details or {})}))
        line = {
            "chain": _chain(raw),
            "time": iso(now),
            "who": whole(act.who),
            "address": whole(address),
            "act": act.act,
            "subject": whole(act.subject),
            "outcome": act.outcome,
            "details": details,
            "event": whole(act.event),
        }
        hash_ = hash_of(number, previous, content_of(line))
        values = (*(line[key] for key in SAYS[1:7]), canonical(details), previous, hash_)
        raw.execute(_ADD, (number, *values, line["event"]))
    except sqlite3.Error as error:
        raise DBAPIError("a line of the audit", None, error) from error
    return number


def note(
    connection: Connection, act: str, subject: str, now: datetime, who: str = "", **details: Any
) -> None:
    """Add the line of something that is no event; without `who`, whoever asks at present did it."""
    here = present_origin()
    doer = who or (here.by or NOBODY if here is not None else "hub")
    append(connection, Act(act, doer, subject, details=details), now)


def _bare(connection: Connection) -> sqlite3.Connection:
    """The connection beneath: an act must not wait for what a query costs above it."""
    found = connection.connection.dbapi_connection
    assert isinstance(found, sqlite3.Connection)
    return found


def _address(who: str) -> str:
    """Where the present request comes from, if it is theirs who act."""
    if who.endswith(THIS_MACHINE):
        return THIS_MACHINE
    here = present_origin()
    return here.address if here is not None and here.by in ("", who) else ""


def _under(who: str) -> dict[str, str]:
    """What their request adds to an act: that they have broken the glass, and the reason that was
    asked of them.
    """
    here = present_origin()
    if here is None or here.by != who:
        return {}
    return {key: said for key, said in (("glass", here.glass), ("reason", here.reason)) if said}


def chain_of(connection: Connection) -> str:
    """What the hub calls its chain: no two hubs have the same. Made with the first line, empty
    before.
    """
    return str(connection.exec_driver_sql(_CHAIN, (CHAIN,)).scalar() or "")


def _chain(raw: sqlite3.Connection) -> str:
    known = raw.execute(_CHAIN, (CHAIN,)).fetchone()
    if known is not None:
        return str(known[0])
    made = new_id()
    raw.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (CHAIN, made))
    return made


def tell_of(connection: Connection, event: Event, now: datetime) -> None:
    """Add the line of an event, if it is an act. What people's safety needs is never held up: where
    a line cannot be written the event stays, and gets its line later (`hub.storage.audit_owed`).
    """
    act = act_of(event)
    if act is None:
        return
    try:
        append(connection, act, now)
    except Exception as error:
        if not _bare(connection).in_transaction:
            raise  # the disk has ended the whole transaction, of which the journal tells
        log.error("a line of the audit was not written", act=act.act, reason=str(error))
