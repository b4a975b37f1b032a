"""Names that must lead somewhere: one table of who may name what, and a few rules beside it.

Everything here looks at plain values, so that a block with another fault is still followed. What a
driver's own keys name is declared on its fields with `Names`.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Union

from pydantic import BaseModel

from hub.config import Config
from hub.document import KeyPath
from hub.events import EVENT_TYPES
from hub.identity.permissions import PERMISSIONS, ROLES
from hub.names import Named, Names
from hub.plainwords import Finding, describe, meant
from hub.typewords import whole_type
from hub.value_patterns import Values, block_of, event_types, is_off, matches, names_in

EVENTS_HINT = "all are in docs/reference/config.md#events"


@dataclass(frozen=True, slots=True)
class Target:
    """What a name must be: in words, and which there are. `sections` is where they stand."""

    what: str
    known: Callable[[Values], Collection[str]]
    sections: tuple[str, ...] = ()
    plain: Callable[[str], str] = str


@dataclass(frozen=True, slots=True)
class Reference:
    """Values at `pattern`, as `matches` understands it, must name one of `target`."""

    pattern: str
    target: Target


def _section(name: str, what: str) -> Target:
    return Target(what, lambda values: names_in(values, name), (name,))


def _roles(values: Values) -> list[str]:
    return [*ROLES, *(name for name in names_in(values, "roles") if name not in ROLES)]


def _tellable(values: Values) -> list[str]:
    """People, and roles that somebody has; where that is misspelt, the role that was meant."""
    people, roles = values.get("people"), _roles(values)
    blocks = people.values() if isinstance(people, dict) else ()
    held = [str(block.get("role")) for block in blocks if isinstance(block, dict)]
    meant_roles = (each for role in held for each in get_close_matches(role, roles, n=1))
    return [*names_in(values, "people"), *dict.fromkeys(meant_roles)]


def _protocols(values: Values) -> Collection[str]:
    return typing.get_args(typing.get_args(Config.model_fields["protocols"].annotation)[0])


PLACE = _section("places", "a place under `places:`")
DOOR = _section("doors", "a door under `doors:`")
CAMERA = _section("cameras", "a camera under `cameras:`")
DETECTOR = _section("detectors", "a detector under `detectors:`")
CONTROLLER = _section("access_control", "a controller under `access_control:`")
CHANNEL = _section("notifiers", "a notifier under `notifiers:`")
SCHEDULE = _section("schedules", "a schedule under `schedules:`")
PERSON = _section("people", "a person under `people:`")
ROLE = Target("a role under `roles:` or a built-in one", _roles, ("roles",))
TELLABLE = Target("a person under `people:` or a role that one of them has", _tellable, ("people",))
PERMISSION = Target("a permission", lambda values: list(PERMISSIONS))
PROTOCOL = Target("a protocol", _protocols)

# Where a rule says what has to hold; some may be written as one block instead of a list.
CONDITIONS = (
    "rules.*.if",
    *(
        f"rules.*.{key}{one}.if"
        for key in ("followed_by", "unless", "alert.graver")
        for one in ("", ".[]")
    ),
)

REFERENCES: tuple[Reference, ...] = tuple(
    Reference(pattern, target)
    for pattern, target in (
        ("places.*.in", PLACE),
        *((f"{part}.place", PLACE) for part in ("cameras.*", "doors.*", "visitors.*", "inputs.*")),
        ("cameras.*.detector", DETECTOR),
        ("cameras.*.zones.[].place", PLACE),
        *((f"{part}.*.controller", CONTROLLER) for part in ("doors", "inbound")),
        ("doors.*.leads_to", PLACE),
        ("doors.*.unlocked", SCHEDULE),
        *(
            (f"inbound.*.fields.{key}.{value}", target)
            for key, target in (("place", PLACE), ("camera", CAMERA), ("door", DOOR))
            for value in ("as.*", "otherwise")
        ),
        ("people.*.role", ROLE),
        ("people.*.contact.@", CHANNEL),
        ("people.*.prefer.[]", CHANNEL),
        ("people.*.quiet", SCHEDULE),
        ("notifiers.*.fallback", CHANNEL),
        *((f"{part}.[]", PERMISSION) for part in ("roles.*.may", "hub.reason_for")),
        *(("roles.*.places.[]", PLACE), ("roles.*.cameras.[]", CAMERA)),
        *(("roles.*.hours", SCHEDULE), ("roles.*.break_glass.[]", PERMISSION)),
        ("schedules.*.between", SCHEDULE),
        ("schedules.*.holidays_of", SCHEDULE),
        *(
            (f"{condition}.{key}", target)
            for condition in CONDITIONS
            for key, target in (
                ("place", PLACE),
                ("camera", CAMERA),
                ("door", DOOR),
                ("during", SCHEDULE),
                ("outside", SCHEDULE),
            )
        ),
        ("rules.*.alert.tell.[]", TELLABLE),
        ("rules.*.alert.through.[]", CHANNEL),
        ("rules.*.verified.[].door.doors.[]", DOOR),
        ("rules.*.verified.[].door.place", PLACE),
        ("rules.*.verified.[].notify.tell.[]", TELLABLE),
        ("rules.*.verified.[].notify.through.[]", CHANNEL),
        ("protocols.*.doors.[].doors.[]", DOOR),
        ("protocols.*.doors.[].place", PLACE),
        ("protocols.*.tell.[]", TELLABLE),
        ("protocols.*.through.[]", CHANNEL),
        ("protocols.*.area", PLACE),
        ("hub.emergency.hand_off.[]", CHANNEL),
        *((f"hub.sign_in.{e}", ROLE) for e in ("second_factor.[]", "provider.roles.*", "idle.@")),
        *((f"hub.{part}.tell.[]", TELLABLE) for part in ("duress", "break_glass")),
        *((f"hub.{part}.through.[]", CHANNEL) for part in ("duress", "break_glass", "drills")),
    )
)

DECLARED: Mapping[Named, Target] = {
    "place": PLACE,
    "door": DOOR,
    "camera": CAMERA,
    "detector": DETECTOR,
    "controller": CONTROLLER,
    "notifier": CHANNEL,
    "schedule": SCHEDULE,
    "person": PERSON,
    "role": ROLE,
    "protocol": PROTOCOL,
}


@dataclass(frozen=True)
class Surroundings:
    """What references are followed through: the file's `values`, and where its files lie.

    `hidden` paths are never shown; `complete` says whether all of a section could be read, for a
    name that stands in an unread file is not wrong. `models` is the folder of installed models,
    where it is known.
    """

    values: Values
    folder: Path
    models: Path | None = None
    hidden: Collection[KeyPath] = ()
    complete: Callable[[str], bool] = lambda section: True


def reference_findings(around: Surroundings, references: Iterable[Reference]) -> Iterator[Finding]:
    """Every name that leads nowhere, places that contain themselves, unknown event types."""
    for reference in references:
        target, at_key = reference.target, reference.pattern.endswith("@")
        known = dict.fromkeys(target.known(around.values))
        for path, value in matches(around.values, reference.pattern):
            yield from _followed(around, path, value, target, known, at_key)
    yield from _place_cycles(around.values)
    yield from _event_types(around.values)
    yield from _switched_off(around.values)


def declared_findings(
    around: Surroundings, model: type[BaseModel], raw: object, path: KeyPath
) -> Iterator[tuple[Finding, bool]]:
    """What a driver's block at `path` names that is not there, and whether it is only a note."""
    for inner, value, what in _declared(model, raw, ()):
        where = (*path, *inner)
        if what in DECLARED:
            target = DECLARED[what]
            known = target.known(around.values)
            for finding in _followed(around, where, value, target, known, False):
                yield finding, False
        elif not isinstance(value, str):
            continue
        elif what == "file" or "/" in value or value.endswith(".onnx"):
            if not _is_there(value, around.folder, what):
                shown = describe(value, where in around.hidden)
                words = f"there is no file {shown} here; expected it where the hub runs"
                yield Finding(where, words), True
        else:
            target = _model(around.models)
            known = target.known(around.values)
            for finding in _followed(around, where, value, target, known, False):
                hint = finding.hint or "`vestibule models list` shows what there is"
                yield Finding(finding.path, finding.message, hint=hint), around.models is None


