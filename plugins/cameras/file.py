"""Camera driver `file`: plays a clip in real time, as if a camera sent it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from hub import Block, Context, Driver, Names, NotReady, Purpose, VideoSource, hookimpl


class FileConfig(Block):
    """The clip (relative to the YAML file) and whether it starts over at its end."""

    path: Annotated[Path, Names("file")] = Field(description="The clip, relative to this file.")
    loop: bool = Field(True, description="Start over at the end.")


class FileCamera:
    """A clip that is played again and again."""

    def __init__(self, config: FileConfig, context: Context) -> None:
        self._path = context.config_folder / config.path.expanduser()
        self._loop = config.loop

    async def start(self) -> None:
        """Raises `NotReady` while there is no such file: it may lie on a disk not mounted yet."""
        if not self._path.is_file():
            raise NotReady(f"there is no file {self._path}")

    async def source(self, purpose: Purpose) -> VideoSource:
        """The same clip for every purpose."""
        return VideoSource(url=str(self._path), transport="file", loop=self._loop)

    async def close(self) -> None:
        """There is nothing to let go of."""


@hookimpl
def vestibule_cameras() -> list[Driver]:
    """Announce the driver."""
    return [
        Driver(
            name="file",
            factory=FileCamera,
            config=FileConfig,
            summary="Plays any video file in real time, looping",
        )
    ]
