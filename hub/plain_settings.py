"""Settings as plain JSON values, for a process that validates them again."""

from __future__ import annotations

from typing import Any


def plain(settings: Any) -> dict[str, Any]:
    """A driver's settings as JSON values, under the names that YAML uses."""
    if settings is None:
        return {}
    if hasattr(settings, "model_dump"):
        return dict(settings.model_dump(mode="json", by_alias=True))
    return dict(settings)
