"""Rules about planned drills. They belong to the rules of `hub.check_safety`."""

from __future__ import annotations

from collections.abc import Iterator

from hub.check_roles import told_alone
from hub.check_site import Site
from hub.plainwords import Finding
from hub.protocol_settings import PROTOCOL_NAMES
from hub.value_patterns import matches


def a_required_drill_can_be_held(site: Site) -> Iterator[Finding]:
    """A protocol that the school has not described has no drill either."""
    described = site.values.get("protocols")
    known = described if isinstance(described, dict) else {}
    for path, number in matches(site.values, "hub.drills.required.*"):
        protocol = str(path[-1])
        if number and protocol in PROTOCOL_NAMES and protocol not in known:
            words = f"there is no `{protocol}` under `protocols:`, so no drill of it can be held; "
            yield Finding(path, f"{words}expected one that is described there", "key")


def who_is_reminded_of_a_drill_is_told_alone(site: Site) -> Iterator[Finding]:
    """That a drill is coming is for those who lead it, not for a loudspeaker."""
    concerns = "that a drill is coming concerns few"
    yield from told_alone(site, "hub.drills.through.[]", concerns)


DRILL_RULES = (a_required_drill_can_be_held, who_is_reminded_of_a_drill_is_told_alone)
