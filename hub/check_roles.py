"""Rules about roles: what is narrowed, what may be taken in an emergency, what is asked for.

They belong to the rules of `hub.check_safety`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub.check_site import Site
from hub.identity.permissions import BREAKABLE, NEVER_ASKED_WHY, PERMISSIONS, WHOLE_HOUSE
from hub.plainwords import Finding
from hub.value_patterns import matches


def a_narrowed_role_holds_nothing_of_the_whole_house(site: Site) -> Iterator[Finding]:
    """Who sees a part does not read the audit of all, nor change what holds for all."""
    for path, block in matches(site.values, "roles.*"):
        if not isinstance(block, dict) or not (block.get("places") or block.get("cameras")):
            continue
        listed = block.get("may")
        for index, permission in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(permission, str) and permission in WHOLE_HOUSE:
                words = (
                    f"`{permission}` is about the whole house, and this role is narrowed to some "
                    "`places` or `cameras`; expected a role without them"
                )
                yield Finding((*path, "may", index), words)


def who_manages_sees_everything(site: Site) -> Iterator[Finding]:
    """Administrators that are narrowed would manage nothing: nobody could let anybody in."""
    block = _block(site.values, ("roles", "admin"))
    for key in ("places", "cameras", "hours"):
        if block.get(key):
            words = (
                f"`{key}` would leave nobody who manages accounts and configuration everywhere "
                "and at any hour; expected a role of your own for whoever is to see less"
            )
            yield Finding(("roles", "admin", key), words, "key")


def cameras_of_a_role_hang_in_its_places(site: Site) -> Iterator[Finding]:
    """A camera beyond the places would never be seen."""
    cameras = site.values.get("cameras")
    for path, camera in matches(site.values, "roles.*.cameras.[]"):
        places = _block(site.values, path[:2]).get("places")
        block = cameras.get(camera) if isinstance(cameras, dict) else None
        place = block.get("place") if isinstance(block, dict) else None
        if not isinstance(places, list) or not places or not isinstance(place, str):
            continue
        if not any(isinstance(e, str) and site.campus.within(place, e) for e in places):
            words = (
                f"{camera} hangs in {place}, which is none of the role's `places`, so nobody of "
                "the role would see it; expected a camera within them"
            )
            yield Finding(path, words)


def breaking_the_glass_gives_no_more_than_it_may(site: Site) -> Iterator[Finding]:
    """Nobody ends a protocol, hands over to emergency services or manages the hub that way."""
    for path, permission in matches(site.values, "roles.*.break_glass.[]"):
        if isinstance(permission, str) and permission in PERMISSIONS.keys() - BREAKABLE:
            words = (
                f"`{permission}` cannot be taken by breaking the glass; expected it under `may`, "
                "for whoever is to hold it, or one of: " + ", ".join(sorted(BREAKABLE))
            )
            yield Finding(path, words)


def no_reason_stands_before_help(site: Site) -> Iterator[Finding]:
    """Starting a protocol, passing a locked door and calling for help wait for no words."""
    for path, permission in matches(site.values, "hub.reason_for.[]"):
        if isinstance(permission, str) and permission in NEVER_ASKED_WHY:
            words = (
                f"`{permission}` must not wait until somebody has written a reason; expected "
                "another permission"
            )
            yield Finding(path, words)


def who_hears_of_broken_glass_is_told_alone(site: Site) -> Iterator[Finding]:
    """That somebody broke the glass is for those concerned, not for a loudspeaker."""
    concerns = "that somebody has broken the glass concerns few"
    yield from told_alone(site, "hub.break_glass.through.[]", concerns)


def told_alone(site: Site, pattern: str, concerns: str) -> Iterator[Finding]:
    """The channels of a list that more people hear than it concerns, which the words say."""
    for path, channel in matches(site.values, pattern):
        known = site.channels.get(channel) if isinstance(channel, str) else None
        outside = isinstance(channel, str) and _block(site.values, ("notifiers", channel))
        if known is not None and known.public:
            heard = f"{channel} is heard by everyone"
        elif outside and outside.get("outside") is True:
            heard = f"{channel} reaches people beyond the school (`outside`)"
        else:
            continue
        words = f"{heard}, and {concerns}; expected a channel that reaches people of the school "
        yield Finding(path, f"{words}alone")


def _block(values: Mapping[str, Any], path: tuple[Any, ...]) -> Mapping[str, Any]:
    found: Any = values
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


ROLE_RULES = (
    a_narrowed_role_holds_nothing_of_the_whole_house,
    who_manages_sees_everything,
    cameras_of_a_role_hang_in_its_places,
    breaking_the_glass_gives_no_more_than_it_may,
    no_reason_stands_before_help,
    who_hears_of_broken_glass_is_told_alone,
)
