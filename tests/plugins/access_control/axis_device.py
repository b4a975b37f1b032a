"""An Axis door controller over a real socket: VAPIX door control in JSON, events by WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import weakref

from aiohttp import WSMsgType, web

from tests.plugins.access_control.digest_gate import HttpSimulator
from tests.plugins.access_control.door_machines import NEEDS, Door, Doors


class AxisController(HttpSimulator):
    """The device. `streams` is whether it has the WebSocket, `speaks_json` whether it has JSON."""

    def __init__(self, *doors: Door, page=2, **who):
        super().__init__(**who)
        self.doors = Doors(*(doors or (Door("Axis-1:1.0", "Front"),)))
        self.doors.tell = self._publish
        self._page = page
        self.streams = True
        self.speaks_json = True
        self.asked = []
        self._lines = {}
        self._boxes = weakref.WeakKeyDictionary()
        self._senders = {}

    @property
    def faults(self):
        """How it misbehaves."""
        return self.doors.faults

    @property
    def subscriptions(self):
        """How many listen and have said what for."""
        return sum(bool(topics) for topics in self._lines.values())

    def forget(self):
        super().forget()
        self.doors.stop()
        for line in self._lines:
            with contextlib.suppress(Exception):
                line._req.transport.abort()
        self._lines.clear()

    async def answer(self, request):
        """Whatever is asked by who was let in."""
        if request.path == "/vapix/ws-data-stream" and self.streams:
            return await self._stream(request)
        if request.method != "POST" or request.path not in ("/vapix/doorcontrol", "/vapix/pacs"):
            return web.Response(status=404, text="Not Found")
        if not self.speaks_json:
            return web.Response(status=503, text="Service Unavailable")
        try:
            ((name, said),) = (await request.json()).items()
        except ValueError:
            return self._fault("ter:InvalidArgVal", "malformed")
        self.asked.append(name)
        try:
            answer = self._do(request.path, name.partition(":")[2], said)
            if name == "tdc:GetDoorState":
                await self.faults.on_its_way()
            return web.json_response(answer)
        except LookupError:
            return self._fault("ter:TokenNotFound", "No such token")
        except PermissionError:
            return self._fault("ter:ActionNotSupported", "Not supported by this door")

    def _fault(self, code, words):
        body = {
            "Fault": "env:Sender",
            "FaultCode": "ter:InvalidArgVal",
            "FaultSubCode": code,
            "FaultReason": words,
            "FaultMsg": "",
        }
        return web.json_response(body, status=400)

    def _do(self, path, name, said):
        doors = self.doors.doors
        if path == "/vapix/pacs":
            if name != "GetAccessPointInfoList":
                raise PermissionError(name)
            found = [
                {"token": point, "Name": "in", "Entity": door, "EntityType": "tdc:Door"}
                for point, door in self.doors.points.items()
            ]
            return self._paged(said, "AccessPointInfo", found)
        if name == "GetDoorInfoList":
            found = [
                {
                    "token": door.token,
                    "Name": door.name,
                    "Capabilities": {each: each in door.can for each in (*door.can, "Warning")},
                }
                for door in doors.values()
            ]
            return self._paged(said, "DoorInfo", found)
        if name == "GetDoorState":
            return {"DoorState": self._state(doors[said["Token"]])}
        if name not in NEEDS:
            raise PermissionError(name)
        self.doors.operate(name, said["Token"])
        return {}

    def _paged(self, said, key, entries):
        start = int(said.get("StartReference", "0"))
        end = start + self._page
        more = {"NextStartReference": str(end)} if end < len(entries) else {}
        return {key: entries[start:end], **more}

    def _state(self, door):
        found = {"Alarm": door.alarm, "DoorMode": door.mode, "Tamper": {"State": door.tamper}}
        if "DoorMonitor" in door.can:
            found["DoorPhysicalState"] = door.contact
        if "LockMonitor" in door.can:
            found["LockPhysicalState"] = door.bolt
        if door.fault:
            found["Fault"] = {"State": "FaultDetected", "Reason": door.fault}
        return found

    async def _stream(self, request):
        line = web.WebSocketResponse()
        await line.prepare(request)
        self._lines[line] = []
        try:
            async for message in line:
                if message.type is WSMsgType.TEXT:
                    await self._configure(line, json.loads(message.data))
        finally:
            self._lines.pop(line, None)
            if (sender := self._senders.pop(line, None)) is not None:
                sender.cancel()
        return line

    async def _configure(self, line, said):
        answer = {"apiVersion": "1.0", "context": said.get("context"), "method": said["method"]}
        filters = said.get("params", {}).get("eventFilterList", [])
        if said["method"] != "events:configure" or not filters:
            await line.send_json({**answer, "error": {"code": 2103, "message": "Invalid"}})
            return
        await line.send_json({**answer, "data": {}})
        self._lines[line] = [each["topicFilter"].removesuffix("//.") for each in filters]
        for door in self.doors.doors.values():  # what is stateful is told anew
            self._publish(
                "tns1:Door/State/DoorMode", {"DoorToken": door.token}, {"State": door.mode}
            )

    def _publish(self, topic, source, data):
        note = {
            "topic": topic,
            "timestamp": int(time.time() * 1000),
            "message": {"source": source, "key": {}, "data": data},
        }
        text = json.dumps(
            {"apiVersion": "1.0", "method": "events:notify", "params": {"notification": note}}
        )
        for line, topics in self._lines.items():
            if any(topic.startswith(each) for each in topics):
                self._outbox(line).put_nowait(text)

    def _outbox(self, line):
        """Frames go out one after the other, as they were published."""
        if line not in self._senders:
            self._boxes[line] = asyncio.Queue()
            self._senders[line] = asyncio.create_task(self._send(line, self._boxes[line]))
        return self._boxes[line]

    async def _send(self, line, box):
        with contextlib.suppress(ConnectionError, RuntimeError):
            while not line.closed:
                await line.send_str(await box.get())
