"""Requests that come through the school's reverse proxy: from where, and whether under TLS.

What a proxy says is believed from the addresses that the configuration names, and from nobody else.
Where a proxy speaks TLS for the hub, nobody on the network passes it by.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

from aiohttp import web
from aiohttp.typedefs import Handler

from hub.sign_in_settings import on_this_machine
from hub.web.security import HOUSE


@web.middleware
async def proxied(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Take the sender's address and scheme from a proxy that may say them."""
    settings, peer = request.app[HOUSE].config.hub.web, request.remote or ""
    if not settings.proxies:
        return await handler(request)
    if peer in settings.proxies:
        sender = sender_of(request.headers.getall("X-Forwarded-For", []), peer, settings.proxies)
        scheme = scheme_of(request.headers.getall("X-Forwarded-Proto", [])) or request.scheme
        return await handler(request.clone(remote=sender, scheme=scheme))
    if settings.tls == "off" and not on_this_machine(peer):
        return web.Response(status=403, text="The pages are reached through the school's proxy.\n")
    return await handler(request)


def sender_of(told: Collection[str], peer: str, proxies: Collection[str]) -> str:
    """The nearest address of those told that is no proxy of ours; the farther ones anybody may have
    written.
    """
    chain = [each.strip() for line in told for each in line.split(",")]
    for each in reversed(chain):
        try:
            address = str(ipaddress.ip_address(each))
        except ValueError:
            return peer
        if address not in proxies:
            return address
    return peer


def scheme_of(told: Collection[str]) -> str:
    """The scheme that the nearest proxy tells; empty for none, or for what is none."""
    last = [each.strip().lower() for line in told for each in line.split(",")][-1:]
    return last[0] if last and last[0] in ("http", "https") else ""
