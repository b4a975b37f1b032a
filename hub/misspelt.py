"""Keys that are misspelt: what was meant, so that one slip of the hand is told once.

A key that is not known, and nearly called like one that is not there, is taken for that one: what
it lacks is not told beside it, and names and safety rules are followed through its value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from hub.check_safety import ACTING
from hub.document import KeyPath, value_at
from hub.plainwords import Finding

UNKNOWN = "is not known here"
HINT = "did you mean "


def misspelt(found: Iterable[Finding], values: Any) -> dict[KeyPath, str]:
    """The paths of misspelt keys, each with the key that was meant, which its block lacks.

    Keys that would act are left as they are: a safety rule refuses them by their own name.
    """
    slips: dict[KeyPath, str] = {}
    taken: set[KeyPath] = set()
    for finding in found:
        if not finding.message.startswith(UNKNOWN) or not finding.hint.startswith(HINT):
            continue
        key = finding.hint.removeprefix(HINT).rstrip("?")
        block = value_at(values, finding.path[:-1])
        target = (*finding.path[:-1], key)
        if not isinstance(block, dict) or key in block or target in taken:
            continue
        if finding.path[-1] in block and finding.path[-1] not in ACTING:
            slips[finding.path] = key
            taken.add(target)
    return slips


def is_echo(finding: Finding, slips: Mapping[KeyPath, str]) -> bool:
    """Whether a key is told to be missing where it is only misspelt."""
    if finding.at != "parent" or not finding.message.startswith("is missing"):
        return False
    around, key = finding.path[:-1], finding.path[-1]
    return any(path[:-1] == around and meant == key for path, meant in slips.items())


def as_meant(values: dict[str, Any], slips: Mapping[KeyPath, str]) -> dict[str, Any]:
    """The values with every misspelt key under the name that was meant; what is given stays."""
    if not slips:
        return values
    new: dict[str, Any] = _renamed(values, slips, ())
    return new


def nearest_to(key: str, block: Mapping[str, Any], known: Collection[str]) -> str:
    """The key of a block that is nearer to `key` than to any other that is known, or nothing."""
    for name in block:
        if get_close_matches(name.lower(), sorted({*known, key}), n=1, cutoff=0.7) == [key]:
            return name
    return ""


def _renamed(value: Any, slips: Mapping[KeyPath, str], path: KeyPath) -> Any:
    if isinstance(value, list):
        return [_renamed(item, slips, (*path, index)) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    return {
        slips.get((*path, key), key): _renamed(item, slips, (*path, key))
        for key, item in value.items()
    }
