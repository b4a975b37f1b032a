"""Who gets through: strangers, roles, forged requests, headers."""

import asyncio
import re
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from scripted_house import ScriptedHouse

from hub.identity.permissions import ROLES, may
from hub.web.routes import ROUTES, Route
from hub.web.security import CSRF_HEADER, GUEST, PUBLIC, SESSION_COOKIE, SIGNED_IN
from hub.web.server import create_app

API_PAGE = Path(__file__).parents[3] / "docs" / "reference" / "api.md"
NAMES = {
    "id": "a1", "task": "t1", "name": "console.css", "link": "made-up", "desk": "front",
    "sha256": "ab" * 32, "run": "r1",
}  # fmt: skip
STREAMS = ("/live", "/api/v1/events")


def address(route: Route) -> str:
    """The route's path with something plausible in every gap."""
    return re.sub(r"{(\w+)}", lambda gap: NAMES[gap[1]], route.path)


PRIVATE = [route for route in ROUTES if route.permission not in (PUBLIC, GUEST)]


def test_only_these_addresses_are_public() -> None:
    """Adding a public route takes a change here as well."""
    public = (route for route in ROUTES if route.permission == PUBLIC)
    assert sorted(f"{route.method} {route.path}" for route in public) == [
        "GET /guest/{link}",
        "GET /healthz",
        "GET /panic",
        "GET /setup/{link}",
        "GET /signin",
        "GET /signin/code",
        "GET /signin/out",
        "GET /signin/provider",
        "GET /signin/provider/return",
        "GET /static/{name}",
        "GET /sw.js",
        "POST /api/v1/panic",
        "POST /guest/{link}",
        "POST /inbound/{name}",
        "POST /panic/enrol",
        "POST /panic/help",
        "POST /panic/help/{id}/correct",
        "POST /panic/lockdown",
        "POST /setup/{link}",
        "POST /signin",
        "POST /signin/code",
        "POST /signin/passkey",
        "POST /signin/passkey/ask",
    ]


async def test_every_route_denies_strangers(client: TestClient) -> None:
    """All routes but the public ones give a stranger 401 or the sign-in page, and no content."""
    for route in PRIVATE:
        answer = await client.request(route.method, address(route), allow_redirects=False)
        if answer.status == 303:
            assert answer.headers["Location"].startswith("/signin"), route
            assert not route.path.startswith("/api/"), route
        else:
            assert answer.status == 401, route
        assert len(await answer.read()) < 300


