"""Providers on this machine: each demands what the real one's documentation demands.

What does not fit is answered as the real one answers it, so that a driver that would be refused out
there is refused here. `forced` holds answers to give instead, in turn.
"""

import asyncio
import base64
import itertools
import json
import re
from urllib.parse import parse_qs

from aiohttp import web

PUSHOVER_TOKEN, PUSHOVER_USER = "azGDORePK8gMaC0QOYAMyEEuzJnyUi", "uQiRzpo4DXghDmr9QzzfQu27cmVRsG"
ACCOUNT, AUTH_TOKEN = "AC" + "0a" * 16, "0123456789abcdef0123456789abcdef"
SENDER = "+15550100100"
ROUTING_KEY = "R0123456789ABCDEFGHIJKLMNOPQRSTU"
BOT_TOKEN = "xoxb-1234567890-abcdefghij"
SCREEN_KEY = "screen-key-1234567890"


class ProviderServer:
    """A server on a free port; keeps what it took in `taken`, every path in `paths` and `raw`."""

    def __init__(self):
        self.forced = []
        self.taken = []
        self.paths = []
        self.raw = []
        self.numbers = itertools.count(1)
        self.url = ""

    async def start(self):
        """Listen; returns the port."""
        app = web.Application(client_max_size=1 << 24)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        return port

    async def stop(self):
        """Stop listening."""
        await self._runner.cleanup()

    async def _answer(self, request):
        self.paths.append((request.method, request.path))
        self.raw.append(request.raw_path)
        body = await request.read()
        if self.forced:
            status, said, headers = self.forced.pop(0)
            return web.Response(status=status, text=said, headers=headers)
        return self.answer(request, body)

    def answer(self, request, body):
        """What the provider answers."""
        raise NotImplementedError


def form(request, body):
    """The fields of a form, each once."""
    assert request.content_type == "application/x-www-form-urlencoded", request.content_type
    fields = parse_qs(body.decode(), keep_blank_values=True, strict_parsing=True)
    assert all(len(values) == 1 for values in fields.values()), fields
    return {name: values[0] for name, values in fields.items()}


def of_json(request, body):
    """A JSON object."""
    assert request.content_type == "application/json", request.content_type
    found = json.loads(body)
    assert isinstance(found, dict)
    return found


class PushoverServer(ProviderServer):
    """Pushover's message, receipt, user and limit calls."""

    def __init__(self):
        super().__init__()
        self.receipts = {}
        self.cancelled = []
        self.users = {PUSHOVER_USER}

    def answer(self, request, body):
        given = form(request, body) if request.method == "POST" else dict(request.query)
        if given.get("token") != PUSHOVER_TOKEN:
            return self._wrong("token", "application token is invalid")
        path = request.path
        if (request.method, path) == ("POST", "/1/messages.json"):
            return self._message(given)
        if (request.method, path) == ("POST", "/1/users/validate.json"):
            known = given.get("user") in self.users
            return self._fine(devices=["phone"]) if known else self._wrong("user", NO_USER)
        if (request.method, path) == ("GET", "/1/apps/limits.json"):
            return self._fine(limit=10000, remaining=9876, reset=1393653600)
        if found := re.fullmatch(r"/1/receipts/cancel_by_tag/(.+)\.json", path):
            self.cancelled.append(found[1])
            return self._fine(canceled=1)
        found = re.fullmatch(r"/1/receipts/([A-Za-z0-9]{30})\.json", path)
        if request.method == "GET" and found and found[1] in self.receipts:
            return self._fine(**self.receipts[found[1]])
        return self._wrong("receipt", "receipt not found", 404)

    def _message(self, given):
        if given.get("user") not in self.users:
            return self._wrong("user", NO_USER)
        if not given.get("message"):
            return self._wrong("message", "message cannot be blank")
        if len(given["message"]) > 1024 or len(given.get("title", "")) > 250:
            return self._wrong("message", "message is too long")
        if len(given.get("url", "")) > 512 or len(given.get("url_title", "")) > 100:
            return self._wrong("url", "url is too long")
        extra = {}
        if given.get("priority") == "2":
            retry, expire = int(given.get("retry", 0)), int(given.get("expire", 0))
            if retry < 30 or not 0 < expire <= 10800:
                return self._wrong("retry", "retry and expire must be supplied and in range")
            extra = {"receipt": f"{next(self.numbers):030d}"}
            self.receipts[extra["receipt"]] = {
                "acknowledged": 0, "acknowledged_at": 0, "acknowledged_by": "",
                "acknowledged_by_device": "", "last_delivered_at": 0, "expired": 0,
                "expires_at": 1, "called_back": 0, "called_back_at": 0,
            }  # fmt: skip
        self.taken.append(given)
        return self._fine(**extra)

    def _fine(self, **more):
        return web.json_response({"status": 1, "request": "647d2300-702c-4b38", **more})

    def _wrong(self, what, why, status=400):
        said = {what: "invalid", "errors": [why], "status": 0, "request": "5042853c-402d-4a18"}
        return web.json_response(said, status=status)


