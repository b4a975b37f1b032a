"""A pretended Algo speaker with a strobe: its HTTP API as the maker's RESTful API guide tells it.

It checks each request as the device does (signature, digest of the body, time within 30 s, number
used once), knows which tones and strobe patterns there are, and does what is asked. What the guide
leaves open is decided here: 401, 404 and 400 with an `error` for what is refused, an empty body
otherwise. It tells nobody what it plays, and neither does the device.
"""

import hashlib
import hmac
import json
import re
from base64 import b64encode
from email.utils import format_datetime, parsedate_to_datetime

from aiohttp import web

TONES = {"warble1-low.wav", "bell-na.wav", "chime.wav"}
PATTERNS = set(range(16)) - {10}
LEVELS = {0, 56, 255}


class AlgoDevice:
    """One device on the loopback address."""

    def __init__(self, clock, password="algo", basic=False):
        self.clock = clock
        self.password = password
        self.basic = basic
        self.ahead = None  # how far its clock is ahead, a timedelta
        self.action = None  # what its status page says, on paging adapters
        self.has_status_page = True
        self.tone = ""
        self.strobe = None
        self.asked = []
        self.refuse = []  # HTTP statuses to answer with, one a command
        self.port = 0
        self._nonces = set()

    async def start(self):
        """Listen on a free port; returns it."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]
        return self.port

    async def stop(self):
        """Be gone."""
        await self._runner.cleanup()

    def now(self):
        """The time it believes in."""
        return self.clock.now() + self.ahead if self.ahead else self.clock.now()

    async def _answer(self, request):
        body = await request.read()
        if not self._authentic(request, body):
            status, said = 401, {"error": "Unauthorized"}
        else:
            status, said = self._do(request.method, request.path, body)
        headers = {"Date": format_datetime(self.now(), usegmt=True)}
        if said is None:
            return web.Response(status=status, headers=headers)
        return web.json_response(said, status=status, headers=headers)

    def _authentic(self, request, body):
        given = request.headers.get("Authorization", "")
        if self.basic:
            return given == "Basic " + b64encode(f"admin:{self.password}".encode()).decode()
        match = re.fullmatch(r"hmac (?:admin|algo):([^:]+):([0-9a-f]{64})", given)
        if match is None or match[1] in self._nonces:
            return False
        stamp = parsedate_to_datetime(request.headers["Date"])
        if abs((stamp - self.now()).total_seconds()) > 30:
            return False
        signed = [request.method, request.path]
        if body:
            digest = hashlib.md5(body).hexdigest()
            if request.headers.get("Content-MD5") != digest:
                return False
            signed += [digest, request.headers["Content-Type"]]
        text = ":".join([*signed, str(int(stamp.timestamp())), match[1]])
        right = hmac.new(self.password.encode(), text.encode(), hashlib.sha256).hexdigest()
        self._nonces.add(match[1])
        return hmac.compare_digest(right, match[2])

    def _do(self, method, path, body):
        fields = json.loads(body) if body else {}
        self.asked.append((method, path, fields))
        if path == "/api/info/status" and method == "GET" and self.has_status_page:
            action = {"Current Action": self.action} if self.action else {}
            return 200, {"Device Name": "gymnasium", "Call Status": "Idle", **action}
        if method == "POST" and self.refuse:
            return self.refuse.pop(0), {"error": "told to refuse"}
        if (method, path) == ("POST", "/api/controls/tone/start"):
            if fields.get("path") not in TONES or not isinstance(fields.get("loop"), bool):
                return 400, {"error": "tone not found"}
            self.tone = fields["path"]
        elif (method, path) == ("POST", "/api/controls/tone/stop"):
            if not fields.get("path"):  # as firmware up to 5.4 wants it
                return 400, {"error": "path is required"}
            self.tone = ""
        elif (method, path) == ("POST", "/api/controls/strobe/start"):
            if fields.get("pattern") not in PATTERNS or fields.get("ledlvl") not in LEVELS:
                return 400, {"error": "no such pattern"}
            self.strobe = fields
        elif (method, path) == ("POST", "/api/controls/strobe/stop"):
            self.strobe = None
        else:
            return 404, {"error": "Not Found"}
        return 200, None
