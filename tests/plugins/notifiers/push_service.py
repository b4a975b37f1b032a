"""A push service and the browsers behind it: it checks who sends, they decrypt what comes.

Written from the receiving side of RFC 8030, 8188, 8291 and 8292, apart from the sender's code.
"""

import base64
import itertools
import json
import os
import struct

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey

from hub import Subscription


def plain(text):
    """Bytes of base64url."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def text_of(raw):
    """Bytes as base64url."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Browser:
    """One browser: its keys, and what it has been told."""

    def __init__(self, key=None, auth=None):
        self._key = key or generate_private_key(SECP256R1())
        self.auth = auth or os.urandom(16)
        self.public = self._key.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )
        self.endpoint = ""
        self.told = []
        self.headers = []

    def subscription(self, id_, person="sro"):
        """What the hub knows of it."""
        keys = (text_of(self.public), text_of(self.auth))
        return Subscription(id_, person, self.endpoint, *keys)

    def given(self):
        """What the browser's `PushSubscription.toJSON()` says."""
        return {
            "endpoint": self.endpoint,
            "expirationTime": None,
            "keys": {"p256dh": text_of(self.public), "auth": text_of(self.auth)},
        }

    def decrypt(self, sealed):
        """The content of a message in one record."""
        salt, (size, length) = sealed[:16], struct.unpack("!IB", sealed[16:21])
        theirs, cipher = sealed[21 : 21 + length], sealed[21 + length :]
        assert len(cipher) <= size
        shared = self._key.exchange(
            ECDH(), EllipticCurvePublicKey.from_encoded_point(SECP256R1(), theirs)
        )
        info = b"WebPush: info\x00" + self.public + theirs
        secret = HKDF(SHA256(), 32, self.auth, info).derive(shared)
        key = HKDF(SHA256(), 16, salt, b"Content-Encoding: aes128gcm\x00").derive(secret)
        nonce = HKDF(SHA256(), 12, salt, b"Content-Encoding: nonce\x00").derive(secret)
        padded = AESGCM(key).decrypt(nonce, cipher, None)
        content, mark, rest = padded.rpartition(b"\x02")
        assert (mark, rest.strip(b"\x00")) == (b"\x02", b"")
        return content


class PushService:
    """A push service on the loopback address."""

    def __init__(self, clock):
        self.clock = clock
        self.browsers = {}
        self.statuses = []
        self.port = 0
        self.senders = set()
        self._numbers = itertools.count(1)

    async def start(self):
        """Listen on a free port; returns it."""
        app = web.Application(client_max_size=1 << 20)
        app.router.add_post("/push/{id}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self.port

    async def stop(self):
        """Be gone."""
        await self._runner.cleanup()

    def browser(self, port=None):
        """A browser that has subscribed; its endpoint is at `port` where a line leads here."""
        made = Browser()
        number = str(next(self._numbers))
        made.endpoint = f"http://127.0.0.1:{port or self.port}/push/{number}"
        self.browsers[number] = made
        return made

    def _sender(self, request):
        """RFC 8292: the token is signed by the key beside it, for us, for at most a day."""
        scheme, _, rest = request.headers["Authorization"].partition(" ")
        fields = dict(each.strip().split("=", 1) for each in rest.split(","))
        assert scheme == "vapid"
        point = plain(fields["k"])
        assert (len(point), point[0]) == (65, 4)
        key = ECKey.import_key(
            {"kty": "EC", "crv": "P-256", "x": text_of(point[1:33]), "y": text_of(point[33:])}
        )
        token = jwt.decode(fields["t"], key, algorithms=["ES256"])
        assert token.header["typ"] == "JWT"
        assert token.claims["aud"].startswith("http://127.0.0.1:")
        assert token.claims["sub"].startswith(("mailto:", "https:"))
        left = token.claims["exp"] - self.clock.now().timestamp()
        assert 0 < left <= 86_400
        return fields["k"]

    async def _take(self, request):
        try:
            self.senders.add(self._sender(request))
        except Exception as error:
            return web.Response(status=403, text=f"who are you? {type(error).__name__}")
        body = await request.read()
        browser = self.browsers.get(request.match_info["id"])
        if self.statuses and (status := self.statuses.pop(0)) != 201:
            return web.Response(status=status, text="told to refuse")
        if browser is None:
            return web.Response(status=410)
        if len(body) > 4096 + 86 or request.headers["Content-Encoding"] != "aes128gcm":
            return web.Response(status=413)
        assert request.headers["Urgency"] in ("very-low", "low", "normal", "high")
        assert len(request.headers["Topic"]) <= 32
        assert int(request.headers["TTL"]) >= 0
        browser.headers.append(dict(request.headers))
        browser.told.append(json.loads(browser.decrypt(body)))
        return web.Response(status=201)
