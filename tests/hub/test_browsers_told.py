"""Which browsers a notifier learns of, in the hub's process and from a host of its own."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hub import Context, NotReady, Refused
from hub.browsers import Browsers, push_keys
from hub.calls import granted, subscriptions_in
from hub.clock import SystemClock
from hub.config import Config
from hub.drivers import Drivers
from hub.identity import accounts, browsers
from hub.storage.journal import Journal

KEYS = {
    "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIA"
    "iw4",
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
}
CONFIG = {
    "hub": {"name": "Hill School", "timezone": "UTC"},
    "people": {"sro": {"name": "Jo Hill", "role": "sro"}, "kim": {"name": "Kim", "role": "it"}},
}


@pytest.fixture
async def told(tmp_path):
    """The browsers of two accounts, `Jo Hill` and `kim`, and of one that is nobody's."""
    journal = Journal(tmp_path / "journal.db")
    await journal.open()

    def people(conn):
        for number, name in enumerate(("Jo Hill", "kim", "Guest")):
            accounts.add_user_with_hash(conn, name, "sro", "no password")
            given = {"endpoint": f"https://push.example/{number}", "keys": KEYS}
            browsers.subscribe(conn, "phones", name, "x", given, datetime(2026, 3, 2, tzinfo=UTC))

    await journal.write(people)
    config = Config.model_validate(CONFIG)
    yield Browsers(journal, lambda: config, "phones", SystemClock())
    await journal.close()


async def test_an_account_is_a_persons_by_id_or_name(told):
    """The account is called as the person is, or as the person's block is; nobody else's comes."""
    assert [each.person for each in await told.of(["sro"])] == ["Jo Hill"]
    assert [each.person for each in await told.of(["kim"])] == ["kim"]
    assert await told.of(["nurse"]) == []
    assert len(await told.of([])) == 3


async def test_a_host_is_granted_the_same_and_may_forget(told):
    """What crosses to a plugin host is what a driver in the hub is given."""
    context = replace(Context("phones"), **told.ways())
    sent = await granted(context, {"what": "subscriptions", "people": ["sro"]})
    (found,) = subscriptions_in(sent)
    assert [found] == await told.of(["sro"])
    assert found.auth == KEYS["auth"]
    await granted(context, {"what": "unsubscribe", "subscription": found.id})
    assert await told.of(["sro"]) == []


async def test_a_driver_that_is_no_notifier_learns_of_no_browser():
    """A camera's context knows none, whatever it asks; nor is anything else granted."""
    with pytest.raises(NotReady, match="only to notifiers"):
        await granted(Context("lobby"), {"what": "subscriptions", "people": []})
    await granted(Context("lobby"), {"what": "unsubscribe", "subscription": "x"})
    with pytest.raises(Refused, match="nobody grants journal"):
        await granted(Context("lobby"), {"what": "journal"})


async def test_a_notifier_that_does_not_say_its_key_is_left_out(monkeypatch):
    """The page offers those that answer; one that hangs or fails costs a moment."""
    monkeypatch.setattr("hub.browsers.KEY_WITHIN_S", 0.05)

    class Instance:
        def __init__(self, answer):
            self.application_server_key = answer

    async def good():
        return "BKey"

    async def empty():
        return ""

    async def hangs():
        await asyncio.Event().wait()

    async def fails():
        raise ValueError("broken")

    drivers = Drivers(None, Context, SystemClock(), None)
    for name, answer in {"a": good, "b": empty, "c": hangs, "d": fails}.items():
        block = type("Block", (), {"driver": name})
        drivers.install("notifiers", name, block, Instance(answer))
    assert await push_keys(drivers)() == {"a": "BKey"}
