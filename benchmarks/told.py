"""How a benchmark tells what it has measured: a line a figure, or one JSON object."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any


def tell(found: Mapping[str, Any], as_json: bool) -> None:
    """Print the figures."""
    if as_json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name}: {value}")


def status(missed: Iterable[str]) -> int:
    """Name the goals that were missed; the exit status."""
    said = list(missed)
    for each in said:
        print(each, file=sys.stderr)
    return 1 if said else 0
