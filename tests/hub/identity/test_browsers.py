"""Browsers in which people asked to be told."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, update

from hub.errors import Refused
from hub.identity import accounts, browsers
from hub.storage.identity_tables import users
from hub.storage.journal import Journal

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
KEYS = {
    "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIA"
    "iw4",
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
}


def given(number=1, **changes):
    """What a browser gives."""
    endpoint = f"https://push.example/send/{number}"
    return {"endpoint": endpoint, "expirationTime": None, "keys": KEYS, **changes}


@pytest.fixture
async def journal(tmp_path):
    """A journal with two accounts."""
    made = Journal(tmp_path / "journal.db")
    await made.open()

    def people(conn):
        for name in ("Jo", "Kim"):
            accounts.add_user_with_hash(conn, name, "sro", "no password")

    await made.write(people)
    yield made
    await made.close()


def keep(conn, user="Jo", number=1, notifier="push"):
    """Subscribe one browser."""
    return browsers.subscribe(conn, notifier, user, "Firefox on Linux", given(number), NOW)


async def test_who_is_locked_out_is_told_nothing(journal):
    """No alert reaches the telephone of somebody who left, whether they or everybody is meant."""
    await journal.write(keep)
    await journal.write(lambda c: c.execute(update(users).values(locked="2026-03-02")))
    for names in ({"Jo"}, ()):
        found = await journal.read(lambda c, names=names: browsers.subscriptions(c, "push", names))
        assert found == []


async def test_a_browser_is_kept_for_its_account_and_notifier(journal):
    """It is found by the account's name, whatever its case, or among all; by no other notifier."""
    id_ = await journal.write(keep)
    await journal.write(lambda c: keep(c, "Kim", 2))
    (one,) = await journal.read(lambda c: browsers.subscriptions(c, "push", {"jo"}))
    assert (one.id, one.person, one.endpoint) == (id_, "Jo", "https://push.example/send/1")
    assert (one.p256dh, one.auth) == (KEYS["p256dh"], KEYS["auth"])
    assert "push.example" not in repr(one)
    both = await journal.read(lambda c: browsers.subscriptions(c, "push", ()))
    assert sorted(each.person for each in both) == ["Jo", "Kim"]
    assert await journal.read(lambda c: browsers.subscriptions(c, "other", ())) == []
    (row,) = await journal.read(lambda c: browsers.browsers_of(c, "Jo"))
    assert (row.id, row.device) == (id_, "Firefox on Linux")


async def test_the_same_browser_belongs_to_who_asked_last(journal):
    """Asked again, by the same person or by the next at that machine, it is there once."""
    for user in ("Jo", "Jo", "Kim"):
        await journal.write(lambda c, user=user: keep(c, user))
    (one,) = await journal.read(lambda c: browsers.subscriptions(c, "push", ()))
    assert one.person == "Kim"


async def test_only_its_own_account_forgets_it_and_with_the_account_it_goes(journal):
    """Nobody takes a browser off another's list; removing the account removes its browsers."""
    id_ = await journal.write(keep)
    assert not await journal.write(lambda c: browsers.unsubscribe(c, id_, NOW, "Kim"))
    assert await journal.write(lambda c: browsers.unsubscribe(c, id_, NOW, "Jo"))
    await journal.write(keep)
    await journal.write(lambda c: c.execute(delete(users).where(users.c.name == "Jo")))
    assert await journal.read(lambda c: browsers.subscriptions(c, "push", ())) == []


async def test_an_account_has_only_so_many(journal):
    """One more than ten is refused with what to do; asking again for one of them is not."""
    for number in range(browsers.MOST):
        await journal.write(lambda c, number=number: keep(c, number=number))
    with pytest.raises(Refused, match="Take one off the list"):
        await journal.write(lambda c: keep(c, number=99))
    await journal.write(lambda c: keep(c, number=0))


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        {"endpoint": "http://192.168.1.1/reboot"},
        {"endpoint": "https://user@push.example/"},
        {"endpoint": "file:///etc/passwd"},
        {"endpoint": "https://push.example/" + "x" * 2000},
        {"endpoint": "https://push.example/a b"},
        {"endpoint": 7},
        {"endpoint": "https://[push.example/"},
        {"keys": {}},
        {"keys": {**KEYS, "auth": "short"}},
        {"keys": {**KEYS, "p256dh": KEYS["p256dh"][:-4]}},
        {"keys": {**KEYS, "p256dh": "!" * 87}},
        {"keys": None},
    ],
)
async def test_what_is_no_subscription_is_refused(journal, wrong):
    """No address inside the school, no odd scheme, no key that is none gets into the journal."""
    what = given(**wrong) if isinstance(wrong, dict) else wrong
    with pytest.raises(Refused):
        await journal.write(lambda c: browsers.subscribe(c, "push", "Jo", "x", what, NOW))


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
         "Firefox on Linux"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36",
         "Chrome on Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Safari/604.1",
         "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("", "A browser"),
    ],
)  # fmt: skip
def test_a_browser_has_a_name_that_people_know(agent, words):
    """On the list one tells the phone from the desk."""
    assert browsers.device_words(agent) == words
