"""What changed in how somebody signs in, as their account's lines of the audit tell it: functions
of a database connection.

That the owner has seen it is a line of the audit as well, which says up to where.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, text

from hub.identity.accounts import Identity
from hub.storage import audit
from hub.storage.audit_tables import OF_SIGNING_IN, lines

SEEN = "account.changes_seen"
KEPT = 20  # on the page of one's account
_LOOKED_AT = 60


@dataclass(frozen=True, slots=True)
class Change:
    """One change: which line of the audit, when, by whom and what."""

    number: int
    time: str
    who: str
    act: str
    details: dict[str, Any]

    @property
    def by_nobody(self) -> bool:
        """Whether nobody was signed in who did it: by a link, or at the sign-in."""
        return self.who == audit.NOBODY


def changes_of(conn: Connection, user: str) -> list[Change]:
    """The last changes of how somebody signs in, the newest first."""
    return [each for each in _lines_of(conn, user) if each.act != SEEN][:KEPT]


def unseen(conn: Connection, who: Identity) -> list[Change]:
    """Those that somebody has not seen yet, the newest first. What they have done themselves in
    this session is no news there, but in their next: it may not have been they.
    """
    found = _lines_of(conn, who.name)
    upto = max((int(e.details.get("upto", 0)) for e in found if e.act == SEEN), default=0)
    fresh = (each for each in found if each.act != SEEN and each.number > upto)
    return [each for each in fresh if not _of_this_session(each, who)][:KEPT]


def _of_this_session(change: Change, who: Identity) -> bool:
    if who.way == "setup" and change.time <= who.opened:
        return True  # the link that they have come in by
    own = change.who == who.name and change.act != "factor.code_used"
    return own and change.time >= who.opened


def see(conn: Connection, user: str, upto: int, now: datetime) -> None:
    """Write down that somebody has seen what changed, up to a line that is theirs."""
    if any(each.number == upto for each in _lines_of(conn, user)):
        audit.note(conn, SEEN, user, now, user, upto=upto)


def _lines_of(conn: Connection, user: str) -> list[Change]:
    wanted = select(lines.c.number, lines.c.time, lines.c.who, lines.c.act, lines.c.details)
    own = wanted.where(lines.c.subject == audit.whole(user), text(OF_SIGNING_IN))
    rows = conn.execute(own.order_by(lines.c.number.desc()).limit(_LOOKED_AT))
    return [
        Change(int(row.number), str(row.time), str(row.who), str(row.act), json.loads(row.details))
        for row in rows
    ]
