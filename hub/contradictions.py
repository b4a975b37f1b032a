"""Rules that contradict themselves: each line is sound, and together they never hold, or do harm.

A rule that can never fire looks like safety and is none, so `vestibule check` refuses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hub.campus import Campus
from hub.config import Condition, Config, Rule, Schedule
from hub.document import KeyPath
from hub.plainwords import Finding

# What events of which area say; a vendor's own (`plugin.`) may say anything.
SAY: Mapping[str, frozenset[str]] = {
    "zone": frozenset({"label", "min_score", "camera", "place", "track", "present", "subject"}),
    "door": frozenset({"door", "place", "present", "subject"}),
    "access": frozenset({"door", "place", "present", "subject"}),
    "fire": frozenset({"place", "present", "subject"}),
    "doors": frozenset({"present"}),
    "controller": frozenset({"present", "subject"}),
    "camera": frozenset({"camera", "place", "present", "subject"}),
    "action": frozenset({"door", "place", "present", "subject"}),
    "visitor": frozenset({"place", "present", "subject"}),
    "process": frozenset({"camera", "present", "subject"}),
    "report": frozenset({"label", "min_score", "camera", "door", "place", "present", "subject"}),
    "protocol": frozenset({"present", "subject"}),
    "panic": frozenset({"place", "present", "subject"}),
    "help": frozenset({"place", "present", "subject"}),
    "input": frozenset({"place", "present", "subject"}),
    "hub": frozenset({"present"}),
}
ELSE = frozenset({"present", "subject", "camera"})
CLAUSES = ("label", "min_score", "camera", "door", "place", "present")
OPENS = frozenset({"unlock", "hold_open", "momentary", "lockdown_release"})

Where = tuple[KeyPath, tuple[str, ...], Condition]


def contradictions(config: Config) -> Iterator[Finding]:
    """Every rule and schedule of a configuration that contradicts itself."""
    campus = Campus(config.places)
    for name, rule in config.rules.items():
        path: KeyPath = ("rules", name)
        for where, types, condition in conditions(path, rule):
            yield from _unsaid(where, types, condition)
            yield from _nowhere(where, condition, config, campus)
            yield from _never_in_force(where, condition, config.schedules)
            if condition.during is not None and condition.during == condition.outside:
                words = f"never holds beside `during: {condition.during}`; expected one of the two"
                yield Finding((*where, "outside"), words)
        yield from _never_excepted(path, rule, config, campus)
        yield from _nothing_shared(path, rule)
        yield from _too_few(path, rule, config, campus)
        yield from _opens_and_locks(path, rule, config, campus)
    yield from _against_each_other(config, campus)
    yield from _schedules(config)


def conditions(path: KeyPath, rule: Rule) -> Iterator[Where]:
    """Each condition of a rule: where it stands and which types of event it is about."""
    yield (*path, "if"), rule.when, rule.condition
    for index, step in enumerate(rule.followed_by):
        yield (*path, "followed_by", index, "if"), step.when, step.condition
    for index, unless in enumerate(rule.unless):
        yield (*path, "unless", index, "if"), unless.when or rule.when, unless.condition
    for index, graver in enumerate(rule.alert.graver):
        yield (*path, "alert", "graver", index, "if"), rule.when, graver.condition


def _unsaid(where: KeyPath, types: tuple[str, ...], condition: Condition) -> Iterator[Finding]:
    given = condition.model_fields_set
    for clause in CLAUSES:
        silent = [type_ for type_ in types if clause in given and not _says(type_, clause)]
        if silent:
            words = f"{silent[0]} says nothing of that, so it never holds; expected no `{clause}`"
            yield Finding((*where, clause), f"{words} here", "key")


def _says(type_: str, what: str) -> bool:
    area = type_.partition(".")[0]
    return area == "plugin" or what == "anything" or what in SAY.get(area, ELSE)


def _nowhere(
    where: KeyPath, condition: Condition, config: Config, campus: Campus
) -> Iterator[Finding]:
    place, door, camera = condition.place, condition.door, condition.camera
    if place is None or place not in config.places:
        return
    if door is not None and door in config.doors:
        block = config.doors[door]
        at = [block.place, *((block.leads_to,) if block.leads_to else ())]
        if not any(campus.within(one, place) for one in at):
            words = f"the door {door} is not in {place}, so both never hold"
            yield Finding((*where, "door"), f"{words}; expected a door of that place")
    if camera is not None and camera in config.cameras:
        shown = config.cameras[camera]
        at = [shown.place, *(zone.place for zone in shown.zones)]
        if not any(campus.within(one, place) for one in at):
            words = f"the camera {camera} does not look at {place}, so both never hold"
            yield Finding((*where, "camera"), f"{words}; expected a camera that does")


def _never_in_force(
    where: KeyPath, condition: Condition, schedules: Mapping[str, Schedule]
) -> Iterator[Finding]:
    schedule = schedules.get(condition.during or "")
    if schedule is None or schedule.weekly or schedule.also:
        return
    if schedule.between is None and schedule.holidays_of is None:
        words = f"{condition.during} has no hours, so this never holds; expected some there"
        yield Finding((*where, "during"), words)


def _never_excepted(path: KeyPath, rule: Rule, config: Config, campus: Campus) -> Iterator[Finding]:
    for index, unless in enumerate(rule.unless):
        excepted = unless.condition.model_fields_set
        every = all(_implied(each, unless.condition, rule, config, campus) for each in excepted)
        if not unless.when and every:
            words = "excepts all that `if` asks for, so the rule never fires"
            yield Finding((*path, "unless", index), f"{words}; expected something else", "key")


def _implied(clause: str, excepted: Condition, rule: Rule, config: Config, campus: Campus) -> bool:
    """Whether one clause of an exception holds for all that the rule asks for."""
    own, wanted = rule.condition, getattr(excepted, clause)
    if clause == "place" and wanted in config.places:
        at = [own.place] if own.place is not None else []
        if own.door in config.doors:
            at.append(config.doors[own.door].place)
        areas = {type_.partition(".")[0] for type_ in rule.when}
        everywhere = all(campus.within(place, wanted) for place in config.places)
        anywhere = any(campus.within(place, wanted) for place in at if place in config.places)
        return anywhere or (everywhere and areas <= {"zone", "door"})
    if clause == "label":
        return bool(own.label) and set(own.label) <= set(wanted)
    if clause == "min_score":
        return own.min_score >= excepted.min_score
    return clause in own.model_fields_set and bool(getattr(own, clause) == wanted)


def _nothing_shared(path: KeyPath, rule: Rule) -> Iterator[Finding]:
    before = [type_ for unless in rule.unless for type_ in unless.when]
    after = [type_ for step in rule.followed_by for type_ in step.when]
    if rule.lasting is not None:
        after += rule.ended_by()
    if not (before or after or rule.count):
        return
    silent = [type_ for type_ in (*rule.when, *before, *after) if not _says(type_, rule.same)]
    if silent:
        words = f"{silent[0]} has no {rule.same} to share, so nothing ever belongs together"
        yield Finding((*path, "same"), f"{words}; expected another, such as anything", "key")
    different = rule.count.different if rule.count is not None else None
    if different is not None:
        mute = [type_ for type_ in rule.when if not _says(type_, different)]
        words = f"{(mute or rule.when)[0]} has no {different} to differ in"
        if different == rule.same:
            words = f"what has the same {different} never differs in it"
        if mute or different == rule.same:
            yield Finding((*path, "count", "different"), f"{words}; expected another")


def _too_few(path: KeyPath, rule: Rule, config: Config, campus: Campus) -> Iterator[Finding]:
    if rule.count is None or rule.count.different not in ("door", "camera"):
        return
    blocks = config.doors if rule.count.different == "door" else config.cameras
    place = rule.condition.place
    found = [name for name, each in blocks.items() if not place or campus.within(each.place, place)]
    if rule.count.different == "door" and place:
        found += [n for n, d in config.doors.items() if d.leads_to and n not in found]
    if len(found) < rule.count.at_least and not any(t.startswith("plugin.") for t in rule.when):
        kind, there = rule.count.different, f" in {place}" if place else ""
        words = f"never so many: {kind}s{there} are {len(found)}; expected at most that"
        yield Finding((*path, "count", "at_least"), words)


def _moves(rule: Rule, config: Config, campus: Campus) -> dict[str, set[str]]:
    """The verbs that verifying sends to each door."""
    moves: dict[str, set[str]] = {}
    for action in rule.verified:
        if action.door is not None:
            place = action.door.place
            doors = action.door.doors or [
                name
                for name, block in config.doors.items()
                if place is not None and campus.within(block.place, place)
            ]
            for door in doors:
                moves.setdefault(door, set()).add(action.door.verb)
    return moves


def _both(verbs: set[str]) -> bool:
    return bool(verbs & OPENS) and bool(verbs - OPENS)


def _opens_and_locks(
    path: KeyPath, rule: Rule, config: Config, campus: Campus
) -> Iterator[Finding]:
    for door, verbs in _moves(rule, config, campus).items():
        if _both(verbs):
            words = f"asks the door {door} for {' and '.join(sorted(verbs))} at once"
            yield Finding((*path, "verified"), f"{words}; expected one of them", "key")
            return


def _against_each_other(config: Config, campus: Campus) -> Iterator[Finding]:
    """Rules that fire for the very same events and want opposite things of a door."""
    first: dict[str, str] = {}
    for name, rule in config.rules.items():
        what = rule.model_dump_json(exclude={"name", "alert", "verified", "cooldown", "together"})
        other = first.setdefault(what, name)
        if other == name:
            continue
        theirs = _moves(config.rules[other], config, campus)
        for door, verbs in _moves(rule, config, campus).items():
            if not _both(verbs) and _both(verbs | theirs.get(door, verbs)):
                words = f"wants the opposite of {door} that {other} wants for the same events"
                yield Finding(("rules", name, "verified"), f"{words}; expected one will", "key")
                break


def _schedules(config: Config) -> Iterator[Finding]:
    for name, schedule in config.schedules.items():
        for key in ("between", "holidays_of"):
            other = config.schedules.get(getattr(schedule, key) or "")
            if other is None:
                continue
            path: KeyPath = ("schedules", name, key)
            if other.between or other.holidays_of:
                words = "has no hours of its own; expected a schedule with `weekly` or `closed`"
                yield Finding(path, f"{getattr(schedule, key)} {words}")
            elif key == "holidays_of" and not other.closed:
                words = "has no `closed` dates, so this is never in force; expected some there"
                yield Finding(path, f"{schedule.holidays_of} {words}")
