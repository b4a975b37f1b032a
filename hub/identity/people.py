"""Accounts in the hands of whoever manages them: functions of a database connection.

Nobody gives more than they have, nor reaches into an account that may more than they; and somebody
who can give everything is always left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select, update

from hub.clock import iso
from hub.errors import Refused
from hub.identity import accounts, guests, setup_links
from hub.identity.accounts import Identity, Roles
from hub.identity.factors import Factors, factors_of, forget_factors
from hub.identity.permissions import PERMISSIONS, RoleSettings, may
from hub.phrases import phrase
from hub.storage import audit
from hub.storage.identity_tables import sessions, tokens, users

ID_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Hand:
    """Whoever acts on accounts: what they may, during which hours, and what in an emergency."""

    name: str
    may: frozenset[str]
    hours: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """An account, as whoever manages it sees it. `ready` is false until a password is chosen."""

    id: str
    name: str
    role: str
    created: str
    locked: str
    outside: bool
    ready: bool
    factors: Factors
    sessions: int
    last_used: str


def hand_of(who: Identity, roles: Mapping[str, RoleSettings]) -> Hand:
    """The hand of whoever sends a request."""
    held = permissions_of(who.role, roles)
    settings = roles.get(who.role)
    held = held & who.scopes if who.scopes else held
    person = who.name if who.kind == "session" else ""
    return Hand(person, held, settings.hours if settings is not None else None)


def permissions_of(role: str, roles: Roles) -> frozenset[str]:
    """All that a role may."""
    return frozenset(each for each in PERMISSIONS if may(role, each, roles))


def can_give(hand: Hand, role: str, roles: Roles, scopes: frozenset[str] = frozenset()) -> bool:
    """Whether a role, narrowed to these scopes, is no more than the hand has."""
    settings = roles.get(role) if roles else None
    given = permissions_of(role, roles) | frozenset(settings.break_glass if settings else ())
    given = given & scopes if scopes else given
    same_hours = hand.hours is None or (settings is not None and settings.hours == hand.hours)
    return given <= hand.may and same_hours


def id_of(name: str) -> str:
    """What addresses call an account: a name may hold anything."""
    return accounts.digest(name)[:ID_LENGTH]


def every(conn: Connection, now: datetime) -> list[Account]:
    """Every account by name; those that are locked out last."""
    rows = conn.execute(select(users).order_by(users.c.locked != "", users.c.name)).all()
    return [_account(conn, row, now) for row in rows]


def _account(conn: Connection, row: Any, now: datetime) -> Account:
    own = sessions.c.user == row.name
    running = (own, sessions.c.revoked.is_(None), sessions.c.expires > iso(now))
    count = conn.scalar(select(func.count()).where(*running))
    last = conn.scalar(select(func.max(sessions.c.last_used)).where(own))
    return Account(
        id=id_of(row.name),
        name=str(row.name),
        role=str(row.role),
        created=str(row.created),
        locked=str(row.locked),
        outside=bool(row.issuer),
        ready=bool(row.password_hash) or bool(row.issuer),
        factors=factors_of(conn, str(row.name)),
        sessions=int(count or 0),
        last_used=str(last or ""),
    )


def name_of(conn: Connection, id_: str) -> str:
    """Whose account that is. Raises `KeyError`."""
    for name in conn.execute(select(users.c.name)).scalars():
        if id_of(name) == id_:
            return str(name)
    raise KeyError(id_)


def told(account: Account) -> dict[str, Any]:
    """An account as programs read it."""
    said = asdict(account)
    factors = said.pop("factors")
    return {**said, **factors, "authenticator": bool(factors["authenticator"])}


# ------------------------------------------------------------------------------------- acts


def add(conn: Connection, hand: Hand, name: str, role: str, now: datetime, roles: Roles) -> str:
    """Add somebody without a password, and make the link behind which they choose one; returns its
    secret. Raises `Refused`.
    """
    _refuse_more(hand, role, roles)
    if (known := accounts.same_name(conn, accounts.clean_name(name))) is not None:
        raise Refused(phrase("There is already an account called %(name)s.", name=known))
    made = accounts.add_user_with_hash(conn, name, role, "", roles=roles, now=now)
    return _link(conn, hand, made, now)


def link(conn: Connection, hand: Hand, id_: str, now: datetime, roles: Roles) -> str:
    """A link behind which somebody chooses another password; the old one works until then."""
    row = _touch(conn, hand, id_, roles)
    if row.issuer:
        raise Refused(phrase("Their password is looked after by the school's own sign-in."))
    if row.locked:
        raise Refused(phrase("This account is locked out. Let it in again first."))
    return _link(conn, hand, str(row.name), now)


def _link(conn: Connection, hand: Hand, name: str, now: datetime) -> str:
    life = setup_links.FOR_PEOPLE
    return setup_links.create_setup_link(conn, now, life, user=name, by=hand.name)


def give_role(
    conn: Connection, hand: Hand, id_: str, role: str, now: datetime, roles: Roles
) -> None:
    """Give somebody another role; they sign in anew. A link made while they might less is over:
    whoever made it may not do so for what they are now. So are those that they made themselves.
    """
    row = _touch(conn, hand, id_, roles)
    _refuse_more(hand, role, roles)
    if row.issuer:
        raise Refused(
            phrase("Their role comes from the school's own sign-in, each time they come in.")
        )
    if row.role == role:
        return
    if not _keeps(role, roles):
        _refuse_last(conn, str(row.name), roles)
    accounts.set_role(conn, str(row.name), role, now, roles=roles)
    setup_links.end_links(conn, str(row.name), now)
    setup_links.end_links_made_by(conn, str(row.name), now)


def lock(conn: Connection, hand: Hand, id_: str, now: datetime, roles: Roles) -> None:
    """Lock somebody out, at once and until they are let in again; nothing of theirs is lost. Links
    that they made, for people and for guests, are over: they may have kept them.
    """
    row = _touch(conn, hand, id_, roles)
    if row.name == hand.name:
        raise Refused(phrase("Nobody locks themself out. Somebody else has to do that."))
    _refuse_last(conn, str(row.name), roles)
    if not row.locked:
        conn.execute(update(users).where(users.c.name == row.name).values(locked=iso(now)))
        audit.note(conn, "account.locked", str(row.name), now)
        accounts.end_other_sessions(conn, str(row.name), "", now)
        setup_links.end_links(conn, str(row.name), now)
        setup_links.end_links_made_by(conn, str(row.name), now)
        guests.revoke_all_of(conn, str(row.name), hand.name, now)


def unlock(conn: Connection, hand: Hand, id_: str, now: datetime, roles: Roles) -> None:
    """Let somebody in again."""
    let_in(conn, str(_touch(conn, hand, id_, roles).name), now)


def let_in(conn: Connection, name: str, now: datetime) -> None:
    """Lock somebody out no more, whoever asks."""
    out = users.c.name == name, users.c.locked != ""
    if conn.execute(update(users).where(*out).values(locked="")).rowcount:
        audit.note(conn, "account.unlocked", name, now)


def forget(conn: Connection, hand: Hand, id_: str, now: datetime, roles: Roles) -> None:
    """Forget somebody's second factors, after a lost phone."""
    forget_factors(conn, str(_touch(conn, hand, id_, roles).name), now)