def _followed(
    around: Surroundings,
    path: KeyPath,
    value: object,
    target: Target,
    known: Collection[str],
    at_key: bool,
) -> Iterator[Finding]:
    if not isinstance(value, str) or target.plain(value) in known:
        return
    if not all(around.complete(name) for name in target.sections):
        return
    some = f" ({', '.join(known)})" if 0 < len(known) <= 8 else ""
    choices = some or ("" if known else " (there is none)")
    words = f"{describe(value, path in around.hidden)} names nothing; expected {target.what}"
    hint = "" if path in around.hidden else meant(value, known)
    yield Finding(path, words + choices, "key" if at_key else "value", hint)


def _is_there(name: str, folder: Path, what: Named) -> bool:
    file = Path(name).expanduser()
    try:  # a model may be named from where the hub runs, too
        return (folder / file).is_file() or (what == "model" and file.is_file())
    except (OSError, ValueError):
        return False


def _model(folder: Path | None) -> Target:
    """A model of the catalogue or an installed one; any may be written with `_` for `-`."""
    from hub.models import ModelStore

    store = ModelStore(folder or Path())
    names = ["auto", *store.shipped_names(), *(each.name for each in store.catalogue())]
    names += [each.name for each in store.installed()] if folder is not None else []
    return Target(
        "`auto`, a model or a file", lambda _: list(dict.fromkeys(names)), (), _with_hyphens
    )


