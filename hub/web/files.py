"""Live pictures and the console's own static files."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from aiohttp import web

from hub.errors import StateError
from hub.web.language import languages
from hub.web.security import HOUSE, who_is

STATIC_FOLDER = Path(__file__).parent / "static"
PICTURE_AGE_HEADER = "X-Picture-Age"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
}
NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file of the console, as it is sent."""

    body: bytes
    packed: bytes | None
    content_type: str
    etag: str


@dataclass(frozen=True, slots=True)
class StaticFiles:
    """All of the console's own files, read once; `version` changes when any of them does."""

    files: dict[str, StaticFile]
    version: str


STATIC: web.AppKey[StaticFiles] = web.AppKey("static", StaticFiles)


@cache
def load_static(folder: Path = STATIC_FOLDER) -> StaticFiles:
    """Read and compress the static files; once a process, they do not change under it."""
    files: dict[str, StaticFile] = {}
    whole = hashlib.sha256()
    for name, body in sorted(_bodies(folder)):
        whole.update(name.encode() + body)
        kind = Path(name).suffix
        packed = None if kind == ".woff2" else gzip.compress(body, 9, mtime=0)
        tag = hashlib.sha256(body).hexdigest()[:16]
        files[name] = StaticFile(body, packed, _TYPES[kind], f'"{tag}"')
    return StaticFiles(files, whole.hexdigest()[:10])


def _bodies(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Each file with its name, and what the scripts say in other languages: `said.es.js`."""
    for path in folder.iterdir():
        if path.suffix in _TYPES:
            yield path.name, path.read_bytes()
    for code, each in languages().items():
        if each.scripts:
            words = json.dumps(each.scripts, ensure_ascii=False, separators=(",", ":"))
            yield f"said.{code}.js", f"window.vestibuleSaid={words};\n".encode()


async def static(request: web.Request) -> web.StreamResponse:
    """One of the console's own files; kept for long by browsers when asked for by version."""
    loaded = request.app[STATIC]
    found = loaded.files.get(request.match_info["name"])
    if found is None:
        raise web.HTTPNotFound
    current = request.query.get("v") == loaded.version
    headers = {
        "Content-Type": found.content_type,
        "ETag": found.etag,
        "Vary": "Accept-Encoding",
        "Cache-Control": "public, max-age=31536000, immutable" if current else "no-cache",
    }
    if request.headers.get("If-None-Match") == found.etag:
        return web.Response(status=304, headers=headers)
    if found.packed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
        return web.Response(body=found.packed, headers={**headers, "Content-Encoding": "gzip"})
    return web.Response(body=found.body, headers=headers)


@dataclass(frozen=True, slots=True)
class Picture:
    """A camera's picture as it was written, and when (s since the epoch)."""

    jpeg: bytes
    written: float
    etag: str


class Newest:
    """The newest picture of each camera, read once for all who ask for it."""

    def __init__(self) -> None:
        self._read: dict[str, Picture] = {}
        self._one_at_a_time = asyncio.Lock()

    async def get(self, camera: str, file: Path) -> Picture:
        """What the file holds now. Raises `OSError`."""
        written, etag = _stamp(file)
        known = self._read.get(camera)
        if known is None or known.etag != etag:
            async with self._one_at_a_time:
                known = self._read.get(camera)
                if known is None or known.etag != etag:
                    jpeg = await asyncio.to_thread(file.read_bytes)
                    known = self._read[camera] = Picture(jpeg, written, etag)
        return known


NEWEST: web.AppKey[Newest] = web.AppKey("newest", Newest)


def _stamp(file: Path) -> tuple[float, str]:
    found = file.stat()
    return found.st_mtime, f'"{found.st_mtime_ns:x}-{found.st_size:x}"'


async def picture(request: web.Request) -> web.StreamResponse:
    """The newest picture of a camera, for who is signed in."""
    return await newest_picture(request, who_is(request).by)


async def newest_picture(request: web.Request, by: str) -> web.StreamResponse:
    """The newest picture of a camera, with its age; never of a private place. `by` looks at it.

    Honours `If-None-Match`, so that asking twice a second costs little.
    """
    house, camera = request.app[HOUSE], request.match_info["id"]
    block = house.config.cameras.get(camera)
    if block is None or house.campus.private(block.place):
        raise web.HTTPNotFound
    file = house.snapshot(camera)
    if file is None:
        raise web.HTTPNotFound
    try:
        found = await request.app[NEWEST].get(camera, file)
    except OSError:
        raise web.HTTPNotFound from None
    if unseen := await recorded(house.audit.look(by, request.remote or "", camera)):
        return unseen
    age = max(0.0, house.clock.now().timestamp() - found.written)
    headers = {**NO_STORE, PICTURE_AGE_HEADER: f"{age:.3f}", "ETag": found.etag}
    if request.headers.get("If-None-Match") == found.etag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=found.jpeg, headers=headers, content_type="image/jpeg")


async def recorded(look: Awaitable[None]) -> web.Response | None:
    """Nothing, once it stands on the disk who looks; else the answer that shows no picture."""
    try:
        await look
    except StateError:
        return web.Response(
            status=503,
            text="It cannot be recorded that you look at this, so it is not shown.",
            headers=NO_STORE,
        )
    return None
