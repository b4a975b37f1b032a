"""The models that look at pictures now, as pages and API show them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub.models import ModelStore, card
from hub.views import ModelView


def models_in_use(folder: Path, reports: Mapping[str, Mapping[str, Any]]) -> list[ModelView]:
    """One for each model that a detector of `reports` (by id) runs; reads files.

    A detector without a model, which only guesses, has none.
    """
    found: dict[str, ModelView] = {}
    for detector, report in reports.items():
        sha256 = str(report.get("sha256", ""))
        if not sha256 or report.get("guessing"):
            continue
        if sha256 not in found:
            found[sha256] = _view(folder, sha256, report)
        found[sha256]["detectors"].append(detector)
    return list(found.values())


def _view(folder: Path, sha256: str, report: Mapping[str, Any]) -> ModelView:
    model = ModelStore(folder).of_hash(sha256)
    return ModelView(
        name=str(report.get("name", "")),
        title=model.title if model is not None else "",
        licence=str(report.get("licence", "unknown")),
        sha256=sha256,
        shipped=model is not None and model.shipped,
        detectors=[],
        card=card(model) if model is not None else "",
    )


def detecting(detectors: dict[str, dict[str, Any]]) -> str:
    """What looks at the pictures, in words."""
    if not detectors:
        return "nothing: no detector is running"
    return "; ".join(
        str(report.get("reason") or report.get("name") or name)
        if report.get("guessing")
        else str(report.get("name") or name)
        for name, report in detectors.items()
    )
