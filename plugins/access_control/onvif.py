"""Doors of an ONVIF Profile C controller: door control over SOAP, events by pull point."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Annotated
from xml.sax.saxutils import escape

from pydantic import Field, StringConstraints

from hub import CommandFailed, Context, Driver, NotReady, hookimpl
from plugins.access_control._door_control import (
    DoorControl,
    DoorControlDevice,
    DoorNote,
    DoorState,
    Operation,
    points,
)
from plugins.access_control._http_device import ANSWER_S, HttpConfig, RefusedUs
from plugins.access_control._onvif_soap import (
    TAC,
    TDC,
    TDS,
    TEV,
    WSA,
    WSNT,
    Element,
    Fault,
    Soap,
    children,
    echoed,
    items,
    path_of,
    text,
    token_body,
)
from plugins.access_control._read_back import NoEvents

PULL_S = 8
PULLED = 128
LASTS_S = 60
RENEW_S = 25.0
PAGES = 50
LEAVE_S = 0.3
_PULL = f"{TEV}/PullPointSubscription/PullMessagesRequest"
_SUBSCRIBE = f"{TEV}/EventPortType/CreatePullPointSubscriptionRequest"
_RENEW = "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager/RenewRequest"
_LEAVE = "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager/UnsubscribeRequest"


class OnvifConfig(HttpConfig):
    """An ONVIF controller, signed in to with a digest in the SOAP header or over HTTP."""

    path: Annotated[str, StringConstraints(pattern=r"^/[^\s?#]*$")] = Field(
        "/onvif/device_service", description="Where its device service is."
    )
    sign_messages: bool = Field(
        True,
        description="Sign each message in its header (WS-UsernameToken); false where the "
        "controller knows its users by HTTP digest alone.",
    )


class OnvifDoors(DoorControl):
    """The doors behind one ONVIF controller."""

    _config: OnvifConfig

    def __init__(self, config: OnvifConfig, context: Context) -> None:
        super().__init__(config, context)
        name = config.username if config.sign_messages else None
        self._soap = Soap(self._http, context.clock, name, config.password, config.path)
        self._services: dict[str, str] = {}

    async def _meet(self) -> None:
        await self._soap.learn_time()
        body = f'<GetServices xmlns="{TDS}"><IncludeCapability>false</IncludeCapability>'
        try:
            found = await self._soap.call(self._config.path, f"{body}</GetServices>")
        except Fault as error:
            raise NotReady(f"{self._http.where} does not tell its services: {error}") from None
        self._services = {
            text(each, "Namespace"): path_of(text(each, "XAddr"))
            for each in children(found, "Service")
        }
        if TDC not in self._services:
            raise NotReady(f"{self._http.where} offers no door control (ONVIF Profile C)")
        try:
            doors = [each async for each in self._all(TDC, "GetDoorInfoList", "DoorInfo")]
        except Fault as error:
            raise NotReady(f"{self._http.where} does not tell its doors: {error}") from None
        self._known_doors({each.get("token", ""): _capabilities(each) for each in doors})
        self._points = await self._access_points()

    async def _state(self, token: str) -> DoorState:
        found = await self._door("GetDoorState", token)
        state = next(children(found, "DoorState"), found)
        tamper, fault = (next(children(state, name), None) for name in ("Tamper", "Fault"))
        return DoorState(
            mode=text(state, "DoorMode"),
            lock=text(state, "LockPhysicalState"),
            position=text(state, "DoorPhysicalState"),
            alarm=text(state, "Alarm"),
            tamper=text(tamper, "State") if tamper is not None else "",
            fault=text(fault, "State") if fault is not None else "",
            reason=text(fault, "Reason") if fault is not None else "",
        )

    async def _do(self, operation: Operation, token: str) -> None:
        await self._door(operation, token)

    async def _door(self, operation: str, token: str) -> Element:
        if TDC not in self._services:
            raise NotReady(f"no link to {self._http.where}")
        body = token_body(TDC, operation, token)
        found = await self._soap.call(self._services[TDC], body, action=f"{TDC}/{operation}")
        if found.tag != f"{{{TDC}}}{operation}Response":
            raise NotReady(f"{self._http.where} did not answer what was asked")
        return found

    async def _listen(self) -> None:
        if TEV not in self._services:
            raise NoEvents
        begin = f'<CreatePullPointSubscription xmlns="{TEV}"><InitialTerminationTime>'
        begin += f"PT{LASTS_S}S</InitialTerminationTime></CreatePullPointSubscription>"
        try:
            found = await self._soap.call(self._services[TEV], begin, action=_SUBSCRIBE)
        except Fault:
            raise NoEvents from None
        reference = next(children(found, "SubscriptionReference"), found)
        mine = _Subscription(self._soap, path_of(text(reference, "Address")), echoed(reference))
        self._look_everywhere()
        try:
            await self._pull(mine)
        except Fault as error:
            raise NotReady(f"{self._http.where} ended our subscription: {error}") from None
        finally:
            with contextlib.suppress(NotReady, CommandFailed, TimeoutError):
                async with asyncio.timeout(LEAVE_S):
                    await mine.ask(f'<Unsubscribe xmlns="{WSNT}"/>', _LEAVE)

    async def _pull(self, mine: _Subscription) -> None:
        renewed = self._clock.monotonic()
        pull = f'<PullMessages xmlns="{TEV}"><Timeout>PT{PULL_S}S</Timeout>'
        pull += f"<MessageLimit>{PULLED}</MessageLimit></PullMessages>"
        while True:
            found = await mine.ask(pull, _PULL, within=PULL_S + ANSWER_S)
            for each in children(found, "NotificationMessage"):
                self._hear(self._note(each))
            if self._clock.monotonic() - renewed >= RENEW_S:
                renewed = self._clock.monotonic()
                renew = f'<Renew xmlns="{WSNT}"><TerminationTime>PT{LASTS_S}S'
                await mine.ask(f"{renew}</TerminationTime></Renew>", _RENEW)

    def _note(self, notification: Element) -> DoorNote:
        message = next(
            (each for each in children(notification, "Message") if each.get("UtcTime")), None
        )
        moment, how = "", ""
        if message is not None:
            moment, how = message.get("UtcTime", ""), message.get("PropertyOperation", "")
        return DoorNote(
            topic=text(notification, "Topic"),
            time=self._soap.our_time(moment),
            source=items(notification, "Source"),
            data=items(notification, "Data"),
            first=how == "Initialized",
        )

    async def _access_points(self) -> dict[str, str]:
        if TAC not in self._services:
            return {}
        try:
            found = [
                each async for each in self._all(TAC, "GetAccessPointInfoList", "AccessPointInfo")
            ]
        except (Fault, RefusedUs):
            return {}
        return points((each.get("token", ""), text(each, "Entity")) for each in found)

    async def _all(self, service: str, operation: str, name: str) -> AsyncIterator[Element]:
        """Each entry of a list that is told in pages."""
        start = ""
        for _ in range(PAGES):
            found = await self._soap.call(
                self._services[service],
                f'<{operation} xmlns="{service}">{start}</{operation}>',
                action=f"{service}/{operation}",
            )
            for each in children(found, name):
                yield each
            following = text(found, "NextStartReference")
            if not following:
                return
            start = f"<StartReference>{escape(following)}</StartReference>"


class _Subscription:
    """One subscription: where it is, and the headers that name it."""

    def __init__(self, soap: Soap, path: str, named: str) -> None:
        self._soap = soap
        self._path = path
        self._named = named

    async def ask(self, body: str, action: str, within: float = ANSWER_S) -> Element:
        headers = f'<a:Action xmlns:a="{WSA}" s:mustUnderstand="1">{action}</a:Action>'
        headers += f'<a:To xmlns:a="{WSA}">{escape(self._soap.address(self._path))}</a:To>'
        return await self._soap.call(
            self._path, body, action=action, headers=headers + self._named, within=within
        )


def _capabilities(door: Element) -> frozenset[str]:
    found = next(children(door, "Capabilities"), None)
    if found is None:
        return frozenset()
    return frozenset(name for name, value in found.items() if value in ("true", "1"))


@hookimpl
def vestibule_access_control() -> Iterable[Driver]:
    """Announce the driver."""
    summary = "ONVIF Profile C controllers: door control over SOAP, with the device's own lockdown"
    return [Driver("onvif", OnvifDoors, OnvifConfig, summary, device=DoorControlDevice)]
