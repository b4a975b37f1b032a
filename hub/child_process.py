"""A child process of the hub: how it is started, what it uses, and how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from hub.procfs import Usage, usage
from hub.views import ProcessView


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a child: `begun(pid)` is called once it has its copies of `pass_fds`."""

    argv: Sequence[str]
    pass_fds: tuple[int, ...] = ()
    env: Mapping[str, str] | None = None
    begun: Callable[[int], None] | None = None


@dataclass(frozen=True, slots=True)
class Exit:
    """How a child ended. `code` is negative for a signal; `asked` when the hub told it to end."""

    name: str
    pid: int
    code: int
    ran_s: float
    asked: bool

    @property
    def words(self) -> str:
        """The ending in words."""
        if self.code >= 0:
            return f"exit status {self.code}"
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-self.code).name}"
        return f"killed by signal {-self.code}"


@dataclass(slots=True)
class Child:
    """A child process over all its lives; `keeper` is the task that keeps it running."""

    name: str
    state: Literal["running", "restarting", "stopped"] = "restarting"
    restarts: int = 0
    process: asyncio.subprocess.Process | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    current: Usage = field(default_factory=Usage)
    ended_cpu_s: float = 0.0
    peak_mb: float = 0.0
    keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Its present process; 0 without one."""
        return self.process.pid if self.process is not None else 0

    def sample(self) -> None:
        """Look at what it uses."""
        if self.process is None or self.process.returncode is not None:
            return
        seen = usage(self.process.pid)
        if seen is not None:
            self.current = seen
            self.peak_mb = max(self.peak_mb, seen.rss_peak_mb)

    def settle_usage(self) -> None:
        """The process is gone: its last sample joins the total of those before it."""
        self.ended_cpu_s += self.current.cpu_s
        self.current = Usage()

    def signal(self, number: signal.Signals) -> None:
        """To the whole session of the child, which it leads."""
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)

    def view(self) -> ProcessView:
        """As health shows it."""
        return {
            "name": self.name,
            "pid": self.pid,
            "state": self.state,
            "restarts": self.restarts,
            "cpu_s": round(self.ended_cpu_s + self.current.cpu_s, 3),
            "rss_peak_mb": round(self.peak_mb, 1),
        }
