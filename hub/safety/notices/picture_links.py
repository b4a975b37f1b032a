"""Links to pictures that may stand in a notice: signed, for one picture, and short-lived.

A link alone shows nothing: who follows it has to be signed in, with a role that sees alerts. It is
made for a notice that leaves the network, so that no picture has to.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import quote

from sqlalchemy import Connection

from hub.storage.keys import kept_key

LIVES = timedelta(hours=1)
KEY = "picture links"

Answer = Literal["open", "expired", "forged"]


class PictureLinks:
    """Makes links and tells good ones from others; `key` is the secret that signs them."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def path(self, alert: str, picture: str, now: datetime) -> str:
        """The path of a link to a picture of an alert, good for an hour from now."""
        until = str(int((now + LIVES).timestamp()))
        sign = self._sign(alert, picture, until)
        return f"/alerts/{quote(alert)}/picture/{quote(picture)}?until={until}&sign={sign}"

    def check(self, alert: str, picture: str, until: str, sign: str, now: datetime) -> Answer:
        """Whether a link is ours and still good."""
        right = self._sign(alert, picture, until)
        if not hmac.compare_digest(sign.encode(), right.encode()):
            return "forged"
        return "open" if now.timestamp() <= int(until) else "expired"

    def _sign(self, alert: str, picture: str, until: str) -> str:
        said = "\n".join((alert, picture, until)).encode()
        made = hmac.new(self._key, said, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(made[:24]).decode()


def picture_key(connection: Connection) -> bytes:
    """The secret of this house, made once and kept in the journal."""
    return kept_key(connection, KEY)
