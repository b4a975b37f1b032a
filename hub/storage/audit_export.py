"""Lines of the audit as a file that anybody can verify: JSON Lines, each in canonical form.

The first names the chain and which lines follow; where those do not begin with the first of all,
the signature that they continue from comes next. The last is the signature over the end. A line
that was not asked for stands there as its hashes alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select, true

from hub.audit_port import Asked
from hub.storage import audit, audit_key
from hub.storage.audit_acts import Act
from hub.storage.audit_tables import heads, lines

FORMAT = 1
ALWAYS = "audit.key_made"
BATCH = 500


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the chain, from one signature (None for the beginning) to another."""

    chain: str
    begin: dict[str, Any] | None
    end: dict[str, Any]

    @property
    def first(self) -> int:
        """The number of its first line."""
        return int(self.begin["number"]) + 1 if self.begin else 1

    @property
    def parts(self) -> range:
        """After which lines its parts begin; see `part`."""
        return range(self.first - 1, int(self.end["number"]), BATCH)


def take_away(
    connection: Connection, asked: Asked, by: str, key: Ed25519PrivateKey, now: datetime
) -> Piece:
    """Write the line that says who takes lines away, sign the end, and say which piece it is."""
    audit_key.announce(connection, audit_key.public_of(key), now)
    audit.append(connection, Act("audit.exported", by, "audit", details=asked.filters), now)
    head = audit_key.sign_end(connection, key, now)
    assert head is not None
    return piece_for(connection, asked, head)


def piece_for(connection: Connection, asked: Asked, end: dict[str, Any]) -> Piece:
    """The shortest piece that holds the lines of the days asked for; `end` is the newest
    signature.
    """
    chain = audit.chain_of(connection)
    begin, last = None, end
    if asked.since or asked.until:
        within = Asked(since=asked.since, until=asked.until)
        found = connection.execute(
            select(func.min(lines.c.number), func.max(lines.c.number)).where(_wanted(within))
        ).one()
        if found[0] is not None:
            begin = _head(connection, chain, heads.c.number < found[0], heads.c.number.desc())
            last = _head(connection, chain, heads.c.number >= found[1], heads.c.number) or end
    return Piece(chain, begin, last)


def opening(piece: Piece) -> str:
    """How the file of a piece begins."""
    first = {"audit": FORMAT, "chain": piece.chain}
    text = _written(first | {"first": piece.first, "last": piece.end["number"]})
    return text + (_written({"head": piece.begin}) if piece.begin else "")


def part(connection: Connection, piece: Piece, asked: Asked, after: int) -> str:
    """The lines with the `BATCH` numbers after that one. What signs the chain is always shown."""
    end = int(piece.end["number"])
    last = min(after + BATCH, end)
    signed = {
        int(row.number): head_view(row, piece.chain)
        for row in connection.execute(
            select(heads).where(heads.c.number.between(after + 1, last), heads.c.number < end)
        )
    }
    shown = or_(_wanted(asked), lines.c.act == ALWAYS).label("shown")
    query = select(lines, shown).where(lines.c.number.between(after + 1, last))
    text = []
    for row in connection.execute(query.order_by(lines.c.number)):
        line = line_view(row, piece.chain)
        text.append(_written(line if row.shown else _hidden(line)))
        if row.number in signed:
            text.append(_written({"head": signed[row.number]}))
    return "".join(text)


def closing(piece: Piece) -> str:
    """How the file of a piece ends."""
    return _written({"head": piece.end})


def newest(connection: Connection, asked: Asked, before: int, limit: int) -> list[dict[str, Any]]:
    """Lines with a number below `before` (0 for the newest), newest first."""
    query = select(lines).where(_wanted(asked))
    if before:
        query = query.where(lines.c.number < before)
    rows = connection.execute(query.order_by(lines.c.number.desc()).limit(limit))
    chain = audit.chain_of(connection)
    return [line_view(row, chain) for row in rows]


def people(connection: Connection) -> list[str]:
    """Everybody whose acts there are."""
    return [str(each) for each in connection.scalars(select(lines.c.who).distinct())]


def newest_head(connection: Connection) -> dict[str, Any] | None:
    """The newest signature."""
    row = connection.execute(select(heads).order_by(heads.c.number.desc()).limit(1)).first()
    return None if row is None else head_view(row, audit.chain_of(connection))


def line_view(row: Row[Any], chain: str) -> dict[str, Any]:
    """A line as it is handed on."""
    names = ("number", "time", "who", "address", "act", "subject", "outcome", "previous", "hash")
    line = {name: getattr(row, name) for name in (*names, "event")}
    return line | {"chain": chain, "details": json.loads(row.details)}


def head_view(row: Row[Any], chain: str) -> dict[str, Any]:
    """A signature as it is handed on."""
    names = ("number", "hash", "time", "key", "signature")
    return {"chain": chain} | {name: getattr(row, name) for name in names}


def _wanted(asked: Asked) -> ColumnElement[bool]:
    """Whether a line is asked for."""
    said: list[ColumnElement[bool]] = []
    if asked.who:
        said.append(lines.c.who == audit.whole(asked.who))
    if asked.act:
        said.append(lines.c.act == asked.act)
    if asked.since:
        said.append(lines.c.time >= asked.since)
    if asked.until:
        said.append(lines.c.time < asked.until)
    return and_(true(), *said)


def _hidden(line: dict[str, Any]) -> dict[str, Any]:
    kept = {name: line[name] for name in ("number", "previous", "hash")}
    return kept | {"content": audit.content_of(line)}


def _head(connection: Connection, chain: str, where: Any, order: Any) -> dict[str, Any] | None:
    row = connection.execute(select(heads).where(where).order_by(order).limit(1)).first()
    return None if row is None else head_view(row, chain)


def _written(value: dict[str, Any]) -> str:
    return audit.canonical(value) + "\n"
