"""A gate that lets in who signs in with a digest (RFC 7616, MD5 as such devices have it)."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets

from aiohttp import web


class DigestGate:
    """Checks the digest of every request; a count may come once only for each nonce.

    One that is `narrow` knows the newest nonce alone, and takes it for a few requests only.
    """

    def __init__(self, user, password, realm="device"):
        self.user, self.password, self._realm = user, password, realm
        self.narrow = False
        self._used = {}
        self.challenged = 0

    def challenge(self):
        """The 401 that asks for a digest, with a fresh nonce."""
        self.challenged += 1
        nonce = secrets.token_hex(16)
        if self.narrow:
            self._used.clear()
        self._used[nonce] = set()
        asks = f'Digest realm="{self._realm}", nonce="{nonce}", qop="auth", algorithm=MD5'
        return web.Response(status=401, headers={"WWW-Authenticate": asks})

    def forget(self):
        """As after a reboot: no nonce is known."""
        self._used.clear()

    def lets_in(self, request):
        """Whether the request is signed with the right name and password, and is not a replay."""
        found = dict(re.findall(r'(\w+)="?([^",]+)"?', request.headers.get("Authorization", "")))
        if not {"username", "nonce", "uri", "response", "nc", "cnonce"} <= set(found):
            return False
        count, nonce = found["nc"], found["nonce"]
        if nonce not in self._used or count in self._used[nonce] or found["uri"] != request.path_qs:
            return False

        def digest(*parts):
            return hashlib.md5(":".join(parts).encode()).hexdigest()

        who = digest(self.user, self._realm, self.password)
        what = digest(request.method, found["uri"])
        right = digest(who, nonce, count, found["cnonce"], "auth", what)
        if found["username"] != self.user or found["response"] != right:
            return False
        self._used[nonce].add(count)
        if self.narrow and len(self._used[nonce]) > 2:
            del self._used[nonce]
        return True


class HttpSimulator:
    """A device that speaks HTTP behind a digest, on a port of the loopback address.

    Define `answer(request)`, and `faults` with `deaf`, `drop` and `oversized`.
    """

    def __init__(self, user="hub", password="s3cret"):
        self.gate = DigestGate(user, password)
        self._runner = None
        self.tls = None
        self.port = 0

    async def start(self, port=0):
        """Listen; returns the port."""
        app = web.Application(client_max_size=65_536)
        app.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.05)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=self.tls)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]
        return self.port

    async def stop(self):
        """Go away; whoever waits is dropped."""
        self.forget()
        await close_all(self._runner)

    async def reboot(self):
        """Drop everybody, and remember nothing."""
        self.forget()
        drop_all(self._runner)

    def forget(self):
        """What a reboot wipes out."""
        self.gate.forget()

    async def _take(self, request):
        if self.faults.drop:
            request.transport.abort()
            return web.Response()
        if self.faults.deaf:
            await asyncio.sleep(30)
        if not self.gate.lets_in(request):
            return self.gate.challenge()
        if self.faults.oversized:
            return await without_end(request)
        return await self.answer(request)


async def close_all(runner):
    """Listen no more, and send everybody away."""
    if runner is not None:
        for site in tuple(runner.sites):
            await site.stop()
        for _ in range(4):  # who was just let in is in before all are sent away
            await asyncio.sleep(0)
        await runner.cleanup()


def drop_all(runner):
    """Cut every connection. The port stays: who is let in while it closes would be forgotten."""
    for each in tuple(runner.server.connections):
        if each.transport is not None:
            each.transport.abort()


async def without_end(request):
    """An answer of many megabytes."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(200):
        await response.write(b"[" * 65_536)
    return response
