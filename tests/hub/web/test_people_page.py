"""People and tokens, by whoever manages accounts: nobody gives more than they have."""

import re

import pytest
from aiohttp.test_utils import TestClient
from scripted_house import ScriptedHouse
from signing_in import PASSWORD, csrf_of

from hub.audit_port import Asked
from hub.identity import accounts
from hub.identity.people import id_of
from hub.web.people import LINES
from hub.web.security import SESSION_COOKIE


async def add(house: ScriptedHouse, name: str, role: str) -> str:
    """An account that has a password; its id."""
    await house.journal_write(
        lambda c: accounts.add_user_with_hash(c, name, role, "hash", roles=house.config.roles)
    )
    return id_of(name)


async def post(client: TestClient, path: str, **fields: str) -> object:
    """Send a form of the page of people."""
    body = {"csrf": await csrf_of(client, "/people"), **fields}
    return await client.post(path, data=body, allow_redirects=False)


async def test_somebody_added_chooses_a_password_behind_a_link(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """From the page of people to being signed in as them; the link works once."""
    await sign_in("admin")  # type: ignore[operator]
    answer = await post(client, "/people", name="Nurse", role="nurse")
    page = await answer.text()
    found = re.search(r'id="setup-link">http://[^/]+(/setup/[^<]+)<', page)
    assert found, page
    link = found[1]
    assert "setup-link" not in await (await client.get("/people")).text()
    client.session.cookie_jar.clear()
    form = await (await client.get(link)).text()
    assert "For the account Nurse" in form
    assert 'value="Nurse"' in form
    csrf = await csrf_of(client, link)
    body = {"name": "Somebody else", "password": PASSWORD, "again": PASSWORD, "csrf": csrf}
    done = await client.post(link, data=body, allow_redirects=False)
    assert done.status == 303
    me = await (await client.get("/me")).text()
    assert "<h1>Nurse</h1>" in me
    assert "by a set-up link" in me
    assert (await client.get(link)).status == 410
    assert await house.journal_read(accounts.count_users) == 2


async def test_nobody_gives_more_than_they_have(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """School IT manages accounts, makes no principal, and opens no administrator's account."""
    boss = await add(house, "Boss", "admin")
    viewer = await add(house, "Guard", "viewer")
    await sign_in("it")  # type: ignore[operator]
    page = await (await client.get("/people")).text()
    assert '<option value="admin">' not in page
    assert '<option value="viewer">' not in page  # it sees alerts, which IT does not
    for path, fields in (
        ("/people", {"name": "New", "role": "admin"}),
        ("/people", {"name": "New", "role": "principal"}),
        ("/tokens", {"name": "New", "role": "sro"}),
        (f"/people/{boss}/role", {"role": "it"}),
        (f"/people/{boss}/link", {}),
        (f"/people/{boss}/lock", {}),
        (f"/people/{boss}/forget-factors", {}),
        (f"/people/{boss}/end-sessions", {}),
        (f"/people/{viewer}/role", {"role": "it"}),
    ):
        answer = await post(client, path, **fields)
        assert answer.status == 409, (path, fields)
        assert "more than you" in await answer.text()
    assert await house.journal_read(accounts.count_users) == 3


async def test_a_token_may_be_narrowed_until_it_is_no_more_than_one_has(
    client: TestClient, sign_in: object
) -> None:
    """IT makes a token of a graver role for doors alone, which then sees doors and nothing else."""
    await sign_in("it")  # type: ignore[operator]
    answer = await post(client, "/tokens", name="Lobby screen", role="sro", scope="see.doors")
    found = re.search(r'id="token">(vst_[^<]+)<', await answer.text())
    assert found
    client.session.cookie_jar.clear()
    headers = {"Authorization": f"Bearer {found[1]}"}
    assert (await client.get("/api/v1/doors", headers=headers)).status == 200
    for path in ("/api/v1/alerts", "/api/v1/health", "/api/v1/incidents"):
        assert (await client.get(path, headers=headers)).status == 403, path
    body = {"verb": "lock"}
    acts = await client.post("/api/v1/doors/main/commands", json=body, headers=headers)
    assert acts.status == 403


async def test_the_last_administrator_stays(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """Neither locked out nor given another role, by themselves or by anybody; a second one frees
    the first.
    """
    await sign_in("admin")  # type: ignore[operator]
    mine = id_of("The admin")
    for path, fields in ((f"/people/{mine}/lock", {}), (f"/people/{mine}/role", {"role": "it"})):
        answer = await post(client, path, **fields)
        assert answer.status == 409, path
    assert "Make another administrator first" in await answer.text()
    other = await add(house, "Second", "admin")
    await post(client, f"/people/{other}/lock")
    answer = await post(client, f"/people/{mine}/role", role="it")
    assert answer.status == 409
    await post(client, f"/people/{other}/unlock")
    assert (await post(client, f"/people/{mine}/role", role="it")).status == 303
    assert (await client.get("/people", allow_redirects=False)).status == 303  # signed out by that


async def test_who_is_locked_out_is_out_at_once_and_comes_in_no_way(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """An open session ends, the right password is refused, and nothing of theirs is lost."""
    await house.journal_write(lambda c: accounts.add_user(c, "desk", "sro", PASSWORD))
    now = house.clock.now()
    theirs = await house.journal_write(lambda c: accounts.open_session(c, "desk", now))
    await sign_in("admin")  # type: ignore[operator]
    cookie = {"Cookie": f"{SESSION_COOKIE}={theirs.secret}"}
    assert (await post(client, f"/people/{id_of('desk')}/lock")).status == 303
    client.session.cookie_jar.clear()
    assert (await client.get("/api/v1/doors", headers=cookie)).status == 401
    csrf = await csrf_of(client, "/signin")
    body = {"name": "desk", "password": PASSWORD, "csrf": csrf}
    answer = await client.post("/signin", data=body, allow_redirects=False)
    assert answer.status == 403
    assert "locked out" in await answer.text()
    body["password"] = "another password"
    assert (await client.post("/signin", data=body, allow_redirects=False)).status == 401


async def test_a_new_role_ends_the_sessions_of_the_old(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """Whoever lost a role does not go on with it in an open browser."""
    desk = await add(house, "desk", "sro")
    now = house.clock.now()
    theirs = await house.journal_write(lambda c: accounts.open_session(c, "desk", now))
    await sign_in("admin")  # type: ignore[operator]
    await post(client, f"/people/{desk}/role", role="viewer")
    client.session.cookie_jar.clear()
    cookie = {"Cookie": f"{SESSION_COOKIE}={theirs.secret}"}
    assert (await client.get("/api/v1/doors", headers=cookie)).status == 401


async def test_programs_manage_accounts_too(
    client: TestClient, house: ScriptedHouse, token: object
) -> None:
    """All that the page does, and held to the same limits."""
    headers = await token("admin")  # type: ignore[operator]
    await add(house, "Boss", "admin")
    made = await client.post(
        "/api/v1/people", json={"name": "Nurse", "role": "nurse"}, headers=headers
    )
    assert made.status == 201
    told = await made.json()
    person = told["person"]
    for act, body in (
        ("role", {"role": "viewer"}), ("lock", {}), ("unlock", {}), ("forget-factors", {}),
        ("end-sessions", {}),
    ):  # fmt: skip
        path = f"/api/v1/people/{person}/{act}"
        assert (await client.post(path, json=body, headers=headers)).status == 204, act
    another = await client.post(f"/api/v1/people/{person}/link", json={}, headers=headers)
    assert (await another.json())["link"] != told["link"]
    people = await (await client.get("/api/v1/people", headers=headers)).json()
    assert [(each["name"], each["role"], each["ready"]) for each in people] == [
        ("Boss", "admin", True),
        ("Nurse", "viewer", False),
    ]
    body = {"name": "Board", "role": "viewer", "scopes": ["see.doors"], "days": 30}
    made = await client.post("/api/v1/tokens", json=body, headers=headers)
    assert made.status == 201
    tokens = await (await client.get("/api/v1/tokens", headers=headers)).json()
    board = next(each for each in tokens if each["name"] == "Board")
    assert (board["scopes"], board["made_by"]) == (["see.doors"], "admin script (token)")
    assert "token" not in str(board).replace("(token)", "")
    end = f"/api/v1/tokens/{board['id']}/revoke"
    assert (await client.post(end, json={}, headers=headers)).status == 204
    assert (await client.post(end, json={}, headers=headers)).status == 404
    low = await token("it")  # type: ignore[operator]
    refused = await client.post(
        "/api/v1/people", json={"name": "More", "role": "admin"}, headers=low
    )
    assert refused.status == 409


async def test_a_narrowed_token_gives_no_more_than_it_has(
    client: TestClient, house: ScriptedHouse
) -> None:
    """With `manage.accounts` alone it makes nobody who may more, though its role could."""
    made: str = await house.journal_write(
        lambda c: accounts.create_token(c, "Sync", "admin", scopes=["manage.accounts"])
    )
    headers = {"Authorization": f"Bearer {made}"}
    body = {"name": "New", "role": "admin"}
    assert (await client.post("/api/v1/people", json=body, headers=headers)).status == 409
    assert (await client.get("/api/v1/people", headers=headers)).status == 200


@pytest.mark.parametrize("path", [line[1] for line in LINES if line[0] == "POST"])
async def test_each_form_of_people_needs_its_secret(
    client: TestClient, sign_in: object, path: str
) -> None:
    """Another site cannot add an administrator through somebody's open browser."""
    await sign_in("admin")  # type: ignore[operator]
    address = path.replace("{id}", id_of("The admin"))
    body = {"name": "Intruder", "role": "admin"}
    assert (await client.post(address, data=body, allow_redirects=False)).status == 403


async def test_what_happens_to_accounts_stands_in_the_audit(
    client: TestClient, house: ScriptedHouse, sign_in: object
) -> None:
    """Who did what to whom; no link and no token."""
    await sign_in("admin")  # type: ignore[operator]
    page = await (await post(client, "/people", name="Nurse", role="nurse")).text()
    nurse = id_of("Nurse")
    for act in ("link", "lock", "unlock", "forget-factors"):
        await post(client, f"/people/{nurse}/{act}")
    view = await house.audit.view(Asked())
    acts = [line["act"] for line in view["lines"] if line["subject"] == "Nurse"]
    assert acts[::-1] == [
        "account.added", "account.link_made", "account.link_made", "account.locked",
        "account.unlocked", "factor.removed",
    ]  # fmt: skip
    assert {line["who"] for line in view["lines"] if line["subject"] == "Nurse"} == {"The admin"}
    secret = re.search(r"/setup/([\w-]+)<", page)
    assert secret
    assert secret[1] not in str(view)
