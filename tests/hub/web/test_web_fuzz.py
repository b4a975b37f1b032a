"""Nonsense in queries, bodies, paths and headers: never a failure, a hang or much memory."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import re
import resource
import zlib
from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

import pytest
from aiohttp.test_utils import TestClient
from yarl import URL

from hub.web.routes import ROUTES, Route
from hub.web.security import CSRF_HEADER

GAPS = {
    "id": "a1", "task": "t1", "name": "console.css", "link": "made-up", "desk": "front",
    "sha256": "ab" * 32, "run": "r1",
}  # fmt: skip
STREAMS = ("/live", "/api/v1/events", "/api/v1/stream")
WITHIN_S = 10.0
MOST_MB = 200.0  # of this process, which holds browser and hub
FORM = "application/x-www-form-urlencoded"
SEED = 20260302
PLANES = ((1, 0x7F), (0x80, 0xD7FF), (0xE000, 0x10FFFF))

QUERIES = (
    "", "?", "&&&===&", "%", "%zz", "a=%", "%00=%00", "a=%ff%fe", "after=%00", "open=1;open=2",
    "open=%F0%9F%9A%AA", "kept=../../etc/passwd", "before=-1", "before=99999999999999999999",
    "after=٣", "next=//evil.example", "next=%0d%0aSet-Cookie:%20a=b", "show=constructor",
    "x=" + "y" * 7000, "&".join(f"a{n}=1" for n in range(900)), "a=1&a=2&a=3",
    "day=0000-00-00", "since=0000-01-01T00:00:00Z", "until=9999-12-31T23:59:59-23:59",
    "area=' OR 1=1 --", "help={{7*7}}", "corrects=<script>", "%E0%A4%A", "confirm=\u202e",
)  # fmt: skip
JSON_BODIES: tuple[bytes, ...] = (
    b"", b"{", b"null", b"[]", b'""', b"1", b"{}" * 2, b"[" * 30_000, b'{"a":' * 5000,
    b'{"verb": "lock", "verb": "unlock"}', b'{"lasts_s": 1e400}', b'{"lasts_s": NaN}',
    b'{"lasts_s": ' + b"9" * 20_000 + b"}", b'{"key": "\\ud800"}', b'{"text": "\\u0000"}',
    b"\xff\xfe{\x00}\x00", b'{"area": "\xff"}', b"\xef\xbb\xbf{}",
    json.dumps({"alerts": ["x"] * 12_000}).encode(), json.dumps({"x" * 60_000: 1}).encode(),
    b'{"__proto__": {}, "constructor": {}}', b"{} trailing", b"// comment\n{}",
)  # fmt: skip
FORMS: tuple[tuple[str, bytes], ...] = (
    (FORM, b"%"), (FORM, b"a=%ff&csrf=%00"), (FORM, b"&" * 5000), (FORM, b"\xff\xfe\x00"),
    (f"{FORM}; charset=nonsense", b"a=b"), (f"{FORM}; charset=utf-16", b"a=b"),
    ("multipart/form-data", b"x"), ("multipart/form-data; boundary=", b"--\r\n"),
    ("multipart/form-data; boundary=b", b"--b\r\n\r\n"),
    ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--"),
    (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="pin"; filename="../../x"\r\n'
        b"Content-Type: text/html\r\n\r\n<script>\r\n--b--\r\n",
    ),
    (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64'
        b"\r\n\r\n!!!\r\n--b--\r\n",
    ),
    ("multipart/form-data; boundary=" + "b" * 300, b"--" + b"b" * 300 + b"\r\n"),
    ("text/plain", b"verdict=verified"), ("application/xml", b"<!DOCTYPE a [<!ENTITY b 'c'>]>"),
)  # fmt: skip
NAMES = (
    "..", "%2e%2e%2f%2e%2e%2fjournal.db", "%2F", "%5c..%5c", "%00", "%0d%0a", "%ff", "a" * 4000,
    "%F0%9F%9A%AA", "{id}", "'", "%3Cscript%3E", "~", "con", "-1", "0", "%20", "%25", "a1%00.jpg",
)  # fmt: skip


def address(route: Route, name: str = "") -> str:
    """The route's path with something plausible, or that name, in every gap."""
    return re.sub(r"{(\w+)}", lambda gap: name or GAPS[gap[1]], route.path)


def gaps(route: Route) -> bool:
    return "{" in route.path


