"""Which values of a configuration are secret: a walk over the file as it was read.

Secret is what came from `!secret`, `!env` or a credential, what stands under a key whose name says
so or that its model hides, and a password within an address. What the hub needs as a word (names of
doors and places, states, verbs) is never taken for one, though somebody chose it as a password.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BaseModel

from hub import config, kinds, views
from hub.config import Config, DoorBlock
from hub.document import Document, KeyPath
from hub.events import EVENT_TYPES
from hub.kinds import KINDS, access_control, cameras, notifiers, visitors
from hub.plugins import Registry
from hub.typewords import PRIVATE, is_private

NAME_OF_A_HEADER = ("key", "header")  # where a key is sent, which a sender has to be told
_WORD = re.compile(r"[A-Za-z][A-Za-z_.-]*")
_SCHEME = re.compile(r"(?:bearer|basic|token|digest|apikey)\s+(\S+)", re.I)
_THIS_MACHINE = ("localhost", "127.0.0.1", "0.0.0.0", "::1")  # noqa: S104  (compared, not bound)
_SPOKEN = (config, kinds, views, access_control, cameras, notifiers, visitors)


def secret_values(document: Document, registry: Registry) -> frozenset[str]:
    """Every text of the file that must not be shown, whatever part of it could be read."""
    found: set[str] = set()
    names = set(_fixed_words())
    spoken: set[str] = set()
    for path, value in _leaves(document.values, ()):
        names.update(part for part in path if isinstance(part, str))
        secret = path in document.hidden or _private(document.values, path, registry)
        if secret:
            found.update(_said(value))
        elif isinstance(value, str) and _WORD.fullmatch(value):
            spoken.add(value)
        if isinstance(value, str) and "://" in value:
            found.update(_in_address(value))
    return frozenset(value for value in found - spoken if not any(value in name for name in names))


def _leaves(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _leaves(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _leaves(each, (*path, index))
    else:
        yield path, value


def _said(value: Any) -> Iterator[str]:
    """The value as text, and the credential alone where a scheme stands before it."""
    if value is None or isinstance(value, bool):
        return
    text = str(value)
    yield text
    if scheme := _SCHEME.fullmatch(text.strip()):
        yield scheme[1]


def _in_address(address: str) -> Iterator[str]:
    """Passwords in `scheme://user:password@host/?token=...`, as they stand and unquoted."""
    try:
        parts = urlsplit(address)
        asked = parse_qsl(parts.query)
    except ValueError:
        return
    person, at, _ = parts.netloc.rpartition("@")
    _, colon, password = person.partition(":")
    if at and colon:
        yield password
        yield unquote(password)
    yield from (value for name, value in asked if PRIVATE.search(name))


def _private(values: Any, path: KeyPath, registry: Registry) -> bool:
    """Whether the models hide what stands at a path. Names that people chose do not count."""
    section = path[0] if path else ""
    if section == "hub":
        return is_private(config.HubSettings, path[1:])
    if section not in Config.model_fields or len(path) < 3:
        return any(isinstance(part, str) and PRIVATE.search(part) for part in path)
    block, inner = values[section][path[1]], path[2:]
    if section == "doors" and inner[0] == "device":
        controllers = values.get("access_control")
        named = str(block.get("controller"))
        of = controllers.get(named) if isinstance(controllers, dict) else None
        model = _driver_model("access_control", of, registry, device=True)
        return is_private(model or DoorBlock, inner[1:])
    if section == "inbound" and inner == NAME_OF_A_HEADER:
        return False
    hubs = get_args(Config.model_fields[str(section)].annotation)[1]
    if is_private(hubs, inner):
        return True
    if section not in KINDS:
        return False
    model = _driver_model(str(section), block, registry)
    return model is not None and is_private(model, inner)


def _driver_model(
    kind: str, block: Any, registry: Registry, device: bool = False
) -> type[BaseModel] | None:
    name = block.get("driver") if isinstance(block, dict) else None
    for each in KINDS:
        driver = registry.drivers(each).get(str(name)) if each == kind else None
        if driver is not None:
            return driver.device if device else driver.config
    return None


@cache
def _fixed_words() -> frozenset[str]:
    """Words with a meaning to the hub: event types, states, verbs, kinds, this machine."""
    words = {*EVENT_TYPES, *KINDS, *_THIS_MACHINE}
    for module in _SPOKEN:
        for kind in _kinds_in(module):
            words.update(_literals(kind))
    return frozenset(words)


def _kinds_in(module: ModuleType) -> Iterator[Any]:
    for each in vars(module).values():
        yield each
        if isinstance(each, type) and each.__module__ == module.__name__:
            yield from typing.get_type_hints(each).values()


def _literals(kind: Any) -> Iterator[str]:
    if typing.get_origin(kind) is Literal:
        yield from (each for each in get_args(kind) if isinstance(each, str))
        return
    for each in get_args(kind) if typing.get_origin(kind) else ():
        yield from _literals(each)
