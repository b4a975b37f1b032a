"""Links for responders: functions of a database connection.

A link shows one area, read-only and without sign-in, until its time is over or somebody ends it.
Its secret is in the address and is exchanged for one of the device that opens it, so that neither
lives in a page. Only digests are stored.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, func, insert, select, update

from hub.clock import iso
from hub.errors import Refused
from hub.events import new_id
from hub.identity.accounts import clean_name, digest
from hub.identity.lifetimes import good
from hub.phrases import phrase
from hub.storage import audit
from hub.storage.access_tables import guest_devices, guests
from hub.storage.audit_acts import Act

LASTS = timedelta(hours=4)
LONGEST = timedelta(hours=24)
MOST = 50
MOST_DEVICES = 5
_LONGEST_SECRET = 200


@dataclass(frozen=True, slots=True)
class Guest:
    """A link for guests. `incident` is empty where it is about none."""

    id: str
    name: str
    area: str
    incident: str
    cameras: tuple[str, ...]
    created: str
    created_by: str
    expires: str
    revoked: str
    revoked_by: str

    @property
    def by(self) -> str:
        """How records name whoever uses it."""
        return f"{self.name} (guest)"

    def open(self, now: datetime) -> bool:
        """Whether it still shows anything."""
        return not self.revoked and good(self.created, self.expires, now)


@dataclass(frozen=True, slots=True)
class OpenedOn:
    """A device on which a link was opened."""

    device: str
    address: str
    opened: str


def _guest(row: Row[tuple[str, ...]]) -> Guest:
    names = ("id", "name", "area", "incident", "created", "created_by", "expires")
    told = {name: str(getattr(row, name)) for name in (*names, "revoked", "revoked_by")}
    return Guest(cameras=tuple(json.loads(row.cameras)), **told)


def invite(
    conn: Connection,
    name: str,
    area: str,
    cameras: tuple[str, ...],
    incident: str,
    life: timedelta,
    by: str,
    now: datetime,
) -> tuple[Guest, str]:
    """Make a link; it and its secret, which is shown this once. Raises `Refused`."""
    clean = clean_name(name)
    if not timedelta(0) < life <= LONGEST:
        raise Refused(phrase("A link works for 24 hours at most."))
    still = (guests.c.revoked == "", guests.c.expires > iso(now))
    if conn.execute(select(func.count()).select_from(guests).where(*still)).scalar_one() >= MOST:
        raise Refused(phrase("There are %(most)s open links already. End some.", most=MOST))
    secret, id_ = secrets.token_urlsafe(32), new_id()[:12]
    conn.execute(
        insert(guests).values(
            id=id_,
            digest=digest(secret),
            name=clean,
            area=area,
            incident=incident,
            cameras=json.dumps(list(cameras)),
            created=iso(now),
            created_by=by,
            expires=iso(now + life),
        )
    )
    facts = {"area": area, "cameras": list(cameras), "incident": incident}
    told = {key: value for key, value in facts.items() if value}
    audit.note(conn, "guest.invited", clean, now, by, until=iso(now + life), **told)
    return get(conn, id_), secret


def get(conn: Connection, id_: str) -> Guest:
    """One link. Raises `KeyError`."""
    row = conn.execute(select(guests).where(guests.c.id == id_)).first()
    if row is None:
        raise KeyError(id_)
    return _guest(row)


def look_at(conn: Connection, secret: str, now: datetime) -> Guest:
    """The link of this secret, as it could be opened now; nothing is used up by that. Raises
    `KeyError` for a made-up one, `Refused` where it is over or was opened on as many devices as it
    may.
    """
    if not secret or len(secret) > _LONGEST_SECRET:
        raise KeyError("no link")
    row = conn.execute(select(guests).where(guests.c.digest == digest(secret))).first()
    if row is None:
        raise KeyError("no link")
    guest = _guest(row)
    if not guest.open(now):
        raise Refused(phrase("This link is over. Ask whoever gave it to you for a new one."))
    used = select(func.count()).select_from(guest_devices).where(guest_devices.c.guest == guest.id)
    if conn.execute(used).scalar_one() >= MOST_DEVICES:
        most = phrase(
            "This link was opened on %(most)s devices, which is as many as it may.",
            most=MOST_DEVICES,
        )
        raise Refused(most)
    return guest


def open_on(conn: Connection, secret: str, device: str, address: str, now: datetime) -> str:
    """Open a link on a device; the secret that its browser keeps. Raises as `look_at`."""
    guest = look_at(conn, secret, now)
    kept = secrets.token_urlsafe(32)
    conn.execute(
        insert(guest_devices).values(
            digest=digest(kept), guest=guest.id, device=device, address=address, opened=iso(now)
        )
    )
    audit.note(conn, "guest.opened", guest.name, now, guest.by, device=device)
    return kept


def identify(conn: Connection, kept: str, now: datetime) -> Guest | None:
    """Whose device this is; None for one whose link is over, and for a made-up one."""
    if not kept or len(kept) > _LONGEST_SECRET:
        return None
    row = conn.execute(
        select(guests)
        .join(guest_devices, guest_devices.c.guest == guests.c.id)
        .where(guest_devices.c.digest == digest(kept))
    ).first()
    guest = _guest(row) if row is not None else None
    return guest if guest is not None and guest.open(now) else None


def same_link(conn: Connection, kept: str, secret: str, now: datetime) -> bool:
    """Whether a device has opened this very link before, and may go on with it."""
    guest = identify(conn, kept, now)
    if guest is None or len(secret) > _LONGEST_SECRET:
        return False
    known = select(guests.c.id).where(guests.c.digest == digest(secret))
    return bool(conn.scalar(known) == guest.id)


def note_refusal(conn: Connection, secret: str, device: str, now: datetime) -> None:
    """Write down that a link was opened that is over, or used up."""
    known = select(guests.c.name).where(guests.c.digest == digest(secret))
    name = str(conn.scalar(known) or "")
    act = Act("guest.refused", f"{name} (guest)", name, "refused", {"device": device})
    audit.append(conn, act, now)


def revoke(conn: Connection, id_: str, by: str, now: datetime) -> Guest:
    """End a link, for good; twice is once. Raises `KeyError`."""
    guest = get(conn, id_)
    if guest.open(now):
        ended = {"revoked": iso(now), "revoked_by": by}
        conn.execute(update(guests).where(guests.c.id == id_).values(**ended))
        audit.note(conn, "guest.revoked", guest.name, now, by)
    return get(conn, id_)


def revoke_all_of(conn: Connection, maker: str, by: str, now: datetime) -> None:
    """End every link that somebody made."""
    for id_ in conn.scalars(select(guests.c.id).where(guests.c.created_by == maker)).all():
        revoke(conn, str(id_), by, now)


def every(conn: Connection, now: datetime) -> list[tuple[Guest, list[OpenedOn]]]:
    """The links that are open, and those of the last day, the newest first; each with the devices
    it was opened on.
    """
    lately = iso(now - LONGEST)
    rows = conn.execute(
        select(guests).where(guests.c.expires > lately).order_by(guests.c.created.desc())
    )
    found = [_guest(row) for row in rows]
    devices = conn.execute(
        select(guest_devices)
        .where(guest_devices.c.guest.in_([each.id for each in found]))
        .order_by(guest_devices.c.opened)
    ).all()
    return [
        (
            each,
            [OpenedOn(e.device, e.address, e.opened) for e in devices if e.guest == each.id],
        )
        for each in found
    ]
