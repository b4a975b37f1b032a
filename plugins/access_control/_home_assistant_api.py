"""Home Assistant's WebSocket and REST API: who signs in, what is called, how entities stand."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from hub import Clock, CommandFailed, NotReady, from_iso
from plugins.access_control._json_object import json_object
from plugins.access_control._socket_line import Frame, SocketLine
from plugins.access_control._unreached import unreached

if TYPE_CHECKING:
    from aiohttp import ClientSession, ClientWebSocketResponse

READ_S = 4.0
SERVICE_S = 10.0  # Home Assistant answers once the lock's integration has done its part
LONGEST = 65_536
FRAME_BYTES = 4_194_304  # a state may carry pictures and lists
WHAT = "Home Assistant"


@dataclass(frozen=True, slots=True)
class EntityState:
    """How an entity stands, and since when Home Assistant knows: by this machine's clock."""

    state: str
    assumed: bool
    reported: str
    time: datetime


class HomeAssistant:
    """One Home Assistant. `changed` gets the new state of each entity that changes."""

    def __init__(
        self,
        url: str,
        token: str,
        clock: Clock,
        *,
        joined: Callable[[], Awaitable[None]],
        lost: Callable[[str], None],
        changed: Callable[[str, EntityState | None], None],
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._url, self._token, self._clock, self._trust = url.rstrip("/"), token, clock, trust
        self._joined, self._changed = joined, changed
        self.line = SocketLine(
            WHAT,
            f"ws{self._url.removeprefix('http')}/api/websocket",
            clock,
            joined=self._subscribed,
            lost=lost,
            heard=self._hear,
            opened=self._sign_in,
            longest=FRAME_BYTES,
            trust=trust,
        )

    async def call(self, domain: str, service: str, entity: str, data: Frame) -> None:
        """Have a service called. Raises `NotReady`, or `CommandFailed` where it is refused."""
        frame = {
            "type": "call_service",
            "domain": domain,
            "service": service,
            "target": {"entity_id": entity},
            "service_data": dict(data),
        }
        answer = await self.line.ask(frame, SERVICE_S)
        if answer.get("success") is not True:
            error = answer.get("error")
            said = str(error.get("message", ""))[:160] if isinstance(error, dict) else ""
            for secret in (self._token, *(str(each) for each in data.values())):
                said = said.replace(secret, "(hidden)")
            told = f"Home Assistant refused {domain}.{service} for {entity}"
            raise CommandFailed(f"{told}: {said or 'no reason given'}")

    async def state(self, session: ClientSession, entity: str) -> EntityState:
        """How an entity stands now. Raises `NotReady`, or `CommandFailed` where there is none."""
        status, date, body = await self._get(session, f"/api/states/{entity}")
        if status == 404:
            raise CommandFailed(f"Home Assistant has no entity {entity}")
        if status == 401:
            raise NotReady("Home Assistant does not take the token")
        found = json_object(body) or {}
        if status != 200 or not isinstance(found.get("state"), str):
            raise NotReady(f"Home Assistant answers HTTP {status} when asked for {entity}")
        if found.get("entity_id", entity) != entity:
            raise NotReady(f"Home Assistant answers of another entity when asked for {entity}")
        return self._read(found, date)

    async def hello(self, session: ClientSession) -> str:
        """Its version, as a signed-in user sees it. Raises `NotReady`."""
        status, _, body = await self._get(session, "/api/config")
        if status == 401:
            raise NotReady("Home Assistant does not take the token")
        version = (json_object(body) or {}).get("version")
        if status != 200 or not isinstance(version, str):
            raise NotReady(f"{self._url} answers HTTP {status}, not as Home Assistant")
        return f"Home Assistant {version[:20]}"

    async def _get(self, session: ClientSession, path: str) -> tuple[int, str, bytes]:
        from aiohttp import ClientError

        try:
            async with (
                asyncio.timeout(READ_S),
                session.get(
                    f"{self._url}{path}",
                    headers={"Authorization": f"Bearer {self._token}"},
                    ssl=self._trust or True,
                ) as answer,
            ):
                date = answer.headers.get("Date", "")
                return answer.status, date, await answer.content.read(LONGEST)
        except TimeoutError:
            raise NotReady(f"Home Assistant does not answer within {READ_S:g} s") from None
        except (ClientError, OSError, ValueError) as error:
            raise NotReady(f"Home Assistant is not reached: {unreached(error)}") from error

    async def _sign_in(self, socket: ClientWebSocketResponse) -> None:
        greeting = await socket.receive_json()
        if not isinstance(greeting, dict) or greeting.get("type") != "auth_required":
            raise NotReady("it answers, but not as Home Assistant")
        await socket.send_json({"type": "auth", "access_token": self._token})
        answer = await socket.receive_json()
        if not isinstance(answer, dict) or answer.get("type") != "auth_ok":
            raise NotReady("it does not take the token")

    async def _subscribed(self) -> None:
        answer = await self.line.ask({"type": "subscribe_events", "event_type": "state_changed"})
        if answer.get("success") is not True:
            raise NotReady("it does not let this user hear of changes")
        await self._joined()

    def _hear(self, frame: Frame) -> None:
        event = frame.get("event")
        data = event.get("data") if isinstance(event, dict) else None
        if not isinstance(data, dict) or event.get("event_type") != "state_changed":  # type: ignore[union-attr]
            return
        entity, new = data.get("entity_id"), data.get("new_state")
        if isinstance(entity, str):
            if isinstance(new, dict) and isinstance(new.get("state"), str):
                self._changed(entity, self._read(new, ""))
            else:
                self._changed(entity, None)

    def _read(self, found: Mapping[str, Any], date: str) -> EntityState:
        attributes = found.get("attributes")
        assumed = isinstance(attributes, dict) and attributes.get("assumed_state") is True
        reported = str(found.get("last_reported") or found.get("last_updated") or "")
        return EntityState(str(found["state"])[:64], assumed, reported, self._since(reported, date))

    def _since(self, reported: str, date: str) -> datetime:
        """When that was, by this machine's clock: its age is told by Home Assistant's own."""
        now = self._clock.now()
        try:
            age = parsedate_to_datetime(date) - from_iso(reported)
            return now - max(age, timedelta(0))
        except (ValueError, TypeError, OverflowError):
            return now  # an event, which is of this moment
