"""An ONVIF Profile C controller over a real socket: SOAP, user-name tokens, door control, events.

It is as strict as the standard lets one be: a token must be signed with the right password within
ten seconds of its own clock, and is good once. With a `gate` it knows people by HTTP digest alone.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from aiohttp import web

from tests.plugins.access_control.digest_gate import close_all, drop_all
from tests.plugins.access_control.door_machines import NEEDS, Door, Doors

SOAP = "http://www.w3.org/2003/05/soap-envelope"
TER = "http://www.onvif.org/ver10/error"
TDS = "http://www.onvif.org/ver10/device/wsdl"
TDC = "http://www.onvif.org/ver10/doorcontrol/wsdl"
TAC = "http://www.onvif.org/ver10/accesscontrol/wsdl"
TEV = "http://www.onvif.org/ver10/events/wsdl"
TT = "http://www.onvif.org/ver10/schema"
WSNT = "http://docs.oasis-open.org/wsn/b-2"
WSA = "http://www.w3.org/2005/08/addressing"
MARK = "http://vendor.example/subscription"
PATHS = {TDS: "/onvif/device_service", TDC: "/onvif/doors", TAC: "/onvif/access"}
PATHS[TEV] = "/onvif/events"
TOLERANCE = timedelta(seconds=10)


class OnvifController:
    """The device. `ahead` is how far its clock is wrong; `mangle` may change any answer."""

    def __init__(self, *doors: Door, user="hub", password="s3cret", page=1):
        self.doors = Doors(*(doors or (Door("d1", "Front"),)))
        self.doors.tell = self._publish
        self.user, self.password, self._page = user, password, page
        self.ahead = timedelta()
        self.mangle = lambda raw: raw
        self.services = set(PATHS)
        self.gate = None
        self.asked = []
        self.refused = 0
        self._nonces = set()
        self._queues = {}
        self._runner = None
        self.port = 0

    @property
    def faults(self):
        """How it misbehaves."""
        return self.doors.faults

    async def start(self, port=0):
        """Listen on the loopback address."""
        app = web.Application(client_max_size=65_536)
        app.router.add_post("/{path:.*}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.05)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]
        return self.port

    async def stop(self):
        """Go away; whoever waits is dropped."""
        self.doors.stop()
        self._queues.clear()
        await close_all(self._runner)

    async def reboot(self):
        """Drop everybody, and remember no subscription."""
        self.doors.stop()
        self._queues.clear()
        drop_all(self._runner)

    def now(self):
        """What its clock says."""
        return datetime.now(UTC) + self.ahead

    async def _take(self, request):
        raw = await request.read()
        faults = self.faults
        if faults.deaf:
            await asyncio.sleep(30)
        if faults.drop:
            request.transport.abort()
            return web.Response()
        if faults.oversized:
            return await self._without_end(request)
        if self.gate is not None and not self.gate.lets_in(request):
            return self.gate.challenge()
        envelope = ElementTree.fromstring(raw)
        call = envelope.find(f"{{{SOAP}}}Body")[0]
        service, name = call.tag[1:].split("}")
        self.asked.append(name)
        if name != "GetSystemDateAndTime" and not self._signed(envelope):
            self.refused += 1
            return self._fault(401, "Sender", "NotAuthorized", "Sender not authorized")
        try:
            body = await getattr(self, f"_{name}", self._door)(name, call, request)
        except LookupError:
            return self._fault(400, "Sender", "InvalidArgVal", "no such token")
        except PermissionError:
            return self._fault(400, "Receiver", "ActionNotSupported", "not supported")
        return self._answer(200, f'<{name}Response xmlns="{service}">{body}</{name}Response>')

    async def _without_end(self, request):
        response = web.StreamResponse()
        await response.prepare(request)
        with_contents = b"<" * 65_536
        for _ in range(200):
            await response.write(with_contents)
        return response

    def _signed(self, envelope):
        found = {each.tag.split("}")[-1]: (each.text or "") for each in envelope.iter()}
        if self.gate is not None:
            return "UsernameToken" not in found
        if not {"Username", "Password", "Nonce", "Created"} <= set(found):
            return False
        nonce, created = base64.b64decode(found["Nonce"]), found["Created"]
        late = abs(datetime.fromisoformat(created) - self.now())
        raw = nonce + created.encode() + self.password.encode()
        right = base64.b64encode(hashlib.sha1(raw).digest()).decode()
        if nonce in self._nonces or late > TOLERANCE:
            return False
        self._nonces.add(nonce)
        return found["Username"] == self.user and found["Password"] == right

    def _answer(self, status, body):
        text = f'<s:Envelope xmlns:s="{SOAP}"><s:Body>{body}</s:Body></s:Envelope>'
        return web.Response(
            status=status, body=self.mangle(text.encode()), content_type="application/soap+xml"
        )

    def _fault(self, status, code, subcode, words):
        return self._answer(
            status,
            f'<s:Fault xmlns:ter="{TER}"><s:Code><s:Value>s:{code}</s:Value><s:Subcode>'
            f"<s:Value>ter:{subcode}</s:Value></s:Subcode></s:Code>"
            f'<s:Reason><s:Text xml:lang="en">{words}</s:Text></s:Reason></s:Fault>',
        )

    async def _GetSystemDateAndTime(self, name, call, request):
        now = self.now()
        return (
            f'<SystemDateAndTime><UTCDateTime xmlns="{TT}"><Time><Hour>{now.hour}</Hour><Minute>'
            f"{now.minute}</Minute><Second>{now.second}</Second></Time><Date><Year>{now.year}"
            f"</Year><Month>{now.month}</Month><Day>{now.day}</Day></Date></UTCDateTime>"
            "</SystemDateAndTime>"
        )

    async def _GetServices(self, name, call, request):
        # A device behind another address tells its own: only the path may be used.
        return "".join(
            f"<Service><Namespace>{each}</Namespace><XAddr>http://192.0.2.1{PATHS[each]}</XAddr>"
            f'<Version xmlns:t="{TT}"><t:Major>1</t:Major><t:Minor>0</t:Minor></Version></Service>'
            for each in sorted(self.services)
        )

    async def _GetDoorInfoList(self, name, call, request):
        def told(door):
            can = " ".join(f'{each}="true"' for each in door.can)
            return (
                f"<DoorInfo token={quoteattr(door.token)}><Name>{escape(door.name)}</Name>"
                f"<Capabilities {can}/></DoorInfo>"
            )

        return self._paged(call, [told(door) for door in self.doors.doors.values()])

    async def _GetAccessPointInfoList(self, name, call, request):
        return self._paged(
            call,
            [
                f"<AccessPointInfo token={quoteattr(point)}><Name>in</Name><Entity>{escape(door)}"
                "</Entity><Capabilities DisableAccessPoint='false'/></AccessPointInfo>"
                for point, door in self.doors.points.items()
            ],
        )

    def _paged(self, call, entries):
        start = int(next((each.text for each in call if each.tag.endswith("Reference")), "0"))
        end = start + self._page
        more = f"<NextStartReference>{end}</NextStartReference>" if end < len(entries) else ""
        return more + "".join(entries[start:end])

    async def _GetDoorState(self, name, call, request):
        door = self.doors.doors[call[0].text]
        told = ""
        if "DoorMonitor" in door.can:
            told += f"<DoorPhysicalState>{door.contact}</DoorPhysicalState>"
        if "LockMonitor" in door.can:
            told += f"<LockPhysicalState>{door.bolt}</LockPhysicalState>"
        told += f"<Alarm>{door.alarm}</Alarm><Tamper><State>{door.tamper}</State></Tamper>"
        if door.fault:
            why = escape(door.fault)
            told += f"<Fault><Reason>{why}</Reason><State>FaultDetected</State></Fault>"
        told = f"<DoorState>{told}<DoorMode>{door.mode}</DoorMode></DoorState>"
        await self.faults.on_its_way()
        return told

    async def _door(self, name, call, request):
        if name not in NEEDS:
            raise PermissionError(name)
        self.doors.operate(name, call[0].text)
        return ""

    async def _CreatePullPointSubscription(self, name, call, request):
        mark = str(len(self._queues) + 1)
        self._queues[mark] = asyncio.Queue()
        for door in self.doors.doors.values():
            self._publish(
                "tns1:Door/State/DoorMode",
                {"DoorToken": door.token},
                {"State": door.mode},
                how="Initialized",
                to=mark,
            )
        return (
            f'<SubscriptionReference><a:Address xmlns:a="{WSA}">http://192.0.2.1/onvif/sub'
            f'</a:Address><a:ReferenceParameters xmlns:a="{WSA}"><v:Id xmlns:v="{MARK}">{mark}'
            f"</v:Id></a:ReferenceParameters></SubscriptionReference>{self._times()}"
        )

    async def _PullMessages(self, name, call, request):
        queue = await self._queue(request)
        told = {each.tag.split("}")[-1]: each.text for each in call}
        wait = float(told["Timeout"].removeprefix("PT").removesuffix("S"))
        found = []
        try:
            async with asyncio.timeout(wait):
                found.append(await queue.get())
        except TimeoutError:
            pass
        while not queue.empty() and len(found) < int(told["MessageLimit"]):
            found.append(queue.get_nowait())
        return self._times() + "".join(found)

    async def _Renew(self, name, call, request):
        await self._queue(request)
        return self._times(WSNT)

    async def _Unsubscribe(self, name, call, request):
        self._queues.pop(self._mark(await request.read()), None)
        return ""

    async def _queue(self, request):
        return self._queues[self._mark(await request.read())]

    def _mark(self, raw):
        return ElementTree.fromstring(raw).findtext(f"{{{SOAP}}}Header/{{{MARK}}}Id")

    @property
    def subscriptions(self):
        """How many there are."""
        return len(self._queues)

    def _times(self, space=TEV):
        now = self.now()
        later = now + timedelta(seconds=60)
        return (
            f'<CurrentTime xmlns="{space}">{now.isoformat()}</CurrentTime>'
            f'<TerminationTime xmlns="{space}">{later.isoformat()}</TerminationTime>'
        )

    def _publish(self, topic, source, data, how="Changed", to=None):
        def told(part, values):
            simple = "".join(
                f"<tt:SimpleItem Name={quoteattr(name)} Value={quoteattr(value)}/>"
                for name, value in values.items()
            )
            return f"<tt:{part}>{simple}</tt:{part}>"

        time = self.now().isoformat().replace("+00:00", "Z")
        text = (
            f'<w:NotificationMessage xmlns:w="{WSNT}" xmlns:tt="{TT}"><w:Topic Dialect='
            f'"http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet">{topic}</w:Topic>'
            f'<w:Message><tt:Message UtcTime="{time}" PropertyOperation="{how}">'
            f"{told('Source', source)}{told('Data', data)}</tt:Message></w:Message>"
            "</w:NotificationMessage>"
        )
        for mark, queue in self._queues.items():
            if to in (None, mark):
                queue.put_nowait(text)
