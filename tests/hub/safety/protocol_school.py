"""The small school with its protocols described, and what people do with them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from safety_school import SCHOOL, School, school
from sqlalchemy import Connection, insert

from hub.clock import iso
from hub.identity import pins
from hub.protocol_views import ProtocolRunView
from hub.protocols import Protocols
from hub.storage.identity_tables import users
from hub.testing import FakeClock

PROTOCOLS: dict[str, Any] = {
    "hold": {"tell": ["sro"], "through": ["console"]},
    "secure": {
        "doors": [{"verb": "lock", "doors": ["wing_east"]}],
        "tell": ["sro"], "through": ["console"],
    },
    "lockdown": {
        "doors": [{"verb": "lock", "place": "site"}],
        "tell": ["sro", "principal"], "through": ["console", "post", "siren"],
        "incident": "threat",
        "tasks": ["Account for everyone"],
    },
    "evacuate": {
        "doors": [{"verb": "unlock", "place": "site"}],
        "location": "The far side of the yard",
        "tell": ["sro"], "through": ["console", "siren"],
    },
    "shelter": {"hazards": {"tornado": "Ground floor corridor"}, "through": ["console"]},
}  # fmt: skip
# As the school, but people can always leave through each of its doors.
DOORS: dict[str, Any] = SCHOOL["doors"] | {
    "old_gate": SCHOOL["doors"]["old_gate"] | {"egress": "free"},
}
PIN, DURESS = "4711", "9038"
PLAIN_PINS = (
    f"plain {PIN}",
    f"plain {DURESS}",
)  # in place of hashes, which take a tenth of a second


@asynccontextmanager
async def protocol_school(
    path: Path, clock: FakeClock | None = None, sirens: frozenset[str] = frozenset(), **changes: Any
) -> AsyncIterator[tuple[School, Protocols]]:
    """A school whose actions run, and its protocols."""
    wanted = {"protocols": PROTOCOLS, "doors": DOORS} | changes
    async with school(path, clock, **wanted) as house:
        house.perform()
        yield house, Protocols(house.intake, lambda: sirens)


async def account(house: School, name: str, role: str = "sro") -> None:
    """An account that nobody can sign in to, with PINs."""

    def work(connection: Connection) -> None:
        now = house.clock.now()
        row = {"name": name, "role": role, "password_hash": "none", "created": iso(now)}
        connection.execute(insert(users), row)
        pins.store(connection, name, PLAIN_PINS, now)

    await house.journal.write(work)


async def commander(house: School, run: ProtocolRunView, person: str) -> None:
    """Give somebody the lead of a run's incident."""
    await house.intake.decide(lambda d: d.give_role(run["incident"], "commander", person, person))
