"""Being told in a browser: what the page of one's account offers, and what the hub keeps."""

import pytest
from sqlalchemy import select

from hub.identity import accounts, browsers
from hub.storage.audit_tables import lines
from hub.web.security import SESSION_COOKIE

KEYS = {
    "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIA"
    "iw4",
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
}
GIVEN = {"endpoint": "https://push.example/send/1", "expirationTime": None, "keys": KEYS}


@pytest.fixture
def push(house):
    """A notifier that tells browsers."""
    house.browser_keys["phones"] = "BKey"


async def kept(house):
    """Every subscription."""
    return await house.journal_read(lambda c: browsers.subscriptions(c, "phones", ()))


async def test_the_worker_stands_at_the_root_for_everybody(client):
    """Its scope is all pages, it is never stale, and strangers may have it."""
    answer = await client.get("/sw.js")
    assert answer.status == 200
    assert answer.content_type == "text/javascript"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "showNotification" in await answer.text()


async def test_without_such_a_notifier_the_page_offers_nothing(client, sign_in):
    """Nobody is asked for what cannot work."""
    await sign_in("sro")
    assert "Where you are told" not in await (await client.get("/me")).text()


async def test_a_browser_is_told_of_and_forgotten(client, house, sign_in, push):
    """The page says the key; what the browser gives is kept, listed, forgotten by a plain form."""
    who = (await sign_in("sro")).identity
    page = await (await client.get("/me")).text()
    assert 'data-notifier="phones" data-key="BKey"' in page
    assert f'data-csrf="{who.csrf}"' in page
    assert "names nobody called The sro" in page
    headers = {"X-CSRF-Token": who.csrf, "User-Agent": "Firefox/140 (Android)"}
    sent = {"notifier": "phones", "subscription": GIVEN}
    answer = await client.post("/me/browsers", json=sent, headers=headers)
    assert answer.status == 201
    id_ = (await answer.json())["id"]
    (one,) = await kept(house)
    assert (one.id, one.person) == (id_, "The sro")
    page = await (await client.get("/me")).text()
    assert "Firefox on Android" in page
    assert f'data-ids="{id_}"' in page
    assert "push.example" not in page
    answer = await client.post(
        f"/me/browsers/{id_}/forget", data={"csrf": who.csrf}, allow_redirects=False
    )
    assert (answer.status, answer.headers["Location"]) == (303, "/me")
    assert await kept(house) == []


async def test_another_browser_is_told_to_the_owner_and_written_down(client, house, sign_in, push):
    """Whoever had an open page for a minute cannot listen on unseen: it stands in the audit, and
    at the top of the owner's pages when they sign in again.
    """
    who = (await sign_in("sro")).identity
    headers = {"X-CSRF-Token": who.csrf, "User-Agent": "Firefox/140 (Android)"}
    sent = {"notifier": "phones", "subscription": GIVEN}
    for _ in range(2):  # the same browser again is no news
        id_ = (await (await client.post("/me/browsers", json=sent, headers=headers)).json())["id"]
    again = await house.journal_write(
        lambda c: accounts.open_session(c, who.name, house.clock.now())
    )
    headers = {"Cookie": f"{SESSION_COOKIE}={again.secret}"}
    client.session.cookie_jar.clear()
    assert 'id="changes"' in await (await client.get("/doors", headers=headers)).text()
    page = await (await client.get("/me", headers=headers)).text()
    assert page.count("You are told in another browser: Firefox on Android.") == 1
    await house.journal_write(lambda c: browsers.unsubscribe(c, id_, house.clock.now()))
    seen = await house.journal_read(
        lambda c: c.execute(select(lines.c.act, lines.c.details).order_by(lines.c.number)).all()
    )
    told = [(each.act, each.details) for each in seen if "browser" in each.act]
    assert [act for act, _ in told] == ["account.browser_added", "account.browser_removed"]
    assert all("Firefox on Android" in details for _, details in told)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{", 422),
        ("[]", 422),
        ("[" * 50_000, 422),
        ('{"notifier": "phones", "subscription": {"endpoint": "https://[", "keys": {}}}', 422),
        ('{"notifier": "phones"}', 422),
        ('{"notifier": "phones", "subscription": {"endpoint": "http://10.0.0.1/"}}', 422),
        ('{"notifier": "email", "subscription": {}}', 409),
    ],
)
async def test_what_cannot_be_kept_is_refused_in_words(client, house, sign_in, push, body, status):
    """Each refusal says what was expected, and nothing is kept."""
    csrf = (await sign_in("sro")).identity.csrf
    answer = await client.post("/me/browsers", data=body, headers={"X-CSRF-Token": csrf})
    said = await answer.json()
    assert answer.status == status
    assert said["detail"]
    assert said["hint"]
    assert await kept(house) == []


async def test_strangers_programs_and_forged_forms_subscribe_nothing(
    client, house, sign_in, push, token
):
    """It needs a session and its form's secret; a token is nobody's browser."""
    sent = {"notifier": "phones", "subscription": GIVEN}
    answer = await client.post("/me/browsers", json=sent, allow_redirects=False)
    assert answer.status == 303
    answer = await client.post("/me/browsers", json=sent, headers=await token("it"))
    assert answer.status == 403
    await sign_in("sro")
    answer = await client.post("/me/browsers", json=sent)
    assert answer.status == 403
    assert await kept(house) == []
