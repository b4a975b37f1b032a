"""Answers that people give at a provider: who has taken which alert on, in PagerDuty or in Slack.

Sources: PagerDuty's webhooks v3 (*Webhook payload*, *Verifying signatures*), Slack's *Verifying
requests from Slack* and *block_actions payloads*. Nothing but taking an alert on is heard: a
verdict is given where the alert and its picture are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from hub.inbound.blocks import Signature

TAKE_ON = "take_on"
LONGEST_NAME = 80
# How each signs; `X-PagerDuty-Signature` has several while a secret changes over.
SIGNED: Mapping[str, Mapping[str, str]] = {
    "pagerduty": {"header": "X-PagerDuty-Signature", "form": "v1={signature}"},
    "slack": {
        "header": "X-Slack-Signature",
        "form": "v0={signature}",
        "timestamp": "X-Slack-Request-Timestamp",
        "signs": "v0:{timestamp}:{body}",
    },
}


class NoAnswer(Exception):
    """The message says that nobody has taken anything on; the words say what it is."""


class NotReadable(Exception):
    """The message is not of the form that the provider documents."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Somebody takes an alert on: by the key of the notice they were given, or by the alert."""

    by: str
    key: str = ""
    alert: str = ""


def signature_of(format_: str, signature: Signature) -> Signature:
    """How messages of a provider are signed: as it documents, with the secret of the block."""
    return signature.model_copy(update=dict(SIGNED.get(format_, {})))


def read_answer(format_: str, body: bytes) -> Answer:
    """What somebody answers. Raises `NoAnswer` and `NotReadable`."""
    try:
        return _OF[format_](body)
    except (ValueError, RecursionError) as error:
        raise NotReadable(f"the message is not of {format_}'s form") from error


def _of_pagerduty(body: bytes) -> Answer:
    event = _block(json.loads(body), "event")
    kind = event.get("event_type")
    if kind != "incident.acknowledged":
        raise NoAnswer(f"{str(kind)[:60]}: only incident.acknowledged counts")
    alert = _text(_block(event, "data"), "incident_key")
    if not alert:
        raise NoAnswer("an incident without a key, so of no alert of this hub")
    agent = event.get("agent")
    return Answer(_name(agent.get("summary") if isinstance(agent, dict) else None), alert=alert)


def _of_slack(body: bytes) -> Answer:
    fields = parse_qs(body.decode(), max_num_fields=10)
    given = json.loads(fields.get("payload", [""])[0])
    if not isinstance(given, dict) or given.get("type") != "block_actions":
        raise NoAnswer("only the press of a button counts")
    actions = given.get("actions")
    for action in actions if isinstance(actions, list) else ():
        if isinstance(action, dict) and action.get("action_id") == TAKE_ON:
            user = _block(given, "user")
            return Answer(_name(user.get("name") or user.get("username")), _text(action, "value"))
    raise NoAnswer("no button of this hub")


_OF = {"pagerduty": _of_pagerduty, "slack": _of_slack}


def _block(given: Any, name: str) -> dict[str, Any]:
    found = given.get(name) if isinstance(given, dict) else None
    if not isinstance(found, dict):
        raise ValueError(f"nothing under {name}")
    return found


def _text(given: dict[str, Any], name: str) -> str:
    found = given.get(name)
    return found if isinstance(found, str) and len(found) <= 200 else ""


def _name(said: object) -> str:
    """Who it was, as the provider says: a name, or nobody in particular."""
    text = said if isinstance(said, str) else ""
    plain = "".join(c for c in " ".join(text.split()) if c.isprintable())
    return plain[:LONGEST_NAME] or "somebody"
