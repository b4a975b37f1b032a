"""How a notifier learns which browsers to tell, and pages with which key browsers ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

import structlog

from hub.clock import Clock
from hub.config import Config
from hub.drivers import Drivers, words
from hub.identity import browsers
from hub.kinds import Subscription
from hub.storage.journal import Journal

KEY_WITHIN_S = 2.0

log = structlog.get_logger(__name__)


class Browsers:
    """The browsers that are told through one notifier."""

    def __init__(
        self, journal: Journal, config: Callable[[], Config], notifier: str, clock: Clock
    ) -> None:
        self._journal, self._clock = journal, clock
        self._config = config
        self._notifier = notifier

    async def of(self, people: Collection[str]) -> list[Subscription]:
        """Those of these people, or all where none is named. An account is a person's whose id or
        name it has.
        """
        known = self._config().people
        names = {*people, *(known[each].name for each in people if each in known)}
        return await self._journal.read(
            lambda connection: browsers.subscriptions(connection, self._notifier, names)
        )

    async def forget(self, subscription: str) -> None:
        """A browser that is gone."""
        now = self._clock.now()
        await self._journal.write(lambda c: browsers.unsubscribe(c, subscription, now))

    def ways(self) -> dict[str, Any]:
        """What a context says of them."""
        return {"subscriptions": self.of, "unsubscribe": self.forget}


def push_keys(drivers: Drivers) -> Callable[[], Awaitable[Mapping[str, str]]]:
    """A function that gives the key to subscribe with, by notifier, of those that tell browsers.
    One that does not answer at once is left out.
    """

    async def now() -> dict[str, str]:
        found: dict[str, str] = {}
        for kind, id_ in drivers.instances():
            instance = drivers.get(kind, id_).instance if kind == "notifiers" else None
            offer = getattr(instance, "application_server_key", None)
            if offer is None:
                continue
            try:
                async with asyncio.timeout(KEY_WITHIN_S):
                    key = str(await offer())
            except Exception as error:  # whatever a driver raises, the page goes on
                log.warning("no key to subscribe with", notifier=id_, reason=words(error))
            else:
                found |= {id_: key} if key else {}
        return found

    return now
