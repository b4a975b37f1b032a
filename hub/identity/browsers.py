"""Browsers in which people asked to be told: functions of a database connection.

A subscription (W3C Push API) is an address at the browser's push service, which whoever has it may
send to, and the keys that a message is encrypted with for that browser alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Collection
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, and_, delete, func, insert, select

from hub.clock import iso
from hub.errors import Refused
from hub.kinds import Subscription
from hub.storage import audit
from hub.storage.identity_tables import users
from hub.storage.schema import push_subscriptions as table

MOST = 10  # browsers of one account
LONGEST = 1000
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def subscribe(
    conn: Connection, notifier: str, user: str, device: str, given: Any, now: datetime
) -> str:
    """Keep what a browser gave, in place of what it gave before; returns its id.

    `given` is the JSON of a `PushSubscription`. Raises `Refused` when it is none, or the account
    has too many.
    """
    endpoint, p256dh, auth = _checked(given)
    id_ = hashlib.sha256(endpoint.encode()).hexdigest()[:32]
    known = conn.scalar(select(table.c.user).where(table.c.id == id_)) == user
    conn.execute(delete(table).where(table.c.id == id_))
    has = conn.execute(select(func.count()).where(table.c.user == user)).scalar_one()
    if has >= MOST:
        raise Refused(
            "You are told in %(most)s browsers already. Take one off the list first.", most=MOST
        )
    conn.execute(
        insert(table).values(
            id=id_,
            notifier=notifier,
            user=user,
            device=device,
            endpoint=endpoint,
            p256dh=p256dh,
            auth=auth,
            created=iso(now),
        )
    )
    if not known:
        audit.note(conn, "account.browser_added", user, now, device=device)
    return id_


def unsubscribe(conn: Connection, id_: str, now: datetime, user: str | None = None) -> bool:
    """Forget a subscription, only if it is this account's where one is named; whether there was
    one.
    """
    found = conn.execute(select(table.c.user, table.c.device).where(table.c.id == id_)).first()
    if found is None or user not in (None, found.user):
        return False
    conn.execute(delete(table).where(table.c.id == id_))
    audit.note(conn, "account.browser_removed", str(found.user), now, device=str(found.device))
    return True


def browsers_of(conn: Connection, user: str) -> list[Any]:
    """The browsers of an account, oldest first: rows with `id`, `notifier`, `device`, `created`."""
    columns = (table.c.id, table.c.notifier, table.c.device, table.c.created)
    query = select(*columns).where(table.c.user == user).order_by(table.c.created, table.c.id)
    return list(conn.execute(query))


def subscriptions(conn: Connection, notifier: str, names: Collection[str]) -> list[Subscription]:
    """The browsers of the accounts with these names, or of all where none is named. Nobody is told
    who is locked out.
    """
    let_in = (users.c.name == table.c.user, users.c.locked == "")
    query = select(table).join(users, and_(*let_in)).where(table.c.notifier == notifier)
    query = query.order_by(table.c.created, table.c.id)
    wanted = {each.casefold() for each in names}
    return [
        Subscription(row.id, row.user, row.endpoint, row.p256dh, row.auth)
        for row in conn.execute(query)
        if not wanted or row.user.casefold() in wanted
    ]


def device_words(agent: str) -> str:
    """What people call a browser, by the User-Agent header that it sent."""
    browsers = {"Firefox/": "Firefox", "Edg": "Edge", "SamsungBrowser": "Samsung Internet",
                "CriOS": "Chrome", "Chrome/": "Chrome", "Safari/": "Safari"}  # fmt: skip
    systems = {"Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "CrOS": "Chromebook",
               "Windows": "Windows", "Mac OS X": "Mac", "Linux": "Linux"}  # fmt: skip
    browser = next((name for mark, name in browsers.items() if mark in agent), "A browser")
    system = next((name for mark, name in systems.items() if mark in agent), "")
    return f"{browser} on {system}" if system else browser


def _checked(given: Any) -> tuple[str, str, str]:
    keys = given.get("keys") if isinstance(given, dict) else None
    endpoint = given.get("endpoint") if isinstance(given, dict) else None
    if not isinstance(keys, dict) or not isinstance(endpoint, str):
        raise Refused("That is no push subscription: it needs endpoint and keys.")
    try:
        parts = urlsplit(endpoint)
    except ValueError:
        raise Refused("The endpoint of the push subscription is no https address.") from None
    there = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    plain = re.fullmatch(r"[!-~]+", endpoint) and len(endpoint) <= LONGEST and "@" not in endpoint
    if not (there and plain and parts.hostname) or parts.fragment:
        raise Refused("The endpoint of the push subscription is no https address.")
    p256dh, auth = str(keys.get("p256dh", "")), str(keys.get("auth", ""))
    if not (len(_bytes(p256dh)) == 65 and _bytes(p256dh)[0] == 4 and len(_bytes(auth)) == 16):
        raise Refused("The keys of the push subscription are none that can be encrypted with.")
    return endpoint, p256dh, auth


def _bytes(text: str) -> bytes:
    if len(text) > 100 or not re.fullmatch(r"[-_A-Za-z0-9]+={0,2}", text):
        return b"\0"
    try:
        return base64.urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))
    except binascii.Error:
        return b"\0"