async def test_a_made_up_token_or_session_is_a_stranger(client: TestClient) -> None:
    """Sending something that looks right opens nothing."""
    for headers in (
        {"Authorization": "Bearer vst_made_up"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic YWRtaW46YWRtaW4="},
        {"Cookie": "vestibule_session=made-up"},
    ):
        answer = await client.get("/api/v1/doors", headers=headers)
        assert answer.status == 401
        assert (await answer.json())["detail"]


async def test_an_address_that_does_not_exist_tells_a_stranger_nothing(client: TestClient) -> None:
    """Strangers cannot learn from the answer which addresses exist."""
    assert (await client.get("/api/v1/nothing")).status == 401
    answer = await client.get("/nothing", allow_redirects=False)
    assert answer.headers["Location"] == "/signin?next=%2Fnothing"


def only_for_people(route: Route) -> bool:
    """Whether a token is refused, whatever its role may."""
    said = route.contract is not None and bool(route.contract.not_by_token)
    return said or (route.method == "POST" and route.path.endswith(("/hand-off", "/glass")))


@pytest.mark.parametrize("role", sorted(ROLES))
async def test_every_route_asks_for_its_permission(
    client: TestClient, token: object, role: str
) -> None:
    """Routes x roles: denied with 403 exactly where the role lacks the permission, and every token
    where only a person may act.
    """
    headers = await token(role)  # type: ignore[operator]
    for route in PRIVATE:
        if route.path in STREAMS and (route.permission == SIGNED_IN or may(role, route.permission)):
            continue
        answer = await client.request(
            route.method, address(route), headers=headers, allow_redirects=False
        )
        allowed = route.permission == SIGNED_IN or may(role, route.permission)
        allowed = allowed and not only_for_people(route)
        assert (answer.status != 403) == allowed, (role, route.method, route.path)
        assert answer.status != 500, (role, route.method, route.path)


async def test_a_route_outside_the_table_stops_the_start(house: ScriptedHouse) -> None:
    """An address that declares no permission is an error at start, never an open door."""
    app = create_app(house)

    async def open_door(request: web.Request) -> web.Response:
        return web.Response(text="anybody")

    app.router.add_get("/extra", open_door)
    server = TestServer(app)
    with pytest.raises(RuntimeError, match="declares no permission"):
        await server.start_server()
    await server.close()


def test_the_page_about_the_interface_lists_every_route() -> None:
    """docs/reference/api.md and the route table say the same."""
    rows = re.findall(r"^\| (GET|POST) \| `([^`]+)` \| (\S+) \|", API_PAGE.read_text(), re.M)
    assert sorted(rows) == sorted((r.method, r.path, r.permission) for r in ROUTES)


async def test_every_answer_carries_the_security_headers(
    client: TestClient, sign_in: object
) -> None:
    """Pages, errors, redirects, static files and the API alike forbid foreign content."""
    paths = ["/signin", "/static/console.css", "/api/v1/doors", "/", "/nothing"]
    answers = [await client.get(path, allow_redirects=False) for path in paths]
    await sign_in("admin")  # type: ignore[operator]
    answers += [await client.get(path) for path in ("/", "/nothing", "/pictures/cameras/lobby.jpg")]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        if "/static/" not in str(answer.url):
            assert answer.headers["Cache-Control"] == "no-store"
        assert "Python" not in answer.headers["Server"]


async def test_a_form_without_its_secret_changes_nothing(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """A session alone does not act: the page's own secret has to come along."""
    opened = await sign_in("sro")  # type: ignore[operator]
    paths = ("/alerts/a1/verdict", "/api/v1/alerts/a1/verdict")
    for path in paths:
        for csrf in (None, "", "wrong", opened.identity.csrf[:-1]):
            body = {"verdict": "verified"} | ({} if csrf is None else {"csrf": csrf})
            answer = await client.post(path, data=body, allow_redirects=False)
            assert answer.status == 403
    assert house.alert_views["a1"]["state"] == "raised"
    good = {"verdict": "verified", "csrf": opened.identity.csrf}
    assert (await client.post(paths[0], data=good, allow_redirects=False)).status == 303
    assert house.alert_views["a1"]["verdict"]["by"] == "The sro"


async def answer_to(client: TestClient, lines: bytes, body: bytes = b"") -> bytes:
    """The first line of what the hub answers to these bytes."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(lines + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
    first = await asyncio.wait_for(reader.readline(), 20)
    writer.close()
    return first.rstrip()


ODD = [b"\xff\xfe", b"\xed\xa0\x80", "é".encode(), b"http://[", b"http://[::1", b";=;", b'"']


@pytest.mark.parametrize("odd", ODD)
async def test_bytes_that_are_no_text_are_a_stranger_and_no_fault(
    client: TestClient, sign_in: object, odd: bytes
) -> None:
    """Whatever stands in a header or a form, the answer is a refusal, never the hub's failure."""
    opened = await sign_in("sro")  # type: ignore[operator]
    session = b"Cookie: %s=%s\r\n" % (SESSION_COOKIE.encode(), opened.secret.encode())
    start = b"POST /api/v1/alerts/a1/verdict HTTP/1.1\r\nHost: here\r\n"
    form = b"Content-Type: application/x-www-form-urlencoded\r\n"
    for headers in (
        b"Origin: " + odd + b"\r\n",
        session + b"Origin: " + odd + b"\r\n",
        session + b"X-CSRF-Token: " + odd + b"\r\n",
        session + b"Sec-Fetch-Site: " + odd + b"\r\n",
        b"Authorization: Bearer " + odd + b"\r\n",
        b"Cookie: vestibule_session=" + odd + b"\r\n",
    ):
        said = await answer_to(client, start + headers + form, b"csrf=%ED%A0%80&verdict=verified")
        assert said.split()[1] in (b"401", b"403", b"303"), (headers, said)
    signin = b"POST /signin HTTP/1.1\r\nHost: here\r\nCookie: vestibule_form=" + odd + b"\r\n"
    said = await answer_to(client, signin + form, b"csrf=" + odd + b"&name=a")
    assert said.split()[1] in (b"400", b"401", b"403"), said
    for type_ in (
        b"application/x-www-form-urlencoded; charset=klingon",
        b"multipart/form-data",
        b"multipart/form-data; boundary=x",
    ):
        given = b"Content-Type: " + type_ + b"\r\n"
        for head in (signin, start + session):
            said = await answer_to(client, head + given, b"--x\r\n\r\n" + odd + b"\r\n--x--")
            assert b" 400 " in said, (head, type_)


async def test_what_is_no_request_costs_one_line_that_repeats_nothing_of_it(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody fills the log with tracebacks, and a token in a broken request is not kept there."""
    broken = b"GET / HTTP/1.1\r\nAuthorization: Bearer vst_secret\x01\r\n"
    assert b" 400 " in await answer_to(client, broken)
    (said,) = [record for record in caplog.records if record.name == "aiohttp.server"]
    assert said.getMessage().endswith("it cannot be read (BadHttpMessage)")
    assert "vst_secret" not in caplog.text
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_request_from_another_site_changes_nothing(
    client: TestClient, house: ScriptedHouse, sign_in: object, headers: dict[str, str]
) -> None:
    """Even with the right secret, another site's request is refused; so is its sign-in."""
    opened = await sign_in("sro")  # type: ignore[operator]
    sent = {**headers, CSRF_HEADER: opened.identity.csrf}
    answer = await client.post(
        "/alerts/a1/verdict", data={"verdict": "verified"}, headers=sent, allow_redirects=False
    )
    assert answer.status == 403
    assert house.alert_views["a1"]["state"] == "raised"
    assert (await client.post("/signin", data={}, headers=headers)).status == 403


async def test_a_role_of_the_configuration_is_held_to_its_list(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """A porter sees and moves doors, and nothing else."""
    opened = await sign_in("porter")  # type: ignore[operator]
    assert (await client.get("/doors")).status == 200
    assert (await client.get("/health")).status == 403
    assert (await client.get("/pictures/cameras/lobby.jpg")).status == 403
    body = {"verb": "lock", "csrf": opened.identity.csrf, "reason": "rounds"}
    answer = await client.post("/doors/main/commands", data=body, allow_redirects=False)
    assert answer.status == 303
    assert house.commands == [("main", "lock", "The porter", "rounds")]
    page = await (await client.get("/")).text()
    assert "Person in the closed science wing" not in page
    assert "/pictures/" not in page


async def test_a_role_sees_only_its_own_parts_of_the_first_page(
    client: TestClient, sign_in: object
) -> None:
    """The nurse sees alerts but neither live cameras nor doors; the responder may not decide."""
    await sign_in("nurse")  # type: ignore[operator]
    page = await (await client.get("/")).text()
    assert "Person in the closed science wing" in page
    assert "/pictures/" not in page
    assert 'href="/doors"' not in page
    assert (await client.get("/api/v1/doors")).status == 403


async def test_a_responder_looks_and_decides_nothing(client: TestClient, sign_in: object) -> None:
    """Read-only roles get no verdict buttons."""
    await sign_in("responder")  # type: ignore[operator]
    page = await (await client.get("/")).text()
    assert "Person in the closed science wing" in page
    assert 'name="verdict"' not in page


async def test_a_private_camera_shows_no_picture(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """Private places stay private: even when a picture lies there, nobody gets it."""
    house.take_picture("nurse", (300, 200))
    await sign_in("admin")  # type: ignore[operator]
    assert (await client.get("/pictures/cameras/nurse.jpg")).status == 404
    page = await (await client.get("/cameras/nurse")).text()
    assert "Private place" in page
    assert "/pictures/cameras/nurse" not in page


@pytest.mark.parametrize(
    "path",
    [
        "/media/../journal.db",
        "/media/%2e%2e%2fjournal.db",
        "/media/journal.db",
        "/media/" + "0" * 32 + ".jpg",
        "/media/" + "0" * 32 + ".jpg%0a",
        "/pictures/cameras/..%2flobby.jpg",
        "/pictures/cameras/unknown.jpg",
        "/static/..%2fserver.py",
        "/static/nothing.css",
    ],
)
async def test_names_of_files_lead_nowhere_else(
    client: TestClient, sign_in: object, path: str
) -> None:
    """Only plain known names are served; nothing outside the media and static folders."""
    await sign_in("admin")  # type: ignore[operator]
    from yarl import URL

    answer = await client.get(URL(path, encoded=True), allow_redirects=False)
    assert answer.status in (404, 303)
    assert b"SQLite" not in await answer.read()


async def test_who_leaves_before_all_is_said_costs_no_line(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A telephone that loses its network in the middle of a form is nothing to tell."""
    head = b"POST /signin HTTP/1.1\r\nHost: here\r\nContent-Length: 50\r\n"
    _, writer = await asyncio.open_connection("127.0.0.1", client.server.port)
    begun = asyncio.all_tasks()
    writer.write(head + b"Content-Type: application/x-www-form-urlencoded\r\n\r\nname=")
    await writer.drain()
    while asyncio.all_tasks() == begun:
        await asyncio.sleep(0)
    writer.transport.abort()
    assert (await client.get("/signin")).status == 200
    assert [record for record in caplog.records if record.name == "aiohttp.server"] == []


async def test_a_form_that_does_not_come_is_not_waited_for(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody holds a connection by half a form."""
    monkeypatch.setattr("hub.web.server.FORM_S", 0.01)
    head = b"POST /signin HTTP/1.1\r\nHost: here\r\nContent-Length: 500\r\n"
    head += b"Content-Type: application/x-www-form-urlencoded\r\n\r\nname="
    assert b" 408 " in await answer_to(client, head)


async def test_a_flood_of_what_is_no_request_costs_one_line(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A scanner, or whoever means harm, does not fill the disk with lines."""
    for _ in range(5):
        assert b" 400 " in await answer_to(client, b"GET / NONSENSE\r\n\r\n")
    assert len([record for record in caplog.records if record.name == "aiohttp.server"]) == 1
