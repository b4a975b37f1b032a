"""Who may: one function, the permissions there are, and the roles that come with the hub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

PERMISSIONS: Mapping[str, str] = {
    "see.cameras": "Watch live pictures of cameras outside private places.",
    "see.doors": "See what was asked of each door, what it reports and what its contact says.",
    "see.alerts": "See alerts with their pictures.",
    "see.incidents": "Read incidents and their timelines.",
    "see.health": "See processes, drivers, queues and every camera's reason.",
    "see.visitors": "See who is expected, here, overdue or gone.",
    "see.rules": "See what each rule waits for, why it fired or not; try one on recorded days.",
    "see.audit": "Read the audit and take it away: who looked, opened, decided and changed.",
    "see.drills": "See which drills are planned, were held and are missing, and how each went.",
    "see.events": "Follow the stream of all events through the API.",
    "work.incidents": "Open incidents, write notes, take roles and tasks, give situation updates, "
    "write what was seen in a drill.",
    "lead.incidents": "Say what an incident is about; merge, split, close and reopen incidents.",
    "call.emergency": "Hand an incident over to emergency services, where the school has a way.",
    "export.incidents": "Take an incident's report away, with its pictures.",
    "give.verdict": "Verify or dismiss an alert, take it on, resolve it; trust a rule again.",
    "command.doors": "Ask doors to lock or unlock. Leaving is never affected.",
    "enter.in_lockdown": "Open a door once while a protocol keeps it locked, as responders do.",
    "rearm.doors": "Let the hub lock doors again after a fire alarm.",
    "start.protocols": "Start a protocol, or a drill of one.",
    "end.protocols": "Ask for the end of a protocol, confirm it, decide in a fire alarm.",
    "plan.drills": "Plan drills for a date, change and call off plans.",
    "manage.devices": "Enrol devices that may start protocols without anybody signing in.",
    "work.visitors": "Check visitors in and out.",
    "invite.guests": "Make links for responders: read-only, for a while, without sign-in.",
    "manage.accounts": "Add people, tokens and roles.",
    "manage.configuration": "Have the hub take over a changed configuration, or go back to one.",
}

AT_ANY_HOUR = frozenset({"start.protocols"})
"""What no hours of a role take away: nobody trained may be kept from starting a lockdown."""

_WHOLE = ("see.audit", "see.rules", "see.drills", "plan.drills")
WHOLE_HOUSE = frozenset({*_WHOLE, *(name for name in PERMISSIONS if name.startswith("manage."))})
"""What tells of the whole house, or changes it: nothing for a role with places or cameras."""

BREAKABLE = frozenset(
    {
        *(name for name in PERMISSIONS if name.startswith("see.")),
        *("work.incidents", "export.incidents", "give.verdict", "command.doors", "work.visitors"),
        "enter.in_lockdown",
    }
) - {"see.audit", "see.drills", "see.events", "see.rules"}
"""What breaking the glass can give. Ending a protocol takes two people who may, the way to
emergency services is a person's work by day and night, and who manages has the role for it.
"""

NEVER_ASKED_WHY = frozenset({"start.protocols", "call.emergency", "enter.in_lockdown"})
"""What must not wait for a reason."""

_SEE_ALL = frozenset(name for name in PERMISSIONS if name.startswith("see."))
_CASES = frozenset(name for name in PERMISSIONS if name.endswith(".incidents"))
_PROTOCOLS = frozenset({"start.protocols", "end.protocols", "enter.in_lockdown", "rearm.doors"})

ROLES: Mapping[str, frozenset[str]] = {
    "admin": frozenset(PERMISSIONS),
    "principal": _SEE_ALL
    | _CASES
    | _PROTOCOLS
    | {"call.emergency", "give.verdict", "command.doors", "manage.devices", "work.visitors"}
    | {"invite.guests", "plan.drills"},
    "sro": (_SEE_ALL - {"see.audit"})
    | _CASES
    | _PROTOCOLS
    | {"call.emergency", "give.verdict", "command.doors", "invite.guests", "plan.drills"},
    "front_office": frozenset(
        {
            "see.cameras",
            "see.doors",
            "see.alerts",
            "see.incidents",
            "see.drills",
            "see.visitors",
            "work.incidents",
            "call.emergency",
            "give.verdict",
            "command.doors",
            "start.protocols",
            "work.visitors",
        }
    ),
    "nurse": frozenset(
        {
            "see.alerts",
            "see.incidents",
            "see.drills",
            "see.visitors",
            "work.incidents",
            "call.emergency",
            "give.verdict",
            "start.protocols",
        }
    ),
    "it": frozenset(
        {
            "see.cameras",
            "see.doors",
            "see.health",
            "see.rules",
            "see.events",
            "manage.accounts",
            "manage.configuration",
            "manage.devices",
        }
    ),
    "auditor": frozenset(
        {
            "see.doors",
            "see.alerts",
            "see.incidents",
            "see.health",
            "see.drills",
            "see.visitors",
            "see.rules",
            "see.audit",
            "see.events",
            "export.incidents",
        }
    ),
    "responder": frozenset(
        {"see.cameras", "see.doors", "see.alerts", "see.incidents", "enter.in_lockdown"}
    ),
    "viewer": frozenset({"see.cameras", "see.doors", "see.alerts", "see.health"}),
}

ROLE_NAMES: Mapping[str, str] = {
    "admin": "Administrator",
    "principal": "Principal",
    "sro": "School resource officer",
    "front_office": "Front office",
    "nurse": "Nurse",
    "it": "School IT",
    "auditor": "Auditor",
    "responder": "Responder",
    "viewer": "Viewer",
}


class RoleSettings(Protocol):
    """What a `roles:` entry of the configuration says."""

    @property
    def name(self) -> str:
        """What people call the role; empty for the built-in name."""
        ...

    @property
    def may(self) -> tuple[str, ...]:
        """The permissions of the role; empty leaves a built-in role as it is."""
        ...

    @property
    def places(self) -> tuple[str, ...]:
        """The places that it reaches; empty for all."""
        ...

    @property
    def cameras(self) -> tuple[str, ...]:
        """The cameras that it reaches; empty for those of its places."""
        ...

    @property
    def hours(self) -> str | None:
        """The schedule during which it holds; None for always."""
        ...

    @property
    def break_glass(self) -> tuple[str, ...]:
        """What its holders may take in an emergency."""
        ...


def may(role: str, permission: str, roles: Mapping[str, RoleSettings] | None = None) -> bool:
    """Whether holders of `role` may do `permission`; anything unknown may nothing.

    A `may:` list in the configuration takes the place of a built-in role's list, so that it can
    take away as well as give. Where and when they may, `hub.identity.reach` and the hours say.
    """
    if permission not in PERMISSIONS:
        return False
    settings = roles.get(role) if roles else None
    limited = settings is not None and bool(settings.places or settings.cameras)
    if limited and permission in WHOLE_HOUSE:
        return False
    if settings is not None and settings.may:
        return permission in settings.may
    return permission in ROLES.get(role, frozenset())


def known_role(role: str, roles: Mapping[str, RoleSettings] | None = None) -> bool:
    """Whether the role is built in or in the configuration."""
    return role in ROLES or bool(roles and role in roles)


def role_name(role: str, roles: Mapping[str, RoleSettings] | None = None) -> str:
    """What people call the role."""
    settings = roles.get(role) if roles else None
    if settings is not None and settings.name:
        return settings.name
    return ROLE_NAMES.get(role, role)
