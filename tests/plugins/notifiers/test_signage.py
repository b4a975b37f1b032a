import pytest
from pydantic import ValidationError

from hub import Notifier, NotReady
from plugins.notifiers.signage import Signage, SignageConfig, vestibule_notifiers
from tests.plugins.notifiers.provider_servers import SCREEN_KEY, SignageServer

VERIFIED = {"verdict": "verified"}


@pytest.fixture
async def server():
    """Airtame's emergency alerts, as its documentation describes them."""
    made = SignageServer()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def screens(server, context):
    """A started notifier."""
    made = Signage(SignageConfig(url=f"{server.url}/alerts", api_key=SCREEN_KEY), context)
    await made.start()
    yield made
    await made.close()


async def test_what_a_person_verified_is_shown_and_cleared_when_it_is_over(screens, server, notice):
    """The same alert clears what it showed; no link stands on a screen."""
    receipt = await screens.send(notice(data=VERIFIED))
    shown = server.shown["alert-1"]
    assert (receipt.state, receipt.detail) == ("accepted", "shown")
    assert (shown["template"], shown["isDrill"]) == ("high", False)
    assert shown["headline"] == "Person in the closed science wing"
    assert "http" not in shown["description"]
    over = {"verdict": "resolved", "resolved": True}
    receipt = await screens.send(notice(key="v", about="verdict", data=over))
    assert (receipt.detail, server.shown) == ("cleared", {})


async def test_law_2_a_detector_s_word_alone_is_shown_to_nobody(screens, server, notice):
    """Everyone reads the screens: what nobody verified is a failure, and not asked for there."""
    receipt = await screens.send(notice())
    assert (receipt.state, "verified" in receipt.detail) == ("failed", True)
    assert screens.channel.public
    assert server.paths == []


@pytest.mark.parametrize(
    ("about", "data"),
    [("verdict", {"verdict": "unsure"}), ("acknowledgement", {"by": "sro"}), ("outcome", {}),
     ("update", {})],
)  # fmt: skip
async def test_what_is_not_for_everyone_leaves_them_as_they_are(
    screens, server, notice, about, data
):
    """Who took it on, or a door that did not lock, is nothing for the corridor."""
    await screens.send(notice(data=VERIFIED))
    await screens.send(notice(key="2", about=about, data=data))
    assert list(server.shown) == ["alert-1"]
    assert len(server.taken) == 1


async def test_a_false_alarm_that_was_never_shown_is_no_trouble(screens, server, notice):
    """Nothing to clear is as good as cleared."""
    receipt = await screens.send(notice(about="verdict", data={"verdict": "dismissed"}))
    assert (receipt.state, receipt.detail) == ("accepted", "the screens showed no such alert")


async def test_a_protocol_looks_like_itself(screens, server, notice):
    """Screens have a picture for each action of the Standard Response Protocol; what is no such
    action looks as its severity does.
    """
    for name, looks in (("lockdown", "lockdown"), ("lockout", "high")):
        await screens.send(notice(key=name, data=VERIFIED | {"protocol": name}))
        assert server.shown["alert-1"]["template"] == looks


async def test_screens_clear_by_themselves(server, context, notice):
    """Should the hub be gone by then, nothing stays for ever."""
    config = SignageConfig(
        url=f"{server.url}/alerts", api_key=SCREEN_KEY, template="hold", show_for="10m"
    )
    made = Signage(config, context)
    await made.start()
    await made.send(notice(data=VERIFIED))
    shown = server.shown["alert-1"]
    assert (shown["expiresAt"], shown["template"]) == ("2026-03-02T08:10:00.000Z", "hold")
    await made.close()


async def test_law_7_a_drill_says_so_twice(screens, server, notice):
    """In its words and by the badge that the screens have for it."""
    await screens.send(notice(drill=True, repeat=True, data=VERIFIED))
    shown = server.shown["alert-1"]
    assert shown["isDrill"] is True
    assert shown["headline"].startswith("DRILL: ")
    assert shown["description"].startswith("This is a drill.")
    assert shown["headline"].endswith("(may be a repeat)")


async def test_words_are_short_enough_for_a_screen(screens, server, notice):
    """A headline of 120 characters and 600 below it."""
    await screens.send(notice(title="x" * 5000, text="y\x1b " * 5000, data=VERIFIED))
    shown = server.shown["alert-1"]
    assert (len(shown["headline"]), len(shown["description"])) == (120, 600)


async def test_refusals_and_waits(screens, server, notice, context):
    """A wrong key is a failure that names it; trouble there may be tried again."""
    config = SignageConfig(url=f"{server.url}/alerts", api_key="another-key")
    wrong = Signage(config, context)
    await wrong.start()
    receipt = await wrong.send(notice(data=VERIFIED))
    assert (receipt.state, "check `url` and `api_key`" in receipt.detail) == ("failed", True)
    await wrong.close()
    for status in (429, 500):
        server.forced = [(status, "", {})]
        with pytest.raises(NotReady):
            await screens.send(notice(data=VERIFIED))


async def test_a_probe_shows_nothing(screens, server):
    """It connects and says that the key is not tried."""
    assert "not tried" in (await screens.probe()).found
    assert server.paths == []


def test_the_block_is_checked_and_hides_its_key(context):
    """Known templates, a time within a day."""
    (driver,) = vestibule_notifiers()
    block = {"url": "https://airtame.example/alerts/9f8e7d", "api_key": SCREEN_KEY}
    config = SignageConfig(**block)
    assert isinstance(driver.factory(config, context), Notifier)
    assert SCREEN_KEY not in repr(config)
    assert "9f8e7d" not in repr(config)
    for wrong in ({"template": "red"}, {"show_for": "2d"}, {"api_key": "x"}, {"url": "x"}):
        with pytest.raises(ValidationError):
            SignageConfig(**{**block, **wrong})
