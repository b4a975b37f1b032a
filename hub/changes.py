"""What differs between two configurations, key by key, and what that means for what runs.

A change is *grave* when it touches what moves doors, what a protocol does or what follows once an
alert is verified: such a change is confirmed twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from hub.config import Config, DriverBlock, HostedBlock
from hub.kinds import KINDS, Kind
from hub.plainwords import describe
from hub.plugins import Registry
from hub.typewords import PRIVATE, KeyPath
from hub.yamlfile import Document
from hub.yamlsyntax import path_text

HIDDEN = "a hidden value"
NOTHING = ""
LONGEST = 80
LONGEST_GRAVE = 400  # who confirms must be able to read what it is

# Each part that can move a door, start a protocol or call for help adds the keys that decide it;
# `*` stands for any one key.
GRAVE: tuple[tuple[str, ...], ...] = (
    ("hub", "mqtt"),
    ("hub", "home_assistant"),
    ("access_control",),
    ("doors",),
    ("protocols",),
    ("inputs",),
    ("inbound", "*", "does"),
    ("hub", "drills"),
    ("places", "*", "in"),
    ("rules", "*", "verified"),
)

Instance = tuple[Kind, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One key that is new, gone or different; `before` and `after` are words, never a secret."""

    path: str
    kind: Literal["added", "removed", "changed"]
    before: str
    after: str
    grave: bool

    def __str__(self) -> str:
        match self.kind:
            case "added":
                return f"+ {self.path}: {self.after}"
            case "removed":
                return f"- {self.path}: {self.before}"
            case _:
                return f"  {self.path}: {self.before} → {self.after}"

    def as_dict(self) -> dict[str, Any]:
        """The change as a JSON object."""
        return asdict(self)


def changes(old: Document, new: Document, hidden: Collection[str] = frozenset()) -> list[Change]:
    """Every difference in what two files say, in the order of the newer one; what is `hidden`, or
    stands under a private key, is not shown.
    """
    return list(_Comparison(old, new, hidden).compare(old.values, new.values, ()))


@dataclass(frozen=True)
class _Comparison:
    old: Document
    new: Document
    hidden: Collection[str]

    def compare(self, before: Any, after: Any, path: KeyPath) -> Iterator[Change]:
        """Down into mappings and lists of mappings; anything else is compared as a whole."""
        if before == after and type(before) is type(after):
            return
        if isinstance(before, dict) and isinstance(after, dict):
            for key in [*after, *(key for key in before if key not in after)]:
                inner = (*path, key)
                if key not in before:
                    yield from self._each(inner, "added", after[key])
                elif key not in after:
                    yield from self._each(inner, "removed", before[key])
                else:
                    yield from self.compare(before[key], after[key], inner)
        elif _items(before) and _items(after) and len(before) == len(after):
            for index, pair in enumerate(zip(before, after, strict=True)):
                yield from self.compare(*pair, (*path, index))
        else:
            yield self._change(path, "changed", before, after)

    def _each(
        self, path: KeyPath, kind: Literal["added", "removed"], value: Any
    ) -> Iterator[Change]:
        """A whole section is told block by block."""
        blocks = isinstance(value, dict) and value and all(map(_is_mapping, value.values()))
        if len(path) == 1 and blocks:
            for key, block in value.items():
                yield from self._each((*path, key), kind, block)
        elif kind == "added":
            yield self._change(path, kind, None, value)
        else:
            yield self._change(path, kind, value, None)

    def _change(
        self,
        path: KeyPath,
        kind: Literal["added", "removed", "changed"],
        before: Any,
        after: Any,
    ) -> Change:
        grave = _is_grave(path, before) or _is_grave(path, after)
        longest = LONGEST_GRAVE if grave else LONGEST
        old, new = self._words(before, path, self.old), self._words(after, path, self.new)
        return Change(
            path=path_text(path),
            kind=kind,
            before=NOTHING if kind == "added" else _short(old, longest),
            after=NOTHING if kind == "removed" else _short(new, longest),
            grave=grave,
        )

    def _words(self, value: Any, path: KeyPath, document: Document) -> str:
        private = any(PRIVATE.search(str(part)) for part in path)
        if private or path in document.hidden or (value and str(value) in self.hidden):
            return HIDDEN
        if isinstance(value, dict):
            inner = (
                f"{key}: {self._words(each, (*path, key), document)}" for key, each in value.items()
            )
            return "{" + ", ".join(inner) + "}"
        if isinstance(value, list):
            inner = (self._words(each, (*path, at), document) for at, each in enumerate(value))
            return "[" + ", ".join(inner) + "]"
        if isinstance(value, str):
            return value or "an empty text"
        return describe(value).removeprefix("the number ")


