"""Second factors at the web: an app, recovery codes, and roles that need more than a password."""

import hashlib
import re
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from scripted_house import ScriptedHouse
from signing_in import PASSWORD, add, csrf_of

from hub.config import Config
from hub.identity import accounts
from hub.identity.factors import begin_authenticator, confirm_authenticator
from hub.identity.pending import Pending
from hub.testing import FakeClock
from hub.web.security import CSRF_HEADER, SESSION_COOKIE
from hub.web.server import create_app
from hub.web.sign_in_steps import SIGN_IN_STEPS
from hub.web.sign_in_ways import LINES

HALF_A_MINUTE = timedelta(seconds=30)


async def with_app(house: ScriptedHouse, name: str = "desk") -> tuple[pyotp.TOTP, list[str]]:
    """An account whose app was set up a while ago, and its recovery codes."""
    before = house.clock.now() - timedelta(hours=1)
    secret = await house.journal_write(lambda c: begin_authenticator(c, name, before))
    app = pyotp.TOTP(secret)
    codes = await house.journal_write(
        lambda c: confirm_authenticator(c, name, app.at(before), "", before)
    )
    return app, codes


async def first_step(client: TestClient, name: str = "desk") -> str:
    """Give the password; the address of the second step."""
    csrf = await csrf_of(client, "/signin")
    body = {"name": name, "password": PASSWORD, "csrf": csrf, "next": "/doors"}
    answer = await client.post("/signin", data=body, allow_redirects=False)
    assert SESSION_COOKIE not in answer.cookies
    return answer.headers["Location"]


async def second_step(client: TestClient, address: str, code: str) -> object:
    """Send a code for the step that an address names."""
    csrf = await csrf_of(client, address)
    body = {"step": address.partition("step=")[2], "code": code, "csrf": csrf}
    return await client.post("/signin/code", data=body, allow_redirects=False)


async def test_with_an_app_a_password_alone_signs_nobody_in(
    client: TestClient, house: ScriptedHouse
) -> None:
    """The password leads to the code, and the code to the page that was asked for."""
    await add(house)
    app, _ = await with_app(house)
    address = await first_step(client)
    assert address.startswith("/signin/code?step=")
    assert (await client.get("/doors", allow_redirects=False)).status == 303
    wrong = await second_step(client, address, "000000")
    assert wrong.status == 401
    right = await second_step(client, address, app.at(house.clock.now()))
    assert (right.status, right.headers["Location"]) == (303, "/doors")
    assert (await client.get("/doors")).status == 200


async def test_a_code_that_was_taken_opens_nothing_more(
    client: TestClient, house: ScriptedHouse
) -> None:
    """Replayed by whoever has seen the password and the code."""
    await add(house)
    app, _ = await with_app(house)
    code = app.at(house.clock.now())
    assert (await second_step(client, await first_step(client), code)).status == 303
    client.session.cookie_jar.clear()
    again = await second_step(client, await first_step(client), code)
    assert again.status == 401
    assert SESSION_COOKIE not in again.cookies


async def test_the_second_step_is_of_the_browser_that_took_the_first(
    client: TestClient, house: ScriptedHouse
) -> None:
    """Whoever has the address of the step, and the code, still has no session."""
    await add(house)
    app, _ = await with_app(house)
    address = await first_step(client)
    client.session.cookie_jar.clear()
    answer = await client.get(address)
    assert answer.status == 410
    csrf = await csrf_of(client, "/signin")
    step = address.partition("step=")[2]
    body = {"step": step, "code": app.at(house.clock.now()), "csrf": csrf}
    assert (await client.post("/signin/code", data=body)).status == 410


