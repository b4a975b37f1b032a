"""One attempt at one notice: what the channel is given, and what it made of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args, get_type_hints

import structlog

from hub.errors import CommandFailed, NotReady, StateError
from hub.events import Event
from hub.kinds.notifiers import Notifier, Receipt
from hub.ports import Outcome
from hub.safety.intake import Intake
from hub.safety.lanes import of_hand
from hub.safety.notices import notice as notices
from hub.safety.notices.deadline import Deadlines, in_words
from hub.safety.notices.picture_links import PictureLinks
from hub.safety.notices.speaking import Speaking
from hub.safety.outbox import ActionRow, writable

TRIES = 4
STATES = get_args(get_type_hints(Receipt)["state"])

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Again:
    """An attempt that came to nothing. `tries` bounds how many there may be, 0 for any number;
    `after` is in how many seconds the other side wants the next, where it says so.
    """

    detail: str
    tries: int = 0
    after: float | None = None

    @classmethod
    def of(cls, error: Exception) -> Again:
        """What an exception of a driver means: as often as needed if it is not ready, else a few
        times.
        """
        if isinstance(error, NotReady):
            return cls(in_words(error), after=error.after)
        return cls(in_words(error), TRIES)


@dataclass(frozen=True, slots=True)
class Told(Outcome):
    """How a notice ended, with what the channel gave for it."""

    receipt: Receipt | None = None


class Telling:
    """Hands notices to channels. `base_url` stands before a notice's link."""

    def __init__(
        self,
        intake: Intake,
        notifiers: Mapping[str, Notifier],
        deadlines: Deadlines,
        base_url: str,
    ) -> None:
        self.base_url = base_url
        self.speaking = Speaking(Path())
        self.pictures = PictureLinks(os.urandom(32))
        self._intake = intake
        self._notifiers = notifiers
        self._deadlines = deadlines

    async def tell(
        self,
        action: ActionRow,
        earlier: Sequence[Mapping[str, str]] = (),
        picture: str = "",
    ) -> Outcome | Again:
        """Hand a notice over once; always ends, at the latest with its deadline. `earlier` is what
        the channel was given before about the same alert, `picture` the alert's, by name.
        """
        said = await self._said(action)
        # From here to the call nothing else runs: no notice meets half a change of configuration.
        channel = self._intake.config.notifiers.get(action.target)
        notifier = self._notifiers.get(action.target)
        if channel is None or not channel.enabled:
            reason = "is not configured" if channel is None else "is switched off"
            return Told("failed", f"the notifier {action.target} {reason}")
        if notifier is None:
            return Told("failed", f"the notifier {action.target} could not be built")
        try:
            by_detector = notices.basis(action) == "detector"
            if notifier.channel.public and by_detector:
                return Told("failed", "a public channel waits until a person has verified")
            ways = self._intake.config.hub.emergency.hand_off
            emergency = notifier.channel.emergency or action.target in ways
            if emergency and not of_hand(action.lane):
                return Told("failed", "emergency services wait until a person hands it over")
            notice = notices.notice(action, self.base_url, self._intake.words, earlier, said)
            if picture and self.base_url:
                path = self.pictures.path(action.alert, picture, self._intake.clock.now())
                notice = replace(notice, picture=f"{self.base_url.rstrip('/')}{path}")
            receipt = await self._deadlines.within(action.deadline_s, notifier.send(notice))
            _look_over(receipt)
        except TimeoutError:
            return Again(f"no answer within {action.deadline_s:g} s")
        except CommandFailed as error:
            return Told("failed", str(error))
        except Exception as error:
            return Again.of(error)
        if receipt.state == "failed":
            return Told("failed", receipt.detail or "the channel refused it", receipt)
        return Told("confirmed", receipt.detail or receipt.state, receipt)

    async def _said(self, action: ActionRow) -> tuple[str, str] | None:
        """Title and text in the words of its people; None where nothing better is found than what
        was written. A template of no use is told as an event.
        """
        intake = self._intake
        try:
            for file, why in await self.speaking.ready(intake.config):
                await self._tell_of(writable(str(file)), why)
            title, text, trouble = self.speaking.say(json.loads(action.payload), intake.words)
            if trouble:
                await self._tell_of(trouble.partition(": ")[0], trouble)
        except Exception:  # whatever it is: no choice of words costs an alert
            log.exception("a notice is said in the words it was written in", key=action.key)
            return None
        return title, text

    async def _tell_of(self, file: str, why: str) -> None:
        data = {"file": file, "reason": why}
        event = Event("template.failed", "hub/notices", self._intake.clock.now(), file, data)
        with suppress(StateError):  # health shows it as well
            await self._intake.accept(event)


def _look_over(receipt: object) -> None:
    """Raise `TypeError` unless it is what the contract says."""
    if not isinstance(receipt, Receipt):
        raise TypeError(f"expected a Receipt, found {type(receipt).__name__}")
    if not isinstance(receipt.id, str) or not isinstance(receipt.detail, str):
        raise TypeError("expected id and detail of a Receipt to be text")
    if receipt.state not in STATES:  # what is no state is no word that anybody was told
        raise TypeError(f"expected the state of a Receipt to be one of {', '.join(STATES)}")
