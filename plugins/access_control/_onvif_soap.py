"""SOAP as ONVIF speaks it: envelopes, a user-name token in the device's own time, bounded answers.

Own words rather than `onvif-zeep-async`, which carries the WSDL files too: that never checks a
certificate and reads an answer of any length, neither of which will do at a door. A command here is
one element with one token in it. Entities and document types are refused (defusedxml).
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as tree
from xml.sax.saxutils import escape

from hub import Clock, CommandFailed, NotReady
from plugins.access_control._http_device import ANSWER_S, HttpDevice, RefusedUs, short

Element = tree.Element
SOAP = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
DIGEST = f"{_OASIS}username-token-profile-1.0#PasswordDigest"
BASE64 = f"{_OASIS}soap-message-security-1.0#Base64Binary"
TDS = "http://www.onvif.org/ver10/device/wsdl"
TDC = "http://www.onvif.org/ver10/doorcontrol/wsdl"
TAC = "http://www.onvif.org/ver10/accesscontrol/wsdl"
TEV = "http://www.onvif.org/ver10/events/wsdl"
WSNT = "http://docs.oasis-open.org/wsn/b-2"
DEEPEST = 64
DRIFT = timedelta(seconds=3)


class Fault(CommandFailed):
    """The device answered with a fault. `code` is the innermost one, without its prefix."""

    def __init__(self, code: str, reason: str) -> None:
        self.code = code
        super().__init__(f"the controller said no: {reason or code or 'without a reason'}")


class Soap:
    """Calls to one device. Its clock may be wrong; tokens are made in its time, not in ours."""

    def __init__(
        self,
        http: HttpDevice,
        clock: Clock,
        name: str | None,
        password: str | None,
        time_path: str,
    ) -> None:
        self._http = http
        self._time_path = time_path
        self._clock = clock
        self._name = name
        self._password = password
        self.ahead = timedelta()

    async def learn_time(self) -> None:
        """Ask for its time, which needs no password."""
        answer = await self._once(
            self._time_path, f'<GetSystemDateAndTime xmlns="{TDS}"/>', signed=False
        )
        moment = _utc(answer)
        self.ahead = moment - self._clock.now() if moment is not None else timedelta()

    def address(self, path: str) -> str:
        """The whole address of a service."""
        return str(self._http.address(path))

    def our_time(self, text: str) -> datetime:
        """A time of the device in our clock, never later than now; now where it is none."""
        now = self._clock.now()
        try:
            moment = datetime.fromisoformat(text[:40])
        except ValueError:
            return now
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        try:
            return min(now, moment - self.ahead)
        except OverflowError:
            return now

    async def call(
        self,
        path: str,
        body: str,
        *,
        action: str = "",
        headers: str = "",
        within: float = ANSWER_S,
    ) -> Element:
        """The element in the body of the answer. Raises `Fault`, or `NotReady`.

        A device whose clock was set meanwhile refuses our token: its time is learnt again, once.
        """
        try:
            return await self._once(path, body, action=action, headers=headers, within=within)
        except RefusedUs:
            before = self.ahead
            await self.learn_time()
            if abs(self.ahead - before) < DRIFT:
                raise
        return await self._once(path, body, action=action, headers=headers, within=within)

    async def _once(
        self,
        path: str,
        body: str,
        *,
        action: str = "",
        headers: str = "",
        signed: bool = True,
        within: float = ANSWER_S,
    ) -> Element:
        envelope = (
            f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{SOAP}"><s:Header>'
            f"{self._security() if signed else ''}{headers}</s:Header>"
            f"<s:Body>{body}</s:Body></s:Envelope>"
        )
        kind = "application/soap+xml; charset=utf-8" + (f'; action="{action}"' if action else "")
        answer = await self._http.ask(
            "POST", path, data=envelope.encode(), headers={"Content-Type": kind}, within=within
        )
        if answer.refused_us:
            raise self._http.refused
        found = _body(answer.body)
        if found is None:
            raise NotReady(f"{self._http.where} answers what is no SOAP (HTTP {answer.status})")
        if found.tag == f"{{{SOAP}}}Fault":
            raise self._fault(found)
        return found

    def _fault(self, fault: Element) -> Exception:
        codes = [_local(each.text or "") for each in fault.iter(f"{{{SOAP}}}Value")]
        code = codes[-1] if codes else ""
        if code in ("NotAuthorized", "FailedAuthentication"):
            return self._http.refused
        reason = next((each.text or "" for each in fault.iter(f"{{{SOAP}}}Text")), "")
        return Fault(short(code), short(reason))

    def _security(self) -> str:
        if self._name is None or self._password is None:
            return ""
        nonce = os.urandom(16)
        moment = (self._clock.now() + self.ahead).astimezone(UTC)
        created = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        digest = hashlib.sha1(  # the standard's own choice
            nonce + created.encode() + self._password.encode(), usedforsecurity=False
        ).digest()
        return (
            f'<w:Security xmlns:w="{WSSE}" xmlns:u="{WSU}" s:mustUnderstand="1"><w:UsernameToken>'
            f"<w:Username>{escape(self._name)}</w:Username>"
            f'<w:Password Type="{DIGEST}">{base64.b64encode(digest).decode()}</w:Password>'
            f'<w:Nonce EncodingType="{BASE64}">{base64.b64encode(nonce).decode()}</w:Nonce>'
            f"<u:Created>{created}</u:Created></w:UsernameToken></w:Security>"
        )


def token_body(namespace: str, operation: str, token: str) -> str:
    """The body of a call that names one thing by its token."""
    return f'<{operation} xmlns="{namespace}"><Token>{escape(token)}</Token></{operation}>'


def path_of(address: str) -> str:
    """The path of a service's address: a device may only lead us to itself."""
    parts = urlsplit(address.strip())
    path = parts.path if parts.path.startswith("/") else f"/{parts.path}"
    return f"{path}?{parts.query}" if parts.query else path