def _with_hyphens(name: str) -> str:
    return name.strip().lower().replace("_", "-")


def _declared(kind: Any, value: object, path: KeyPath) -> Iterator[tuple[KeyPath, Any, Named]]:
    """The values of a block whose fields are marked with `Names`."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        for mark in arguments[1:]:
            if isinstance(mark, Names):
                yield path, value, mark.what
        yield from _declared(arguments[0], value, path)
    elif origin in (Union, types.UnionType):
        for branch in arguments:
            yield from _declared(branch, value, path)
    elif isinstance(value, dict) and isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            key = field.alias or name
            if key in value:
                yield from _declared(whole_type(field), value[key], (*path, key))
    elif isinstance(value, dict) and len(arguments) == 2:
        for key, inner in value.items():
            yield from _declared(arguments[1], inner, (*path, key))
    elif isinstance(value, list) and origin in (tuple, list, set, frozenset) and arguments:
        for index, inner in enumerate(value):
            yield from _declared(arguments[0], inner, (*path, index))


def _place_cycles(values: Values) -> Iterator[Finding]:
    inside = {str(path[1]): value for path, value in matches(values, "places.*.in")}
    told: set[str] = set()
    for place in inside:
        chain = [place]
        while isinstance(outer := inside.get(chain[-1]), str) and outer not in chain:
            chain.append(outer)
        if outer == place and place not in told:
            told.update(chain)
            words = f"a place inside itself ({' in '.join([*chain, place])}); expected an end"
            yield Finding(("places", place, "in"), words)


def _event_types(values: Values) -> Iterator[Finding]:
    for path, value in event_types(values):
        if value in EVENT_TYPES:
            continue
        if value.startswith("plugin.") and len(value) > len("plugin."):
            continue
        words = f"{describe(value)} is no event type; expected one such as zone.entered"
        hint = meant(value, EVENT_TYPES) or EVENTS_HINT
        yield Finding(path, words, "value", hint)


def label_notes(values: Values) -> Iterator[Finding]:
    """Labels that no model of the catalogue finds, where it finds one that is nearly called so.

    A model of one's own may find anything, so that this is no more than a note.
    """
    from hub.models import ModelStore

    known = dict.fromkeys(
        label for entry in ModelStore(Path()).catalogue() for label in entry.labels
    )
    named = (f"{condition}.label{one}" for condition in CONDITIONS for one in ("", ".[]"))
    for pattern in (*named, "detectors.*.labels.[]"):
        for path, label in matches(values, pattern):
            if isinstance(label, str) and label not in known:
                for near in get_close_matches(label.lower(), list(known), n=1, cutoff=0.7):
                    words = f"{describe(label)} is nothing that a known model finds"
                    hint = f"did you mean {near}?"
                    yield Finding(path, f"{words}; expected a label such as {near}", hint=hint)


def _switched_off(values: Values) -> Iterator[Finding]:
    """What would never work, because everything that it names is switched off."""
    for pattern in (
        "rules.*.alert.through",
        "rules.*.verified.[].notify.through",
        "protocols.*.through",
    ):
        for path, value in matches(values, pattern):
            named = value if isinstance(value, list) else []
            if named and all(is_off(block_of(values, "notifiers", name)) for name in named):
                words = "every channel here is switched off; expected one that is enabled"
                yield Finding(path, words, "key")
    for path, name in matches(values, "cameras.*.detector"):
        camera_on = not is_off(values["cameras"][path[1]])
        if camera_on and is_off(block_of(values, "detectors", name)):
            words = f"the detector {name!r} is switched off; expected one that is enabled"
            yield Finding(path, words)
    for pattern in ("rules.*.verified.[].door.doors.[]", "protocols.*.doors.[].doors.[]"):
        for path, name in matches(values, pattern):
            door = block_of(values, "doors", name)
            moved_by = door.get("controller") if isinstance(door, dict) else None
            if is_off(block_of(values, "access_control", moved_by)):
                words = f"nothing moves {name}: its controller {moved_by} is switched off"
                yield Finding(path, f"{words}; expected a door whose controller is enabled")