async def test_guessing_codes_is_slowed_down_and_then_begins_anew(house: ScriptedHouse) -> None:
    """A million codes are not tried in an evening; after five the password is asked for again."""
    clock = house.clock = FakeClock()
    await add(house)
    app, _ = await with_app(house)
    async with TestClient(TestServer(create_app(house))) as client:
        address = await first_step(client)
        for _ in range(5):
            assert (await second_step(client, address, "000000")).status in (401, 410)
        gone = await client.get(address)
        assert gone.status == 410
        address = await first_step(client)
        waits = await second_step(client, address, app.at(clock.now()))
        assert waits.status == 429
        assert int(waits.headers["Retry-After"]) >= 1
        await clock.advance(3)
        assert (await second_step(client, address, app.at(clock.now()))).status == 303


async def test_strangers_push_out_nobodys_half_done_sign_in(
    client: TestClient, house: ScriptedHouse
) -> None:
    """Whoever asks for challenges on and on pushes out their own; the code of somebody whose
    password was right is waited for, though both come from one address.
    """
    pending = client.app[SIGN_IN_STEPS].pending = Pending(house.clock, entries=20, each=5)
    await add(house)
    app, _ = await with_app(house)
    address = await first_step(client)
    csrf = await csrf_of(client, address)
    for _n in range(40):
        asked = await client.post("/signin/passkey/ask", headers={CSRF_HEADER: csrf}, json={})
        assert asked.status == 200
    assert len(pending) == 6
    assert (await second_step(client, address, app.at(house.clock.now()))).status == 303


async def test_a_recovery_code_stands_in_once(client: TestClient, house: ScriptedHouse) -> None:
    """With the phone lost one still comes in, and the page says how many codes are left."""
    await add(house)
    _, codes = await with_app(house)
    assert (await second_step(client, await first_step(client), codes[0])).status == 303
    assert "9 left" in await (await client.get("/me/sign-in")).text()
    assert "with the password and a recovery code" in await (await client.get("/me")).text()
    client.session.cookie_jar.clear()
    assert (await second_step(client, await first_step(client), codes[0])).status == 401


async def test_setting_up_an_app_from_the_page(client: TestClient, house: ScriptedHouse) -> None:
    """The password opens it, a code closes it, and recovery codes are shown this once."""
    await add(house)
    csrf = await csrf_of(client, "/signin")
    body = {"name": "desk", "password": PASSWORD, "csrf": csrf}
    await client.post("/signin", data=body)
    mine = {"csrf": await csrf_of(client, "/me/sign-in")}
    wrong = await client.post("/me/authenticator", data={**mine, "password": "another"})
    assert wrong.status == 401
    page = await (
        await client.post("/me/authenticator", data={**mine, "password": PASSWORD})
    ).text()
    secret = re.search(r'id="app-secret">([A-Z2-7 ]+)<', page)
    assert secret, page
    assert "<svg viewBox" in page
    assert "style=" not in page
    app = pyotp.TOTP(secret[1].replace(" ", ""))
    done = await client.post(
        "/me/authenticator/confirm", data={**mine, "code": app.at(house.clock.now())}
    )
    shown = await done.text()
    assert len(re.findall(r"<code>[A-Z2-9]{4}(?:-[A-Z2-9]{4}){3}</code>", shown)) == 10
    after = await (await client.get("/me/sign-in")).text()
    assert "Your recovery codes" not in after
    assert secret[1] not in after


async def test_a_role_that_needs_a_second_factor_comes_no_further_without(
    client: TestClient, house: ScriptedHouse
) -> None:
    """Every page leads to adding one, the API refuses, and once it is added all is open."""
    needs = {"sign_in": {"second_factor": ["sro"]}}
    house.config = Config.model_validate({**_plain(house.config), "hub": needs})
    await add(house)
    csrf = await csrf_of(client, "/signin")
    await client.post("/signin", data={"name": "desk", "password": PASSWORD, "csrf": csrf})
    for path in ("/", "/doors", "/me", "/live", "/pictures/cameras/lobby.jpg"):
        answer = await client.get(path, allow_redirects=False)
        assert (answer.status, answer.headers.get("Location")) == (303, "/me/sign-in"), path
    assert (await client.get("/api/v1/doors")).status == 403
    mine = {"csrf": await csrf_of(client, "/me/sign-in")}
    assert (await client.post("/doors/main/commands", data={**mine, "verb": "lock"})).status == 403
    assert house.commands == []
    page = await (
        await client.post("/me/authenticator", data={**mine, "password": PASSWORD})
    ).text()
    found = re.search(r'id="app-secret">([A-Z2-7 ]+)<', page)
    assert found
    code = pyotp.TOTP(found[1].replace(" ", "")).at(house.clock.now())
    await client.post("/me/authenticator/confirm", data={**mine, "code": code})
    assert (await client.get("/doors")).status == 200


