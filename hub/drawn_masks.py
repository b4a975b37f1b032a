"""Masks that somebody draws: what they change in the file, and writing that there.

What is drawn ends in the user's own file and nowhere else; taking the changed file over is the
business of `hub.configuration`, as after any other change.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hub.camera_views import MasksView
from hub.check import Examined, examine
from hub.clock import Clock
from hub.errors import CannotCheck, PluginError, Refused
from hub.ports import ConfigurationFacade, Corners
from hub.redrawing import lines_of, redrawn
from hub.rewriting import Rewrite, restore, write
from hub.storage import audit
from hub.storage.journal import Journal

READ_WITHIN_S = 30.0


class DrawnMasks:
    """Satisfies `hub.ports.MasksFacade`."""

    def __init__(self, configuration: ConfigurationFacade, journal: Journal, clock: Clock) -> None:
        self._configuration = configuration
        self._journal = journal
        self._clock = clock
        self._turn = asyncio.Lock()

    async def plan(self, camera: str, masks: Sequence[Corners]) -> MasksView:
        """What these masks would change in the file. Raises `Refused` where that cannot be read."""
        file = await self._file()
        async with self._turn:
            examined = await _examined(file)
        view = MasksView(
            camera=camera, file=str(file), lines=lines_of(masks), diff="", why="", before=""
        )
        try:
            found = await asyncio.to_thread(redrawn, examined, camera, masks)
        except Refused as refusal:
            return {**view, "why": str(refusal)}
        why = await asyncio.to_thread(_closed, found.file)
        return {
            **view,
            "file": found.shown,
            "diff": found.diff,
            "why": why,
            "before": _name_of(found),
        }

    async def write(self, camera: str, masks: Sequence[Corners], before: str, by: str) -> str:
        """Write them; returns the name of the copy of what stood there. `before` is the `plan`'s,
        so that nobody overwrites what they have not seen. Raises `Refused`; then nothing changed.
        """
        file = await self._file()
        async with self._turn:
            examined = await _examined(file)
            found = await asyncio.to_thread(redrawn, examined, camera, masks)
            if _name_of(found) != before:
                raise Refused("the file has changed since it was read; look at the difference anew")
            backups = await asyncio.to_thread(write, [found], file.parent, self._clock.now())
            try:
                await self._prove(file, examined, camera)
                await self._journal.write(
                    lambda c: audit.note(
                        c, "config.written", f"camera/{camera}", self._clock.now(), who=by,
                        masks=len(masks), file=found.shown, backup=backups[0].name,
                    )
                )  # fmt: skip
            except BaseException:
                await asyncio.to_thread(restore, [found], backups)
                raise
            return backups[0].name

    async def _file(self) -> Path:
        return Path((await self._configuration.view())["file"])

    async def _prove(self, file: Path, before: Examined, camera: str) -> None:
        """What was written is read again: nothing but these masks may be different."""
        after = await _examined(file)
        if len(after.problems) > len(before.problems):
            raise Refused(f"the file would not be valid: {after.problems[0]}; nothing is changed")
        if _others(before, camera) != _others(after, camera):
            raise Refused(
                f"more than the masks of camera {camera} would change, for its block is shared; "
                "nothing is changed. Put the lines there yourself"
            )


def _others(examined: Examined, camera: str) -> Any:
    """All that a file says but for the masks of one camera."""
    values = copy.deepcopy(examined.document.values)
    values["cameras"][camera].pop("masks", None)
    return values


async def _examined(file: Path) -> Examined:
    try:
        async with asyncio.timeout(READ_WITHIN_S):  # a plugin may hang when it is imported
            return await asyncio.to_thread(examine, file)
    except TimeoutError:
        raise Refused(f"reading the file took more than {READ_WITHIN_S:g} s") from None
    except (CannotCheck, PluginError) as error:
        raise Refused(f"the file cannot be read: {error}") from None


def _name_of(found: Rewrite) -> str:
    return hashlib.sha256(found.before).hexdigest()[:16]


def _closed(file: Path) -> str:
    """Why the hub cannot write the file; empty where it can."""
    if os.access(file, os.W_OK) and os.access(file.parent, os.W_OK):
        return ""
    return f"the hub may not write {file}; put the lines there yourself"