def _items(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _short(words: str, longest: int) -> str:
    one_line = " ".join(words.split())
    return one_line if len(one_line) <= longest else f"{one_line[: longest - 1]}…"


def _is_grave(path: KeyPath, value: Any) -> bool:
    """Whether the change lies within a grave key, or takes one along."""
    for pattern in GRAVE:
        near = [want in ("*", part) for want, part in zip(pattern, path, strict=False)]
        if all(near) and (len(path) >= len(pattern) or _holds(value, pattern[len(path) :])):
            return True
    return False


def _holds(value: Any, keys: tuple[str, ...]) -> bool:
    if not keys:
        return True
    if not isinstance(value, dict):
        return False
    if keys[0] == "*":
        return any(_holds(each, keys[1:]) for each in value.values())
    return keys[0] in value and _holds(value[keys[0]], keys[1:])


# ------------------------------------------------------------------- instances


@dataclass(frozen=True, slots=True)
class Steps:
    """The driver instances that a new configuration starts, stops and starts afresh, and the access
    controllers that `adjust` to other doors in place.
    """

    start: tuple[Instance, ...] = ()
    stop: tuple[Instance, ...] = ()
    restart: tuple[Instance, ...] = ()
    adjust: tuple[Instance, ...] = ()

    def as_dict(self) -> dict[str, list[str]]:
        """The same as `kind/id` texts, for JSON and for people."""
        return {
            name: [f"{kind}/{id_}" for kind, id_ in getattr(self, name)]
            for name in ("start", "stop", "restart", "adjust")
        }


def steps(old: Config, new: Config, known: Registry, found: Registry) -> Steps:
    """Which instances two configurations differ in; `known` and `found` are their plugins.

    An instance is started afresh when its own settings, the site's broker or time zone (where it
    uses them) or its plugin's file are not what they were, and when its doors' devices are not and
    it cannot adopt others.
    """
    before, after = _needs(old, known), _needs(new, found)
    both = [one for one in after if one in before]
    moved = [
        one
        for one in both
        if one[0] == "access_control" and _devices(old, one[1]) != _devices(new, one[1])
    ]
    adjust = [one for one in moved if before[one] == after[one] and _adopts(new, found, one[1])]
    return Steps(
        start=tuple(one for one in after if one not in before),
        stop=tuple(one for one in before if one not in after),
        restart=tuple(
            one for one in both if before[one] != after[one] or (one in moved and one not in adjust)
        ),
        adjust=tuple(adjust),
    )


def edited_plugins(
    old: Config, new: Config, known: Registry, found: Registry, told: Collection[str]
) -> list[Change]:
    """A change for each block that stays as it is while its plugin's code does not."""
    before, after = _needs(old, known), _needs(new, found)
    return [
        Change(
            f"{kind}.{id_}", "changed", "its plugin as it was", "its plugin edited", _grave(kind)
        )
        for kind, id_ in after
        if (kind, id_) in before
        and before[kind, id_][0] != after[kind, id_][0]
        and not any(f"{path}.".startswith(f"{kind}.{id_}.") for path in told)
    ]


def _grave(kind: Kind) -> bool:
    return (kind,) in GRAVE


def _needs(config: Config, registry: Registry) -> Mapping[Instance, tuple[Any, ...]]:
    """All that an instance is built from but its doors, for each instance that is switched on."""
    found: dict[Instance, tuple[Any, ...]] = {}
    for kind in KINDS:
        for id_, block in config.drivers(kind).items():
            if block.enabled:
                plugin = registry.fingerprint(kind, block.driver)
                found[kind, id_] = (plugin, *_built_from(config, kind, block))
    return found


def _built_from(config: Config, kind: Kind, block: DriverBlock) -> tuple[Any, ...]:
    broker = config.hub.mqtt if kind == "access_control" else None
    zone = None if kind in ("cameras", "detectors") else config.hub.timezone
    apart = isinstance(block, HostedBlock) and block.isolate
    return (block.driver, apart, block.settings, broker, zone)


def _devices(config: Config, controller: str) -> dict[str, Any]:
    doors = config.doors.items()
    return {door: each.device for door, each in doors if each.controller == controller}


def _adopts(config: Config, registry: Registry, controller: str) -> bool:
    """Whether the controller takes other doors in place, which one in a plugin host does not."""
    block = config.access_control[controller]
    provider = registry.provider("access_control", block.driver)
    if block.isolate or provider is None or provider.source != "built-in":
        return False
    factory = registry.driver("access_control", block.driver).factory
    return callable(getattr(factory, "adopt", None))
