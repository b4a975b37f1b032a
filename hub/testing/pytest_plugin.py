"""What pytest gets where Vestibule is installed: fixtures, and what the contracts left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hub.testing import FakeClock, RunningHub

LEFT_OUT = pytest.StashKey[dict[str, str]]()


@pytest.fixture
def fake_clock() -> FakeClock:
    """A clock that moves only when the test says so."""
    from hub.testing import FakeClock

    return FakeClock()


@pytest.fixture
def start_hub(tmp_path: Path) -> Iterator[Callable[..., RunningHub]]:
    """Starts real hubs, `start_hub(config)` each; stops them at the end of the test."""
    from hub.testing import running_hub

    with ExitStack() as stack:
        count = 0

        def start(config: Path | str, **more: Any) -> RunningHub:
            nonlocal count
            count += 1
            return stack.enter_context(running_hub(config, tmp_path / f"hub-{count}", **more))

        yield start


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Note which promises cannot be tested with the devices that the contracts have."""
    left_out: dict[str, str] = {}
    for cls in {getattr(item, "cls", None) for item in items}:
        lacking = getattr(cls, "left_out", None)
        if cls is not None and isinstance(lacking, dict) and hasattr(cls, "driver"):
            troubles = sorted({trouble for some in lacking.values() for trouble in some})
            if troubles and not getattr(cls, "alone", False):
                left_out[cls.__qualname__] = f"{len(lacking)} tests need a device that can " + (
                    ", ".join(trouble.replace("_", " ") for trouble in troubles)
                )
    config.stash[LEFT_OUT] = left_out


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what was not tested, so that silence is not taken for a pass."""
    for name, what in sorted(config.stash.get(LEFT_OUT, {}).items()):
        terminalreporter.write_line(f"not tested: {name}: {what} (see hub.testing.Device)")
