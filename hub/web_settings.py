"""Where the pages are: what they listen on, as which address people know it, and TLS."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from hub.kinds import Block
from hub.sign_in_settings import on_this_machine, plain_address

_Name = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9.:-]+$")]
LOOPBACK = "127.0.0.1"
PORT = 8480


class WebSettings(Block):
    """Where the pages are."""

    listen: str = Field(
        LOOPBACK,
        description="The address that the pages listen on; `0.0.0.0` for every network of this "
        "machine. Anything but this machine itself needs `tls`, or a proxy under `proxies`.",
    )
    port: int = Field(PORT, ge=0, le=65535, description="Its port; 0 picks a free one.")
    tls: Literal["off", "generated", "own"] = Field(
        "off",
        description="`generated`: the hub makes a certificate for itself, whose fingerprint it "
        "prints. `own`: the school's, as `certificate` and `certificate_key`. `off`: plain HTTP, "
        "on this machine alone or behind a proxy.",
    )
    certificate: Path | None = Field(
        None,
        description="Of `tls: own`: the certificate and those above it, as PEM, beside this file "
        "or by its full path. One that is renewed is shown within a minute.",
    )
    certificate_key: Path | None = Field(
        None, description="Of `tls: own`: its private key, as PEM, without a password."
    )
    address: str = Field(
        "",
        description="How people reach the pages, such as `https://safety.school.example`: links "
        "in notices begin so, and passkeys belong to that name.",
    )
    names: tuple[_Name, ...] = Field(
        (), description="More names and addresses that the generated certificate is good for."
    )
    proxies: tuple[str, ...] = Field(
        (),
        description="Addresses of reverse proxies that speak TLS before the hub. From them, and "
        "nobody else, `X-Forwarded-For` and `X-Forwarded-Proto` are believed.",
    )

    @field_validator("listen")
    @classmethod
    def an_address(cls, address: str) -> str:
        """A network address of this machine: names may mean several."""
        try:
            return str(ipaddress.ip_address(address))
        except ValueError:
            raise ValueError(f"expected an address such as {LOOPBACK} or 0.0.0.0") from None

    @model_validator(mode="after")
    def both_files(self) -> WebSettings:
        """The school's certificate takes two files, and any other none."""
        both = self.certificate is not None and self.certificate_key is not None
        if self.tls == "own" and not both:
            raise ValueError("expected `certificate` and `certificate_key` beside `tls: own`")
        if self.tls != "own" and (self.certificate or self.certificate_key):
            raise ValueError("expected `tls: own` beside `certificate` and `certificate_key`")
        return self

    @field_validator("proxies")
    @classmethod
    def addresses(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        """Addresses, as connections come from them."""
        try:
            return tuple(str(ipaddress.ip_address(each)) for each in proxies)
        except ValueError:
            raise ValueError("expected addresses such as 10.0.0.2") from None

    @field_validator("address")
    @classmethod
    def an_origin(cls, address: str) -> str:
        """Scheme, host and perhaps a port: a path would not be kept."""
        if not address:
            return ""
        words = "an address such as https://safety.school.example, without a path"
        plain = plain_address(address.rstrip("/"), words)
        if plain.count("/") != 2:
            raise ValueError(f"expected {words}")
        return plain.lower()


def open_trouble(web: WebSettings, listen: str = "") -> str:
    """Why the pages may not listen there, and what to do; empty where they may."""
    address = listen or web.listen
    if on_this_machine(address) or web.tls != "off" or web.proxies:
        return ""
    return (
        f"the pages would be plain HTTP on {address}, where passwords can be read on the way. "
        "Write `tls: generated` under `hub.web`, or name the school's own certificate there; or "
        "name the reverse proxy that speaks TLS under `hub.web.proxies`"
    )