def _plain(config: Config) -> dict[str, object]:
    return config.model_dump(exclude={"hub"}, exclude_unset=True, by_alias=True)


async def test_changing_the_password_needs_the_old_one_and_ends_other_sessions(
    client: TestClient, house: ScriptedHouse
) -> None:
    """An open page is not enough, and whoever sat elsewhere with the old one is out at once."""
    await add(house)
    now = house.clock.now()
    other = await house.journal_write(lambda c: accounts.open_session(c, "desk", now))
    csrf = await csrf_of(client, "/signin")
    await client.post("/signin", data={"name": "desk", "password": PASSWORD, "csrf": csrf})
    new = "five entirely other words"
    body = {"csrf": await csrf_of(client, "/me/sign-in"), "new": new, "again": new}
    wrong = await client.post("/me/password", data={**body, "password": "not the old one"})
    assert wrong.status == 401
    for weak in ("short", "password1234"):
        bad = {**body, "password": PASSWORD, "new": weak, "again": weak}
        assert (await client.post("/me/password", data=bad)).status == 422
    done = await client.post("/me/password", data={**body, "password": PASSWORD})
    assert done.status == 200
    left = {"Cookie": f"{SESSION_COOKIE}={other.secret}"}
    jar = client.session.cookie_jar
    assert (await client.get("/me")).status == 200
    jar.clear()
    assert (await client.get("/api/v1/doors", headers=left)).status == 401


async def test_a_password_of_the_schools_list_is_refused(
    client: TestClient, house: ScriptedHouse, tmp_path: Path
) -> None:
    """The file that the configuration names is looked into, also for somebody's first password."""
    new = "five entirely other words"
    known = hashlib.sha1(new.encode()).hexdigest().upper()
    (tmp_path / "list.txt").write_text(f"{known}:7\n")
    listed = {"sign_in": {"breached": str(tmp_path / "list.txt")}}
    house.config = Config.model_validate({**_plain(house.config), "hub": listed})
    await add(house)
    csrf = await csrf_of(client, "/signin")
    await client.post("/signin", data={"name": "desk", "password": PASSWORD, "csrf": csrf})
    mine = {"csrf": await csrf_of(client, "/me/sign-in"), "password": PASSWORD}
    refused = await client.post("/me/password", data={**mine, "new": new, "again": new})
    assert refused.status == 422
    assert "known from a breach" in await refused.text()
    other = f"{new} more"
    assert (await client.post("/me/password", data={**mine, "new": other, "again": other})).ok


@pytest.mark.parametrize("path", [line[1] for line in LINES if line[0] == "POST"])
async def test_each_of_these_forms_needs_its_secret_and_a_person(
    client: TestClient, house: ScriptedHouse, sign_in: object, token: object, path: str
) -> None:
    """Another page cannot send them, and no token changes how somebody signs in."""
    address = path.replace("{id}", "abc")
    opened = await sign_in("sro")  # type: ignore[operator]
    assert (await client.post(address, data={"password": PASSWORD})).status == 403
    client.session.cookie_jar.clear()
    headers = await token("admin")  # type: ignore[operator]
    answer = await client.post(address, data={"password": PASSWORD, "code": "1"}, headers=headers)
    assert answer.status in (401, 409), path
    assert opened.identity.name == "The sro"