def end_sessions(conn: Connection, hand: Hand, id_: str, now: datetime, roles: Roles) -> None:
    """Sign somebody out everywhere."""
    row = _touch(conn, hand, id_, roles)
    accounts.end_other_sessions(conn, str(row.name), "", now)


# ----------------------------------------------------------------------------------- tokens


def every_token(conn: Connection) -> list[Any]:
    """Every token that is not revoked, by name: rows of the table."""
    query = select(tokens).where(tokens.c.revoked.is_(None)).order_by(tokens.c.name)
    return list(conn.execute(query))


def tokens_made_by(conn: Connection, name: str) -> list[str]:
    """The names of the tokens that somebody made and that still work: they may have kept them."""
    own = (tokens.c.made_by == name, tokens.c.revoked.is_(None))
    return [str(each) for each in conn.scalars(select(tokens.c.name).where(*own))]


def revoke_token(conn: Connection, hand: Hand, id_: str, now: datetime, roles: Roles) -> str:
    """End a token; returns its name. Raises `KeyError` or `Refused`."""
    row = conn.execute(select(tokens).where(tokens.c.id == id_, tokens.c.revoked.is_(None))).first()
    if row is None:
        raise KeyError(id_)
    if not can_give(hand, str(row.role), roles, frozenset(str(row.scopes).split())):
        raise Refused(phrase("It may more than you do. Somebody who may all of that has to do it."))
    accounts.revoke_token(conn, str(row.name), now)
    return str(row.name)


# ----------------------------------------------------------------------------------- limits


def _touch(conn: Connection, hand: Hand, id_: str, roles: Roles) -> Any:
    """The account, if the hand may reach into it. Raises `KeyError` or `Refused`."""
    name = name_of(conn, id_)
    row = conn.execute(select(users).where(users.c.name == name)).one()
    if not can_give(hand, str(row.role), roles):
        raise Refused(
            phrase("They may more than you do. Somebody who may all of that has to do it.")
        )
    return row


def _refuse_more(hand: Hand, role: str, roles: Roles) -> None:
    if not can_give(hand, role, roles):
        raise Refused(phrase("That role may more than you do. Nobody gives more than they have."))


def _keeps(role: str, roles: Roles) -> bool:
    """Whether holders of a role can give all that the administrator's role holds."""
    needed = permissions_of("admin", roles) | {"manage.accounts"}
    return needed <= permissions_of(role, roles)


def _refuse_last(conn: Connection, name: str, roles: Roles) -> None:
    """Raises `Refused` where nobody would be left who can give everything."""
    ready = (users.c.locked == "", or_(users.c.password_hash != "", users.c.issuer != ""))
    rows = conn.execute(select(users.c.name, users.c.role).where(*ready)).all()
    keepers = [str(row.name) for row in rows if _keeps(str(row.role), roles)]
    if keepers == [name]:
        raise Refused(
            phrase(
                "Nobody else can manage all accounts. Make another administrator first, then do "
                "this."
            )
        )
