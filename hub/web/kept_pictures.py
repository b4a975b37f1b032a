"""Kept pictures, each shown only as it was taken: its name is the SHA-256 of its file."""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path

import structlog
from aiohttp import web
from markupsafe import Markup

from hub.web.files import NO_STORE, recorded
from hub.web.language import gettext as _
from hub.web.problems import denial
from hub.web.security import HOUSE, is_api, who_is

_NAME = re.compile(r"(?:[0-9a-f]{32}|[0-9a-f]{64})\.jpg\Z")
_DIGITS = 64  # of a SHA-256; shorter names are of older versions and say nothing
_INSTEAD = Markup(
    '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="360" viewBox="0 0 640 360">'
    '<rect width="640" height="360" fill="#1c222b"/><g fill="#ffffff" text-anchor="middle" '
    'font-family="system-ui, sans-serif"><text x="320" y="170" font-size="26" font-weight="700">'
    '{first}</text><text x="320" y="214" font-size="19">{second}</text></g></svg>'
)

log = structlog.get_logger(__name__)


async def media(request: web.Request) -> web.StreamResponse:
    """A picture that was kept with an alert or incident. One that was exchanged or changed on the
    disk is not shown.
    """
    name = request.match_info["name"]
    if not _NAME.match(name):
        raise web.HTTPNotFound
    house, who = request.app[HOUSE], who_is(request)
    file = await house.kept_picture(name)
    if file is None:
        raise web.HTTPNotFound
    try:
        body, as_taken = await asyncio.to_thread(_read, file)
    except OSError:
        raise web.HTTPNotFound from None
    if not as_taken:
        log.error("a kept picture is not what was taken; it is not shown", picture=name)
        return _changed(request)
    if unseen := await recorded(house.audit.look_at_kept(who.by, request.remote or "", name)):
        return unseen
    return web.Response(body=body, headers=NO_STORE, content_type="image/jpeg")


def _read(file: Path) -> tuple[bytes, bool]:
    body = file.read_bytes()
    return body, len(file.stem) != _DIGITS or hashlib.sha256(body).hexdigest() == file.stem


def _changed(request: web.Request) -> web.Response:
    """In place of the picture: that it is not the one that was taken."""
    if is_api(request):
        return denial(
            410,
            "This picture is not the one that was taken: its file was exchanged or changed.",
            "The report of its incident names it. A backup may still have it.",
        )
    said = _INSTEAD.format(
        first=_("Not shown: this picture was changed"),
        second=_("Its file on the hub's disk is not what was taken."),
    )
    return web.Response(text=said, status=410, headers=NO_STORE, content_type="image/svg+xml")
