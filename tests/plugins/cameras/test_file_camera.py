"""The file driver says where the clip is, or that it is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.errors import NotReady
from hub.kinds import Context
from plugins.cameras.file import FileCamera, FileConfig


async def test_a_path_is_taken_from_where_the_configuration_lies(tmp_path: Path) -> None:
    """And played in a loop unless told otherwise."""
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.mp4").write_bytes(b"x")
    context = Context("a", config_folder=tmp_path)
    camera = FileCamera(FileConfig(path=Path("clips/a.mp4")), context)
    await camera.start()
    source = await camera.source("analysis")
    assert (source.url, source.transport, source.loop) == (
        str(tmp_path / "clips" / "a.mp4"),
        "file",
        True,
    )
    once = FileCamera(FileConfig(path=Path("clips/a.mp4"), loop=False), context)
    assert not (await once.source("live")).loop
    await camera.close()


async def test_a_missing_clip_is_named_and_may_still_come(tmp_path: Path) -> None:
    """`NotReady`, so the hub tries again."""
    camera = FileCamera(FileConfig(path=Path("a.mp4")), Context("a", config_folder=tmp_path))
    with pytest.raises(NotReady, match=str(tmp_path / "a.mp4")):
        await camera.start()
    (tmp_path / "a.mp4").write_bytes(b"x")
    await camera.start()