NO_USER = "user identifier is not a valid user, group, or subscribed user key"


class TwilioServer(ProviderServer):
    """Twilio's messages, calls and numbers."""

    def __init__(self):
        super().__init__()
        self.sent = {}
        self.called_off = []
        self.password = AUTH_TOKEN
        self.name = ACCOUNT

    def answer(self, request, body):
        login = base64.b64encode(f"{self.name}:{self.password}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {login}":
            return self._wrong(401, 20003, "Authenticate")
        found = re.fullmatch(
            rf"/2010-04-01/Accounts/{ACCOUNT}/(\w+)(?:/(\w+))?\.json", request.path
        )
        if not found:
            return self._wrong(404, 20404, f"The requested resource {request.path} was not found")
        kind, sid = found.groups()
        if request.method == "GET":
            return self._looked_up(kind, sid, request.query)
        given = form(request, body)
        if sid and kind == "Calls" and given == {"Status": "canceled"}:
            self.called_off.append(sid)
            return web.json_response({"sid": sid, "status": "canceled"})
        return self._made(kind, given)

    def _looked_up(self, kind, sid, query):
        if kind == "IncomingPhoneNumbers":
            found = [{"phone_number": SENDER}] if query.get("PhoneNumber") == SENDER else []
            return web.json_response({"incoming_phone_numbers": found, "page": 0})
        if kind == "Messages" and not sid:
            return web.json_response({"messages": []})
        if sid not in self.sent:
            return self._wrong(404, 20404, "The requested resource was not found")
        return web.json_response({"sid": sid, **self.sent[sid]})

    def _made(self, kind, given):
        if not re.fullmatch(r"\+[1-9]\d{6,14}", given.get("To", "")):
            return self._wrong(400, 21211, f"The 'To' number {given.get('To')} is not valid")
        if given.get("From") != SENDER and not given.get("MessagingServiceSid"):
            return self._wrong(400, 21606, "The 'From' phone number is not valid for this account")
        if kind == "Messages":
            if not given.get("Body"):
                return self._wrong(400, 21602, "Message body is required")
            if len(given["Body"]) > 1600:
                return self._wrong(400, 21617, "The concatenated message body exceeds the limit")
        elif kind != "Calls" or not 0 < len(given.get("Twiml", "")) <= 4000:
            return self._wrong(400, 21205, "Url parameter is required")
        sid = f"{'SM' if kind == 'Messages' else 'CA'}{next(self.numbers):032x}"
        self.sent[sid] = {"status": "queued"}
        self.taken.append(given)
        return web.json_response({"sid": sid, "status": "queued", "error_code": None}, status=201)

    def _wrong(self, status, code, why):
        info = f"https://www.twilio.com/docs/errors/{code}"
        said = {"code": code, "message": why, "more_info": info, "status": status}
        return web.json_response(said, status=status)


class PagerDutyServer(ProviderServer):
    """PagerDuty's Events API v2; `alerts` is what is open there, by dedup_key."""

    def __init__(self):
        super().__init__()
        self.alerts = {}

    def answer(self, request, body):
        given = of_json(request, body)
        wrong = (
            [] if (request.method, request.path) == ("POST", "/v2/enqueue") else ["no such path"]
        )
        if len(body) > 512 * 1024:
            return web.Response(status=413)
        if len(given.get("routing_key", "")) != 32:
            wrong.append("Length of 'routing_key' is incorrect (should be 32 characters)")
        elif given["routing_key"] != ROUTING_KEY:
            wrong.append(f"Invalid routing key {given['routing_key']}")
        action, key = given.get("event_action"), given.get("dedup_key", "")
        if action not in ("trigger", "acknowledge", "resolve") or not 0 < len(key) <= 255:
            wrong.append("'event_action' or 'dedup_key' is invalid")
        payload = given.get("payload", {})
        if action == "trigger":
            if not 0 < len(payload.get("summary", "")) <= 1024 or not payload.get("source"):
                wrong.append("'payload.summary' or 'payload.source' is missing or invalid")
            if payload.get("severity") not in ("critical", "error", "warning", "info"):
                wrong.append("'payload.severity' is invalid")
        if wrong:
            said = {"status": "invalid event", "message": "Event object is invalid",
                    "errors": wrong}  # fmt: skip
            return web.json_response(said, status=400)
        self.taken.append(given)
        if action == "trigger":
            self.alerts[key] = "triggered"
        elif key in self.alerts:
            self.alerts[key] = f"{action}d" if action == "resolve" else "acknowledged"
        said = {"status": "success", "message": "Event processed", "dedup_key": key}
        return web.json_response(said, status=202)


class SlackServer(ProviderServer):
    """An incoming webhook under /services, and the methods of a bot under /api."""

    def __init__(self):
        super().__init__()
        self.channels = {"C0123456789", "#alerts", "U0123456789"}
        self.updated = []

    def answer(self, request, body):
        given = of_json(request, body)
        if request.path.startswith("/services/"):
            if why := self._unfit(given):
                return web.Response(status=400, text=why)
            self.taken.append(given)
            return web.Response(text="ok")
        if request.headers.get("Authorization") != f"Bearer {BOT_TOKEN}":
            return web.json_response({"ok": False, "error": "invalid_auth"})
        method = request.path.removeprefix("/api/")
        if method == "auth.test":
            return web.json_response({"ok": True, "user": "vestibule", "team": "Example school"})
        why = self._unfit(given) or (
            "channel_not_found" if given.get("channel") not in self.channels else ""
        )
        if why or method not in ("chat.postMessage", "chat.update"):
            return web.json_response({"ok": False, "error": why or "unknown_method"})
        if method == "chat.update":
            self.updated.append(given)
            return web.json_response({"ok": True, "ts": given["ts"], "channel": given["channel"]})
        stamp = f"1503435956.{next(self.numbers):06d}"
        self.taken.append({**given, "ts": stamp})
        return web.json_response({"ok": True, "channel": "C0123456789", "ts": stamp})

    def _unfit(self, given):
        if not given.get("text"):
            return "no_text"
        for block in given.get("blocks", []):
            text = block.get("text", {"type": "plain_text", "text": "."})
            longest = {"header": 150, "section": 3000}.get(block["type"], 3000)
            if text["type"] == "plain_text" and not 0 < len(text["text"]) <= longest:
                return "invalid_blocks"
        return "" if len(given.get("blocks", [])) <= 50 else "invalid_blocks"


class DiscordServer(ProviderServer):
    """Discord's webhook: made, shown by GET, changed by PATCH."""

    path = "/api/webhooks/1234567890123456789/a-token-of-the-webhook"

    def __init__(self):
        super().__init__()
        self.changed = []

    def answer(self, request, body):
        if not request.path.startswith(self.path):
            return web.json_response({"message": "Unknown Webhook", "code": 10015}, status=404)
        if request.method == "GET":
            return web.json_response({"id": "1", "name": "Alerts", "channel_id": "2"})
        given = of_json(request, body)
        if why := self._unfit(given):
            return web.json_response({"message": "Invalid Form Body", "code": 50035, "errors": why},
                                     status=400)  # fmt: skip
        if request.method == "PATCH":
            self.changed.append((request.path.rpartition("/")[2], given))
            return web.json_response({"id": "1"})
        if request.query.get("wait") != "true":
            return web.Response(status=204)
        number = str(next(self.numbers))
        self.taken.append({**given, "id": number, "thread": request.query.get("thread_id")})
        return web.json_response({"id": number, "type": 0})

    def _unfit(self, given):
        embeds = given.get("embeds", [])
        if not given.get("content") and not embeds:
            return "cannot send an empty message"
        limits = {"title": 256, "description": 4096}
        whole = sum(len(embed.get(name, "")) for embed in embeds for name in limits)
        if len(given.get("content", "")) > 2000 or len(embeds) > 10 or whole > 6000:
            return "too long"
        if any(len(e.get(name, "")) > most for e in embeds for name, most in limits.items()):
            return "too long"
        fields = [each for embed in embeds for each in embed.get("fields", [])]
        if any(not 0 < len(each["value"]) <= 1024 for each in fields):
            return "field value"
        return ""


class TeamsServer(ProviderServer):
    """A workflow that waits for the webhook's call and posts the card that comes with it."""

    def answer(self, request, body):
        if request.query.get("sig") != "the-signature-of-the-workflow":
            said = {"error": {"code": "DirectApiAuthorizationRequired", "message": "no signature"}}
            return web.json_response(said, status=401)
        if len(body) > 28 * 1024:
            return web.Response(status=413)
        given = of_json(request, body)
        (attachment,) = given["attachments"]
        card = attachment["content"]
        fits = (
            given["type"] == "message"
            and attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
            and (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
            and all(each["type"] in ("RichTextBlock", "TextBlock") for each in card["body"])
        )
        if not fits:
            return web.Response(status=400)
        self.taken.append(given)
        return web.Response(status=202)


TEMPLATES = frozenset(
    ("high", "medium", "low", "blank", "all-clear", "hold", "secure", "lockdown", "evacuate",
     "shelter")
)  # fmt: skip


class SignageServer(ProviderServer):
    """Airtame's emergency alerts; `shown` is what stands on the screens, by id."""

    def __init__(self):
        super().__init__()
        self.shown = {}

    def answer(self, request, body):
        if request.headers.get("Authorization") != f"Bearer {SCREEN_KEY}":
            return web.json_response({"error": "Unauthorized"}, status=401)
        given = of_json(request, body)
        fits = (
            set(given) <= {"id", "status", "template", "headline", "description", "isDrill",
                           "expiresAt"}
            and given.get("status") in ("Initiated", "Resolved")
            and given.get("template") in TEMPLATES
            and bool(given.get("headline"))
            and re.fullmatch(r"[\d-]{10}T[\d:.]+Z", given.get("expiresAt", "2026-03-02T00:00:00Z"))
        )  # fmt: skip
        if not fits:
            return web.json_response({"error": "invalid payload"}, status=400)
        if given["status"] == "Resolved" and given["id"] not in self.shown:
            return web.json_response({"error": "no such alert"}, status=404)
        self.taken.append(given)
        if given["status"] == "Initiated":
            self.shown[given["id"]] = given
        else:
            del self.shown[given["id"]]
        return web.json_response({"ok": True})


class AnyServer(ProviderServer):
    """Takes any JSON object."""

    def answer(self, request, body):
        self.taken.append(of_json(request, body))
        return web.Response(text="ok")


async def take(iterator, count, clock, seconds=6):
    """The first acks of a driver; time passes on its clock, and nothing waits for ever."""
    found = []

    async def collect():
        async for ack in iterator:
            found.append(ack)
            if len(found) == count:
                return

    task = asyncio.ensure_future(collect())
    try:
        async with asyncio.timeout(30):
            while not task.done():
                await asyncio.wait({task}, timeout=0.02)
                await clock.advance(seconds)
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await iterator.aclose()
    return found


async def until(holds):
    """Wait until something holds."""
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.005)