def texts(element: Element, name: str) -> Iterator[str]:
    """The text of all elements of a name below, whatever their namespace."""
    for each in element.iter():
        if _local(each.tag) == name:
            yield (each.text or "").strip()


def text(element: Element, name: str) -> str:
    """The first of them; empty where there is none."""
    return next(texts(element, name), "")


def children(element: Element, name: str) -> Iterator[Element]:
    """All elements of a name below, whatever their namespace."""
    return (each for each in element.iter() if _local(each.tag) == name)


def items(element: Element, name: str) -> dict[str, str]:
    """The simple items in the element `name` (`Source`, `Data`) of an event, by name."""
    part = next(children(element, name), None)
    if part is None:
        return {}
    return {each.get("Name", ""): each.get("Value", "") for each in children(part, "SimpleItem")}


def echoed(address: Element) -> str:
    """The reference parameters of an endpoint, which go back to it as headers (WS-Addressing)."""
    part = next(children(address, "ReferenceParameters"), None)
    raw = (
        "".join(tree.tostring(each, encoding="unicode") for each in part)
        if part is not None
        else ""
    )
    return raw if len(raw) <= 4096 else ""


def _body(raw: bytes) -> Element | None:
    """The first element in the body of an envelope; None where it is no envelope."""
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        envelope = fromstring(raw, forbid_dtd=True)
    except (tree.ParseError, DefusedXmlException, ValueError, RecursionError):
        return None
    if _local(envelope.tag) != "Envelope" or _deeper_than(envelope, DEEPEST):
        return None
    body: Any = next((each for each in envelope if _local(each.tag) == "Body"), None)
    return next(iter(body), None) if body is not None else None


def _deeper_than(element: Element, most: int) -> bool:
    level = [element]
    for _ in range(most):
        level = [child for each in level for child in each]
        if not level:
            return False
    return True


def _local(name: object) -> str:
    return re.split(r"[}:]", str(name))[-1]


def _utc(answer: Element) -> datetime | None:
    part = next(children(answer, "UTCDateTime"), None)
    if part is None:
        return None
    names = ("Year", "Month", "Day", "Hour", "Minute", "Second")
    try:
        year, month, day, hour, minute, second = (int(text(part, name)) for name in names)
        return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return None
