"""What `check` asks of ladders and rotations, beside their models: names that lead somewhere, two
paths for what is severe, nothing that everyone hears, and somebody who hears an answer.

Everything here looks at plain values; `hub.check_safety` runs these rules with its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hub.alert_settings import MOST_STEPS
from hub.check_site import Site
from hub.document import KeyPath
from hub.plainwords import Finding
from hub.references import CHANNEL, PERSON, PLACE, REFERENCES, SCHEDULE, TELLABLE, Reference, Target
from hub.value_patterns import is_off, matches, names_in

LADDER = Target(
    "a ladder under `ladders:`", lambda values: names_in(values, "ladders"), ("ladders",)
)
ON_CALL = Target(
    "a person under `people:`, a role that one of them has, or a rotation",
    lambda values: [*TELLABLE.known(values), *names_in(values, "rotations")],
    ("people", "rotations"),
)
EVERY_NAME: tuple[Reference, ...] = (
    *REFERENCES,
    Reference("rotations.*.people.[]", PERSON),
    Reference("rotations.*.overrides.[].person", PERSON),
    Reference("ladders.*.place", PLACE),
    Reference("ladders.*.during", SCHEDULE),
    Reference("ladders.*.outside", SCHEDULE),
    Reference("ladders.*.next", LADDER),
    Reference("ladders.*.steps.[].tell.[]", ON_CALL),
    Reference("ladders.*.steps.[].through.[]", CHANNEL),
    Reference("rules.*.false_alarms.tell.[]", TELLABLE),
    Reference("inbound.*.answers", CHANNEL),
)


def rotations_are_called_like_nobody(site: Site) -> Iterator[Finding]:
    """A rotation with the name of a person or a role would hide them."""
    taken = set(TELLABLE.known(site.values))
    for path, name in matches(site.values, "rotations.@"):
        if name in taken:
            words = f"{name} is a person or a role already; expected another name for the rotation"
            yield Finding(path, words, "key")


def ladders_speak_to_reviewers_alone(site: Site) -> Iterator[Finding]:
    """What everyone hears waits until a person has verified, also in a ladder."""
    for path, channel in matches(site.values, "ladders.*.steps.[].through.[]"):
        known = site.channels.get(channel) if isinstance(channel, str) else None
        if known is not None and known.public:
            words = f"{channel} is heard by everyone and is never part of a ladder, which runs "
            words += "before a person has verified; expected it under `verified:` of a rule"
            yield Finding(path, words)


def no_ladder_is_cut_short(site: Site) -> Iterator[Finding]:
    """A ladder that comes to more steps than are ever taken, with its repeats and what follows it,
    would end without a word.
    """
    ladders = site.values.get("ladders")
    blocks = ladders if isinstance(ladders, dict) else {}
    for name in blocks:
        count, done, following = 0, set[str](), name
        while isinstance(following, str) and following in blocks and following not in done:
            done.add(following)
            block = blocks[following] if isinstance(blocks[following], dict) else {}
            steps, repeat = block.get("steps"), block.get("repeat", 0)
            if isinstance(steps, list) and isinstance(repeat, int):
                count += len(steps) * (repeat + 1)
            following = block.get("next")
        if count > MOST_STEPS:
            words = f"comes to {count} steps with its repeats and what follows it; no more than "
            yield Finding(("ladders", name), f"{words}{MOST_STEPS} are ever taken", "key")


def severe_ladders_take_two_paths(site: Site) -> Iterator[Finding]:
    """One broken cable must not silence a step of a ladder for severe alerts."""
    notifiers = site.values.get("notifiers")
    blocks = notifiers if isinstance(notifiers, dict) else {}
    severe = _for_severe(site.values)
    for path, step in matches(site.values, "ladders.*.steps.[]"):
        if path[1] not in severe:
            continue
        named = step.get("through") if isinstance(step, dict) else None
        if not isinstance(named, list) or not all(
            isinstance(each, str) and each in site.channels for each in named
        ):
            continue  # each is told of elsewhere
        on = [each for each in named if not is_off(blocks.get(each))]
        paths = {site.channels[each].path for each in on}
        if len(paths) < 2:
            wrong = "every channel of this step is switched off"
            if paths:
                wrong = f"the channels of this step share one path ({min(paths)}), so that one "
                wrong += "fault silences it"
            words = f"{wrong}; expected channels over two paths, such as the school's network and "
            yield Finding((*path, "through"), f"{words}the internet", "key")


def severe_alerts_reach_somebody(site: Site) -> Iterator[Finding]:
    """A channel that needs an address is no second path where nobody who is told has one."""
    notifiers = site.values.get("notifiers")
    blocks = notifiers if isinstance(notifiers, dict) else {}
    if not (site.known("people") and site.known("notifiers")):
        return
    for path, telling in _severe(site.values):
        through = telling.get("through")
        for index, name in enumerate(through if isinstance(through, list) else ()):
            channel = site.channels.get(name) if isinstance(name, str) else None
            if channel is None or not channel.otherwise or is_off(blocks.get(name)):
                continue
            people = _told(site.values, telling.get("tell"))
            if blocks[name].get(channel.otherwise) or any(
                isinstance(each.get("contact"), dict) and each["contact"].get(name)
                for each in people
            ):
                continue
            words = f"{name} reaches nobody here: none of those who are told has a contact on it"
            words += f"; expected `contact: {{{name}: ...}}` of one of them, or "
            words += f"`{channel.otherwise}` in its block"
            yield Finding((*path, "through", index), words)


def buttons_are_heard(site: Site) -> Iterator[Finding]:
    """Whoever presses *Take it on* would believe that they have, while others are called on."""
    if not site.known("inbound"):
        return
    heard = [
        (site.values["inbound"][path[1]].get("format"), name)
        for path, name in matches(site.values, "inbound.*.answers")
    ]
    for path, button in matches(site.values, "notifiers.*.button"):
        block = site.values["notifiers"][path[1]]
        driver, on = block.get("driver"), str(button).lower() in ("true", "yes", "on", "1")
        if driver in WITH_BUTTONS and on and (driver, path[1]) not in heard and not is_off(block):
            words = "nothing hears its button, so that whoever takes an alert on there does not"
            expected = f"`{{format: {driver}, answers: {path[1]}, ...}}` under `inbound:`"
            yield Finding(path, f"{words}; expected a block {expected}, or no button")


def _severe(values: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    """Whatever tells people of something severe: alerts of rules, and steps of ladders."""
    for path, alert in matches(values, "rules.*.alert"):
        if isinstance(alert, dict):
            graver = alert.get("graver")
            each = [alert, *(graver if isinstance(graver, list) else [graver])]
            if any(isinstance(one, dict) and one.get("severity") == "severe" for one in each):
                yield path, alert
    severe = _for_severe(values)
    for path, step in matches(values, "ladders.*.steps.[]"):
        if isinstance(step, dict) and path[1] in severe:
            yield path, step


def _for_severe(values: Mapping[str, Any]) -> set[object]:
    """The ladders that severe alerts may come to: theirs, and those that follow them."""
    follows = {path[1]: name for path, name in matches(values, "ladders.*.next")}
    found: set[object] = set()
    for path, said in matches(values, "ladders.*.severity"):
        if "severe" in (said if isinstance(said, list) else [said]):
            name: object = path[1]
            while isinstance(name, str) and name not in found:
                found.add(name)
                name = follows.get(name)
    return found


def _told(values: Mapping[str, Any], tell: object) -> list[Mapping[str, Any]]:
    """The blocks of the people whom names mean: people, roles and rotations."""
    blocks = values.get("people")
    people = blocks if isinstance(blocks, dict) else {}
    wanted = {each for each in tell if isinstance(each, str)} if isinstance(tell, list) else set()
    for pattern in ("people.[]", "overrides.[].person"):
        for path, person in matches(values, f"rotations.*.{pattern}"):
            if path[1] in wanted and isinstance(person, str):
                wanted.add(person)
    return [
        block
        for name, block in people.items()
        if isinstance(block, dict)
        and (name in wanted or (isinstance(role := block.get("role"), str) and role in wanted))
    ]


WITH_BUTTONS = ("slack",)  # drivers whose `button` comes back as a message of their format
LADDER_RULES: tuple[Callable[[Site], Iterator[Finding]], ...] = (
    ladders_speak_to_reviewers_alone,
    no_ladder_is_cut_short,
    severe_ladders_take_two_paths,
    severe_alerts_reach_somebody,
    buttons_are_heard,
)
