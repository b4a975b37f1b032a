"""The five kinds of driver, and what every driver is told when it is built.

A *kind* is what a plugin folder is called: cameras, detectors, access_control, notifiers, visitors.
These modules hold contracts and plain data only: no I/O, nothing of the hub's own machinery.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from hub.clock import Clock, SystemClock
from hub.events import Event

Kind = Literal["cameras", "detectors", "access_control", "notifiers", "visitors"]
KINDS: tuple[Kind, ...] = ("cameras", "detectors", "access_control", "notifiers", "visitors")

API_VERSIONS: Mapping[Kind, int] = {
    "cameras": 1,
    "detectors": 1,
    "access_control": 1,
    "notifiers": 1,
    "visitors": 1,
}


class Block(BaseModel):
    """Base of every piece of configuration: frozen, and an unknown key is an error.

    `renamed` maps keys of earlier versions to those of today: they still work, `check` says so and
    `vestibule config migrate` rewrites them.
    """

    renamed: ClassVar[Mapping[str, str]] = MappingProxyType({})
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def keys_of_today(cls, raw: Any) -> Any:
        """Values under keys of earlier versions go under those of today; both at once is wrong."""
        if not isinstance(raw, dict) or not cls.renamed.keys() & raw.keys():
            return raw
        for old, new in cls.renamed.items():
            if old in raw and new in raw:
                raise ValueError(f"expected `{new}` alone; `{old}` is its earlier name")
        return {cls.renamed.get(key, key): value for key, value in raw.items()}


@dataclass(frozen=True)
class Driver:
    """What a plugin announces: the name that YAML puts under `driver:`, and how to build one.

    `factory(config, context)` returns an object that keeps the kind's contract and must not block
    or touch the network; that is what `start()` is for. `config` is the model of the YAML block
    without `driver`, `enabled` and the keys the hub keeps for itself. `device` (access_control
    only) is the model of what a door says about itself under `device:`.
    """

    name: str
    factory: Callable[[Any, Context], Any]
    config: type[Block]
    summary: str
    api: int = 1
    device: type[Block] | None = None


@dataclass(frozen=True, slots=True)
class Probed:
    """What a driver's optional `probe()` found, where plain words are not enough.

    `found` says what was reached. A `remedy` makes it a warning: it works, yet somebody should do
    this. With `works` false it is bad. `complete` (cameras only) says that there is no video to
    open now, so that nobody tries.

    Every kind has the same optional method, `async def probe(self) -> str | Probed`. `vestibule
    doctor` calls it on an instance that was built for it alone and not started, possibly beside a
    running hub, then closes that. It reaches out and answers in words what was reached, or raises
    `NotReady` with the reason. It may be cancelled, and changes nothing outside: it sends no
    notice, moves no door, makes no sound, and joins no broker under the name of the running driver.
    """

    found: str
    remedy: str = ""
    works: bool = True
    complete: bool = False


async def _nowhere(event: Event) -> None:
    """Events of a driver that was built outside a hub go nowhere."""


async def _no_broker() -> BrokerAddress:
    from hub.errors import NotReady

    raise NotReady("no MQTT broker here: this driver was built outside a hub")


async def _no_subscriptions(people: Collection[str]) -> list[Subscription]:
    from hub.errors import NotReady

    raise NotReady("which browsers to tell is known only to notifiers of a hub")


async def _no_unsubscribe(subscription: str) -> None:
    """There is nothing to forget outside the hub."""


def _any_key() -> bytes:
    """A driver that was built outside a hub refers to credentials as nobody else does."""
    return secrets.token_bytes(32)


def _no_progress(label: str, done: int, total: int) -> None:
    """Progress of a driver that was built outside a hub is not shown."""


@dataclass(frozen=True)
class BrokerAddress:
    """Where the site's MQTT broker listens."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Subscription:
    """A browser in which somebody asked to be told (W3C Push API): its address at the push service,
    and the keys it gave (base64url). `person` is the name of the account.
    """

    id: str
    person: str
    endpoint: str = field(repr=False)
    p256dh: str = field(repr=False)
    auth: str = field(repr=False)


@dataclass(frozen=True)
class Context:
    """What the hub hands to a driver when it builds one.

    `name` is the key of the YAML block. `devices` maps door id to its parsed `device:` block
    (access_control only). `state` and `cache` are folders of the driver's own (made on first use by
    the driver); what is in `cache` may vanish between runs. `config_folder` is where the YAML file
    lies, for relative paths. `timezone` is the site's, an IANA name. `publish` hands an event to
    the journal and returns once it is committed. `broker` gives the site's MQTT broker, starting
    the built-in one when the configuration names none. `progress(label, done, total)` shows long
    work to people. `threads` is how many a detector may use for one look. `subscriptions(people)`
    gives a notifier the browsers in which these people (ids) asked to be told, all with none named,
    and `unsubscribe(id)` forgets one that is gone. `credential_key` is what `reference` is made
    with: the hub keeps one for its whole life, and makes it itself.
    """

    name: str
    clock: Clock = field(default_factory=SystemClock)
    state: Path = Path(".vestibule")
    cache: Path = Path(".vestibule/cache")
    config_folder: Path = Path()
    timezone: str = "UTC"
    devices: Mapping[str, Any] = field(default_factory=dict)
    publish: Callable[[Event], Awaitable[None]] = _nowhere
    broker: Callable[[], Awaitable[BrokerAddress]] = _no_broker
    progress: Callable[[str, int, int], None] = _no_progress
    threads: int = 1
    subscriptions: Callable[[Collection[str]], Awaitable[list[Subscription]]] = _no_subscriptions
    unsubscribe: Callable[[str], Awaitable[None]] = _no_unsubscribe
    credential_key: bytes = field(default_factory=_any_key, repr=False)

    def reference(self, text: str) -> str:
        """What stands for a card's number or a code in an `AccessReport`: 16 hexadecimal digits.

        The same text gives the same, over restarts and for every driver of this installation, and
        another in any other. Who has not its key cannot find the text, not even by trying all.
        """
        return hashlib.blake2b(
            text.encode("utf-8", "surrogatepass"), key=self.credential_key, digest_size=8
        ).hexdigest()
