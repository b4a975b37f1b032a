"""Pages and answers leave compressed, where the browser takes that.

A page holds the secret of its reader's session. So that nobody learns it from how well a page
packs (they would have others ask for pages of their making, and measure), each packed page has a
comment of random length in its head.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
import zlib

from aiohttp import web
from aiohttp.typedefs import Handler

LEVEL = 3
SMALLEST = 1024
LONGEST_COMMENT = 100
_PACKED = ("text/html", "application/json")
_HEAD = b"\x1f\x8b\x08\x10\x00\x00\x00\x00\x00\xff"  # gzip, with a comment, of no time and system


@web.middleware
async def packed(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Compress what is worth it."""
    answer = await handler(request)
    if not isinstance(answer, web.Response) or not isinstance(body := answer.body, bytes):
        return answer
    plain = answer.content_type in _PACKED and "Content-Encoding" not in answer.headers
    if plain and len(body) >= SMALLEST:
        answer.headers["Vary"] = "Accept-Encoding"
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            answer.body = await asyncio.to_thread(pack, body)  # zlib lets the others go on
            answer.headers["Content-Encoding"] = "gzip"
    return answer


def pack(body: bytes) -> bytes:
    """The body as gzip, with a comment that makes it longer by chance."""
    comment = secrets.token_hex(LONGEST_COMMENT)[: secrets.randbelow(LONGEST_COMMENT) + 1].encode()
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    small = deflate.compress(body) + deflate.flush()
    return b"".join(
        (_HEAD, comment, b"\0", small, struct.pack("<II", zlib.crc32(body), len(body) & 0xFFFFFFFF))
    )
