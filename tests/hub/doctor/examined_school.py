"""A configuration to examine, and the examination of part of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import yaml

from hub.clock import SystemClock
from hub.doctor.finding import Finding, Probe
from hub.doctor.given import Asked, Given, read
from hub.doctor.run import examine

BASE: dict[str, Any] = {"places": {"site": {"name": "School", "kind": "site"}}}


class School:
    """Writes a configuration and examines parts of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "school.yaml"
        self.state = folder / "state"

    def write(self, **sections: Any) -> Path:
        """A valid configuration with these sections; `raw` is YAML added as it is."""
        raw = sections.pop("raw", "")
        self.file.write_text(yaml.safe_dump({**BASE, **sections}) + raw, encoding="utf-8")
        return self.file

    def given(self, **asked: Any) -> Given:
        """The file as doctor reads it."""
        if not self.file.exists():
            self.write()
        return read(Asked(**{"config": self.file, "state": self.state, **asked}), SystemClock())

    async def look(
        self,
        probes: Callable[[Given], list[Probe]],
        limit: float = 10.0,
        only: str = "",
        **asked: Any,
    ) -> list[Finding]:
        """The findings of one section, or of its probe of that subject alone."""
        given = self.given(limit=limit, **asked)
        chosen = [each for each in probes(given) if only in ("", each.subject)]
        assert chosen or not only, f"there is no probe of {only}"
        return await examine(chosen, given.clock, limit, given.secrets)

    async def one(self, probes: Callable[[Given], list[Probe]], **asked: Any) -> Finding:
        """The only finding of one section."""
        (finding,) = await self.look(probes, **asked)
        return finding


def by_subject(findings: list[Finding]) -> dict[str, Finding]:
    """The findings by what they are about."""
    return {finding.subject: finding for finding in findings}


def clip(file: Path, size: tuple[int, int] = (320, 240), container: str = "mp4") -> Path:
    """Two seconds of a grey picture that grows lighter, ten pictures a second."""
    with av.open(str(file), "w", format=container) as output:
        stream = output.add_stream("libx264", rate=10)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for number in range(20):
            picture = np.full((size[1], size[0], 3), 5 * number, np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        output.mux(stream.encode(None))
    return file
