"""Safety rules about what may start a protocol: a person's hand, never a detector.

They belong to the rules of `hub.check_safety`.
"""

from __future__ import annotations

from collections.abc import Iterator

from hub.check_ladders import EVERY_NAME
from hub.check_site import Site
from hub.plainwords import Finding
from hub.protocol_settings import DOES, PROTOCOL_NAMES
from hub.references import CHANNEL
from hub.value_patterns import event_types, is_off, matches

DURESS = "protocol.duress"
HAND_OFF = "hub.emergency.hand_off.[]"
SEES = ("score", "camera", "label")


def no_detector_starts_a_protocol(site: Site) -> Iterator[Finding]:
    """A message that says how sure it is, or what a camera saw, was not sent by a hand."""
    for path, block in matches(site.values, "inbound.*"):
        if not isinstance(block, dict) or str(block.get("does")) not in DOES:
            continue
        form, fields = block.get("format", "json"), block.get("fields")
        if form != "json":
            words = (
                f"`format: {form}` is sent by no person's hand, and `does: {block['does']}` would "
                "act on it; expected a rule that alerts on `report.received`, and no `does`"
            )
            yield Finding((*path, "does"), words, "key")
        for name in SEES:
            if isinstance(fields, dict) and name in fields:
                words = (
                    f"`{name}` is what a detector says, and `does: {block['does']}` would act on "
                    "its word: detectors propose, people decide; expected a rule that alerts on "
                    "`report.received`, and no `does`"
                )
                yield Finding((*path, "fields", name), words, "key")


def presses_are_signed(site: Site) -> Iterator[Finding]:
    """Nobody starts anything by sending again what they have overheard."""
    for path, block in matches(site.values, "inbound.*"):
        if not isinstance(block, dict) or str(block.get("does")) not in DOES:
            continue
        signature, fields = block.get("signature"), block.get("fields")
        if not isinstance(signature, dict):
            words = f"`does: {block['does']}` acts, so it has to be signed; expected `signature`"
            yield Finding((*path, "does"), words, "key")
            continue
        timed = "timestamp" in str(signature.get("signs", ""))
        if not timed and not (isinstance(fields, dict) and "id" in fields):
            words = (
                f"`does: {block['does']}` would act again on a message that somebody has recorded; "
                "expected a time that is signed, or `id` under `fields`"
            )
            yield Finding((*path, "does"), words, "key")


def presses_start_what_is_there(site: Site) -> Iterator[Finding]:
    """A button whose protocol the school has not described would start nothing."""
    described = site.values.get("protocols")
    known = described if isinstance(described, dict) else {}
    for pattern in ("inputs.*.does", "inbound.*.does"):
        for path, does in matches(site.values, pattern):
            if does in PROTOCOL_NAMES and does not in known:
                words = f"there is no `{does}` under `protocols:`, so a press would start nothing"
                yield Finding(path, f"{words}; expected one that is described there")


def duress_is_told_to_no_rule(site: Site) -> Iterator[Finding]:
    """What a page shows, whoever forces somebody may read over their shoulder."""
    for path, kind in event_types(site.values):
        if kind == DURESS:
            words = (
                f"{DURESS} is shown to no rule, for its alert would stand on every page; expected "
                "`duress` under `hub:`, which says who is told"
            )
            yield Finding(path, words)


def emergency_services_wait_for_a_hand(site: Site) -> Iterator[Finding]:
    """What reaches emergency services is named where a person hands over, and nowhere else."""
    kept = {name for _, name in matches(site.values, HAND_OFF) if isinstance(name, str)}
    kept |= {name for name, channel in site.channels.items() if channel.emergency}
    for pattern in (each.pattern for each in EVERY_NAME if each.target is CHANNEL):
        for path, name in matches(site.values, pattern):
            if not isinstance(name, str) or name not in kept or pattern == HAND_OFF:
                continue
            words = (
                f"{name} reaches emergency services, and only a person hands anything over to "
                "them; expected another notifier here, and this one under "
                "`hub.emergency.hand_off` alone"
            )
            yield Finding(path, words, "key" if pattern.endswith("@") else "value")
    for path, name in matches(site.values, HAND_OFF):
        channel = site.channels.get(name) if isinstance(name, str) else None
        if channel is not None and channel.public:
            words = f"everyone hears {name}, so nothing is handed over there; expected a notifier "
            yield Finding(path, f"{words}that reaches a monitoring station or dispatch alone")


def a_hand_off_arrives_somewhere(site: Site) -> Iterator[Finding]:
    """The moment of the press is no time to learn that there is nobody at the other end."""
    blocks = site.values.get("notifiers")
    for path, name in matches(site.values, HAND_OFF):
        channel = site.channels.get(name) if isinstance(name, str) else None
        block = blocks.get(name) if isinstance(blocks, dict) else None
        if channel is None or not isinstance(block, dict):
            continue  # each is told of elsewhere
        if is_off(block):
            words = f"{name} is switched off, so that nothing can be handed over there; expected a "
            yield Finding(path, f"{words}notifier that is on")
        elif channel.otherwise and not block.get(channel.otherwise):
            words = f"{name} reaches nobody here: what is handed over is addressed to nobody of "
            words += f"`people:`; expected `{channel.otherwise}` in its block"
            yield Finding(path, words)


PRESS_RULES = (
    no_detector_starts_a_protocol,
    presses_are_signed,
    presses_start_what_is_there,
    duress_is_told_to_no_rule,
    emergency_services_wait_for_a_hand,
    a_hand_off_arrives_somewhere,
)
