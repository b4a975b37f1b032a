"""How people come in: second factors, the file of breached passwords, the school's provider."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from hub.conditions import Slug
from hub.kinds import Block
from hub.units import Duration

_Text = Annotated[str, Field(min_length=1, max_length=200)]


def on_this_machine(host: str) -> bool:
    """Whether a host name or address is this machine itself, so that nobody listens in between."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def plain_address(address: str, what: str, query: bool = False) -> str:
    """An https address without name, password, fragment and, unless it may have one, query; http on
    this machine only. Raises `ValueError`.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(f"expected {what}") from None
    safe = parts.scheme == "https" or (parts.scheme == "http" and on_this_machine(host))
    odd = "@" in parts.netloc or "#" in address or not address.isprintable() or " " in address
    if not safe or not host or odd or ("?" in address and not query):
        raise ValueError(f"expected {what}")
    return address


class ProviderSettings(Block):
    """The school's identity provider, over OpenID Connect with PKCE."""

    name: str = Field(
        "your school account",
        max_length=60,
        description="What people call it; on the button of the sign-in page.",
    )
    issuer: str = Field(
        description="Its address, as it names itself in "
        "`ISSUER/.well-known/openid-configuration`; https, or http on this machine.",
    )
    client_id: _Text = Field(description="What it calls this hub.")
    client_secret: str | None = Field(
        None,
        repr=False,
        description="Best as `!secret NAME`. Without one the hub is a public client: PKCE alone.",
    )
    scopes: tuple[_Text, ...] = Field(
        ("openid", "profile", "email"), description="What it is asked for; `openid` is needed."
    )
    name_claim: _Text = Field(
        "preferred_username", description="The claim that names the account on this hub."
    )
    role_claim: _Text = Field(
        "groups", description="The claim that says what somebody is: a text, or a list of them."
    )
    roles: dict[_Text, Slug] = Field(
        min_length=1,
        description="Which of its values gives which role; the first that somebody has counts. "
        "Whoever has none of them does not come in, and no account is made.",
    )

    @field_validator("issuer")
    @classmethod
    def https(cls, address: str) -> str:
        """Where passwords are typed, nobody listens in."""
        return plain_address(
            address, "an address such as https://login.school.example, without query or fragment"
        )

    @field_validator("scopes")
    @classmethod
    def with_openid(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        """Without `openid` it is no sign-in."""
        if "openid" not in scopes:
            raise ValueError("expected `openid` among them")
        return scopes


class SignInSettings(Block):
    """How people come in."""

    second_factor: tuple[Slug, ...] = Field(
        (),
        description="Roles that need a second factor: an authenticator app or a passkey. Who has "
        "none yet is led to it and comes no further. A sign-in through the provider counts as it "
        "is.",
    )
    idle: dict[Slug, Annotated[Duration, Field(ge=300, le=43200)]] = Field(
        {},
        description="After how long without use somebody of a role is signed out, such as "
        "`{admin: 30m}`. What counts is what a person does: opening a page, sending a form; a page "
        "that fetches itself does not. None for a role whose pages hang on a wall.",
    )
    breached: Path | None = Field(
        None,
        description="The file of passwords known from breaches, sorted by SHA-1, as Have I Been "
        "Pwned publishes it, beside this file or by its full path. Nobody outside is asked.",
    )
    provider: ProviderSettings | None = Field(
        None, description="The school's identity provider; local accounts go on working."
    )