@pytest.fixture
async def send(client: TestClient, sign_in: object) -> AsyncIterator[object]:
    """Ask something as an administrator in a browser; it is answered in time, and does not fail."""
    opened = await sign_in("admin")  # type: ignore[operator]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    async def ask(method: str, path: str, body: bytes = b"", **headers: str) -> int:
        sent = {CSRF_HEADER: opened.identity.csrf} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        async with asyncio.timeout(WITHIN_S):
            answer = await client.request(
                method, URL(path, encoded=True), data=body or None, headers=sent,
                allow_redirects=False, skip_auto_headers=("Content-Type",),
            )  # fmt: skip
            await answer.read()
        assert answer.status < 500, (method, path[:200], body[:200], headers)
        return answer.status

    yield ask
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < MOST_MB


def _noise(count: int) -> Iterator[str]:
    """Queries of random characters from all of Unicode, the same each time."""
    dice = random.Random(SEED)
    for _ in range(count):
        length = dice.randrange(1, 60)
        points = [dice.randrange(*dice.choice(PLANES)) for _ in range(length)]
        yield quote("".join(map(chr, points)), safe="=&;+")


async def test_queries(send: object) -> None:
    """Whatever stands behind the question mark, each page and address of the API answers."""
    noise = list(_noise(6))
    for route in ROUTES:
        if route.method == "GET" and route.path not in STREAMS:
            for query in (*QUERIES, *noise):
                await send("GET", f"{address(route)}?{quote(query, safe='%=&;?/+:')}")  # type: ignore[operator]


async def test_queries_of_streams(client: TestClient, token: object) -> None:
    """A stream that is asked for nonsense says so at once, and none stays open."""
    headers = await token("admin")  # type: ignore[operator]
    for path in ("/api/v1/events", "/api/v1/stream"):
        for query in ("after=x", "after=%00", "after=1&after=2", "after=" + "9" * 100, "x=1"):
            async with asyncio.timeout(WITHIN_S):
                answer = await client.get(URL(f"{path}?{query}", encoded=True), headers=headers)
            assert answer.status == 422


async def test_bodies(send: object) -> None:
    """Whatever is sent as JSON to the API, deep, huge, doubled or no JSON at all, is answered."""
    for route in ROUTES:
        if route.method == "POST" and route.path.startswith("/api/"):
            for body in JSON_BODIES:
                await send("POST", address(route), body, Content_Type="application/json")  # type: ignore[operator]


async def test_forms(send: object) -> None:
    """Forms that are broken, of no charset, with files in them or of another kind are answered."""
    for route in ROUTES:
        if route.method == "POST" and route.path not in ("/signout",):
            for kind, body in FORMS:
                await send("POST", address(route), body, Content_Type=kind)  # type: ignore[operator]


async def test_paths(send: object) -> None:
    """Names that lead elsewhere, that are too long, that are no text: found nowhere."""
    for route in ROUTES:
        if gaps(route) and route.path not in STREAMS:
            for name in NAMES:
                await send(route.method, address(route, name), b"{}")  # type: ignore[operator]


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "identity, gzip", "x" * 100])
async def test_packed_bodies(send: object, coding: str) -> None:
    """A body that grows when it is unpacked is as large as it is then: it is refused, and neither
    a hundred megabytes nor a second are spent on it.
    """
    bomb = gzip.compress(b"[" * 60_000_000, 9)
    deflated = zlib.compress(b"[" * 60_000_000, 9)
    assert len(bomb) < 64 * 1024
    for path in ("/api/v1/alerts/a1/verdict", "/api/v1/panic", "/inbound/none", "/signin"):
        for body in (bomb, deflated, bomb[:100], b"\x1f\x8b", b"{}"):
            status = await send(  # type: ignore[operator]
                "POST", path, body, Content_Type="application/json", Content_Encoding=coding
            )
            assert 400 <= status < 500


async def test_headers(client: TestClient) -> None:
    """Requests as no browser writes them are answered or dropped, and the next one is heard."""
    lines = (
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
        b"G\x00T / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET //evil.example/%2e%2e HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nCookie: " + b"a=b; " * 1500 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nCookie: vestibule_session=\xff\xfe\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \xf0\x9f\x9a\xaa\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-A: b\r\n" * 5000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Language: " + b"es;q=x," * 900 + b"\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /signin HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /signin HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /signin HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /signin HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n"
        b"\r\n0\r\n\r\nGET /api/v1/doors HTTP/1.1\r\n\r\n",
        b"POST /inbound/x HTTP/1.1\r\nHost: a\r\nExpect: 100-nonsense\r\nContent-Length: 0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\r\n" * 1000 + b"\r\n",
    )  # fmt: skip
    for line in lines:
        reader, writer = await asyncio.open_connection(client.host, client.port)
        writer.write(line)
        writer.write_eof()
        async with asyncio.timeout(WITHIN_S):
            said = await reader.read(64 * 1024)
        assert not said.startswith(b"HTTP/1.1 500"), line[:100]
        writer.close()
    assert (await client.get("/healthz")).status == 200
