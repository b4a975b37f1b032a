"""Who used a credential at a 2N device: several entries of its log make one use."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hub import Access

SESSIONS = 64
ENTERED = frozenset({"CardEntered", "CodeEntered", "FingerEntered", "MobKeyEntered"})


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a credential, and a reference to it."""

    access: Access
    credential: str = ""


class Uses:
    """Puts together what one session of the device's log says.

    What was entered comes first, with its number; whether it opens comes after. `reference` makes
    what stands for a number (see `Context.reference`). A code itself is never used for that.
    """

    def __init__(self, reference: Callable[[str], str]) -> None:
        self._reference = reference
        self._entered: OrderedDict[Any, str] = OrderedDict()
        self._told: OrderedDict[Any, bool] = OrderedDict()

    def hear(self, event: str, params: Mapping[str, Any]) -> Use | None:
        """The use that an entry of the log completes; None where it completes none."""
        session = params.get("session")
        session = session if isinstance(session, int) else None
        if event in ENTERED:
            credential = self._refer(params, "uid", "uuid", "authid")
            _keep(self._entered, session, credential)
            if params.get("valid") is not False:
                return None
            _keep(self._told, session, True)
            return Use("denied", credential)
        credential = self._entered.get(session, "") or self._refer(params, "uuid")
        if event == "UserAuthenticated":
            return Use("granted", credential)
        if event == "SilentAlarm":
            return Use("duress", credential)
        if event == "UserRejected" and not self._told.pop(session, False):
            return Use("denied", credential)
        return None

    def _refer(self, params: Mapping[str, Any], *keys: str) -> str:
        found = (params.get(key) for key in keys)
        text = next((each for each in found if isinstance(each, str) and each), "")
        return self._reference(text) if text else ""


def _keep(where: OrderedDict[Any, Any], session: int | None, value: object) -> None:
    if session is None:
        return
    where[session] = value
    while len(where) > SESSIONS:
        where.popitem(last=False)
