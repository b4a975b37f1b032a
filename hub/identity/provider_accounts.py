"""Accounts of people who sign in at the school's identity provider: functions of a connection.

Whose an account is, the provider's own lasting name for them says (`issuer` and `subject`), never
the name that people read: a name can be given to somebody else.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select, update

from hub.errors import Refused
from hub.identity.accounts import Roles, add_user_with_hash, same_name, set_role
from hub.identity.openid import Person
from hub.phrases import phrase
from hub.storage.identity_tables import users


def come_in(conn: Connection, person: Person, roles: Roles, now: datetime) -> str:
    """The account of somebody whom the provider has sent, made where there is none, with the role
    of today. Raises `Refused` where another account has that name.
    """
    known = conn.execute(
        select(users.c.name, users.c.role).where(
            users.c.issuer == person.issuer, users.c.subject == person.subject
        )
    ).first()
    if known is not None:
        if known.role != person.role:
            set_role(conn, str(known.name), person.role, now, roles=roles)
        return str(known.name)
    taken = same_name(conn, person.name)
    if taken is not None:
        raise Refused(
            phrase(
                "There is already an account called %(name)s on this hub, which is not your school "
                "account. Ask whoever manages accounts.",
                name=taken,
            )
        )
    made = add_user_with_hash(conn, person.name, person.role, "", roles=roles, now=now)
    whose = {"issuer": person.issuer, "subject": person.subject}
    conn.execute(update(users).where(users.c.name == made).values(**whose))
    return made
