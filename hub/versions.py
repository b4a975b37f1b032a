"""Versions of a kind's contract, and how a driver of an earlier one still works for a while.

`API_VERSIONS` holds the newest version of each kind. `ADAPTERS` holds, for a kind and an earlier
version, what brings a driver of it one version further. A version without an adapter is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from hub.errors import PluginError
from hub.kinds import API_VERSIONS, Driver, Kind


@dataclass(frozen=True, slots=True)
class Adapter:
    """The way from an earlier version of a contract to the next.

    `adapt` returns a driver whose factory makes what the next version expects. `changes` says in
    words what that is, and `ends` names the version of Vestibule that refuses the earlier one.
    """

    adapt: Callable[[Driver], Driver]
    changes: str
    ends: str


ADAPTERS: dict[tuple[Kind, int], Adapter] = {}


def of_today(kind: Kind, driver: Driver) -> tuple[Driver, str]:
    """The driver in the newest version of its kind, and a note where it was made for an earlier.

    Raises `PluginError` where it is too new, or too old.
    """
    newest = API_VERSIONS[kind]
    if type(driver.api) is not int or driver.api < 1:
        raise PluginError(f"expected api to be a whole number from 1 on, found {driver.api!r}")
    made_for = f"made for version {driver.api} of {kind}"
    if driver.api > newest:
        raise PluginError(f"{made_for}; this hub speaks {newest}: update Vestibule")
    steps = [ADAPTERS.get((kind, version)) for version in range(driver.api, newest)]
    if not all(steps):
        raise PluginError(f"{made_for}; this hub speaks {newest}: update the plugin")
    todo = [step for step in steps if step is not None]
    if not todo:
        return driver, ""
    note = (
        f"{made_for}, which works until Vestibule {todo[0].ends}; since version {driver.api + 1} "
        f"{'; then '.join(step.changes for step in todo)}"
    )
    for version, step in enumerate(todo, driver.api + 1):
        driver = replace(step.adapt(driver), name=driver.name, api=version)
    return driver, note
