"""What changed in how one signs in is said to the owner, on the next page that they open."""

import re
from typing import Any

from aiohttp.test_utils import TestClient
from scripted_house import ScriptedHouse
from signing_in import PASSWORD, add
from test_sign_in_ways import first_step, second_step, with_app

from hub.audit_port import Asked
from hub.identity import accounts, factors, sign_in_changes
from hub.identity.people import id_of
from hub.origin import THIS_MACHINE, origin
from hub.storage.audit_tables import OF_SIGNING_IN
from hub.web.security import SESSION_COOKIE

NEWS = 'id="changes"'


async def came_in(client: TestClient, house: ScriptedHouse, name: str = "desk") -> str:
    """Somebody with a session; the secret of its forms."""
    now = house.clock.now()
    opened = await house.journal_write(lambda c: accounts.open_session(c, name, now))
    client.session.cookie_jar.clear()
    jar = {SESSION_COOKIE: opened.secret}
    client.session.cookie_jar.update_cookies(jar, client.make_url("/"))
    return str(opened.identity.csrf)


async def shown(client: TestClient, path: str = "/doors", **headers: str) -> str:
    """A page as somebody opens it."""
    return await (await client.get(path, headers=headers)).text()


async def test_the_owner_is_told_who_took_their_factor_away_until_they_have_seen_it(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """On every page they open, with the name; and on their own page for good."""
    await add(house)
    await with_app(house)
    csrf = await came_in(client, house)
    await client.post("/me/changes/seen", data={"csrf": csrf, "upto": await newest(client)})
    client.session.cookie_jar.clear()
    admin = (await sign_in("admin")).identity
    body = {"csrf": admin.csrf}
    path = f"/people/{id_of('desk')}/forget-factors"
    assert (await client.post(path, data=body, allow_redirects=False)).status == 303
    assert NEWS not in await shown(client)  # not to others
    csrf = await came_in(client, house)
    for path in ("/doors", "/", "/me"):
        page = await shown(client, path)
        assert NEWS in page, path
        assert 'href="/me#changed">See the change: was it you?' in page
    assert "Every second factor was taken away." in page
    assert "By The admin," in page
    seen = {"csrf": csrf, "upto": await newest(client)}
    await client.post("/me/changes/seen", data=seen)
    assert NEWS not in await shown(client)
    assert "Every second factor was taken away." in await shown(client, "/me")
    lines = (await house.audit.view(Asked(act=sign_in_changes.SEEN)))["lines"]
    assert [each["who"] for each in lines] == ["desk", "desk"]


async def newest(client: TestClient) -> str:
    """Up to where the notice goes."""
    found = re.search(r'name="upto" value="(\d+)"', await shown(client, "/me"))
    assert found
    return found[1]


async def test_a_page_that_fetches_itself_is_told_nothing(
    client: TestClient, house: ScriptedHouse
) -> None:
    """What is beside the live parts of a page is asked for once, by whoever opens it."""
    await add(house)
    await with_app(house)
    await came_in(client, house)
    assert NEWS in await shown(client, **{"Sec-Fetch-Dest": "document"})
    assert NEWS not in await shown(client, **{"Sec-Fetch-Dest": "empty"})


async def test_what_one_does_oneself_is_news_in_the_next_session(
    client: TestClient, house: ScriptedHouse
) -> None:
    """Whoever changes the password in a stolen session cannot wave the notice away in it."""
    await add(house)
    csrf = await came_in(client, house)
    new = "five entirely other words"
    body = {"csrf": csrf, "password": PASSWORD, "new": new, "again": new}
    assert (await client.post("/me/password", data=body)).status == 200
    assert NEWS not in await shown(client)
    await client.post("/me/changes/seen", data={"csrf": csrf, "upto": "999999"})
    await came_in(client, house)
    assert NEWS in await shown(client)
    page = await shown(client, "/me")
    assert "The password was changed." in page
    assert "By you," in page


async def test_a_recovery_code_and_a_code_again_are_told(
    client: TestClient, house: ScriptedHouse
) -> None:
    """In the very session that a recovery code opened; a code of the app that somebody sends a
    second time opens nothing, and its owner reads that.
    """
    await add(house)
    app, codes = await with_app(house)
    code = app.at(house.clock.now())
    assert (await second_step(client, await first_step(client), code)).status == 303
    client.session.cookie_jar.clear()
    address = await first_step(client)
    assert (await second_step(client, address, code)).status == 401
    assert (await second_step(client, address, codes[0])).status == 303
    page = await shown(client, "/me")
    assert "Somebody signed in with a recovery code." in page
    assert "A code of your app came a second time, and was refused." in page
    assert "Nobody was signed in," in page


async def test_nobody_waves_away_what_they_were_not_shown(
    client: TestClient, house: ScriptedHouse
) -> None:
    """Neither with the line of somebody else, nor with nonsense, nor without the form's secret."""
    await add(house)
    await add(house, "nurse", "nurse")
    await with_app(house)
    await with_app(house, "nurse")
    csrf = await came_in(client, house)
    theirs = await house.journal_read(lambda c: sign_in_changes.changes_of(c, "nurse"))
    for upto in (str(theirs[0].number), "", "-1", "x", "٣", "9" * 400):
        await client.post("/me/changes/seen", data={"csrf": csrf, "upto": upto})
        assert NEWS in await shown(client), upto
    mine = {"upto": await newest(client)}
    assert (await client.post("/me/changes/seen", data=mine)).status == 403
    assert NEWS in await shown(client)


async def test_they_are_found_without_reading_the_whole_audit(house: ScriptedHouse) -> None:
    """A year of looks lies in between: the query goes by its own index."""
    await add(house)
    await with_app(house)

    def plan(conn: Any) -> str:
        query = f"SELECT number FROM audit WHERE subject = 'desk' AND {OF_SIGNING_IN} "
        rows = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {query} ORDER BY number DESC LIMIT 60")
        return " ".join(str(row) for row in rows)

    told = await house.journal_read(plan)
    assert "ix_audit_signing_in" in told
    assert "TEMP B-TREE" not in told
    found = await house.journal_read(lambda c: sign_in_changes.changes_of(c, "desk"))
    assert {each.act for each in found} == {"factor.added", "factor.codes_made"}
    now = house.clock.now()
    await house.journal_write(lambda c: factors.forget_factors(c, "desk", now))
    found = await house.journal_read(lambda c: sign_in_changes.changes_of(c, "desk"))
    assert found[0].details == {"kind": "all"}


async def test_what_the_command_line_changed_is_told_in_the_words_of_the_reader(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """The account of the machine is a name, and where it is said in the reader's language: to the
    owner, and in the audit, whose filter still asks for whom the record names.
    """
    await add(house)
    now, root = house.clock.now(), "root on this machine"
    with origin(root, THIS_MACHINE):
        await house.journal_write(lambda c: factors.forget_factors(c, "desk", now))
    spanish = {"Accept-Language": "es"}
    await came_in(client, house)
    page = await shown(client, "/me", **spanish)
    assert "Por root en esta máquina," in page
    client.session.cookie_jar.clear()
    await sign_in("admin")
    page = await shown(client, "/audit", **spanish)
    assert "<b>root en esta máquina</b>" in page
    assert "desde esta máquina." in page
    assert f'<option value="{root}">root en esta máquina</option>' in page
    assert f"<b>{root}</b>" in await shown(client, "/audit")
