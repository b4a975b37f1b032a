"""What a device says, as a JSON object."""

from __future__ import annotations

import json
from typing import Any


def json_object(raw: bytes | str) -> dict[str, Any] | None:
    """The object that was said; None where it is none, also where it is nested too deep."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
