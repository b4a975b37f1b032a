import pytest
from pydantic import ValidationError

from hub import Notifier, NotReady
from plugins.notifiers.pagerduty import PagerDuty, PagerDutyConfig, event, vestibule_notifiers
from tests.plugins.notifiers.provider_servers import ROUTING_KEY, PagerDutyServer


@pytest.fixture
def notice(notice):
    """A notice to nobody with an address of their own here."""

    def made(**changes):
        return notice(**{"to": (), **changes})

    return made


@pytest.fixture
async def server():
    """PagerDuty's Events API v2, as its documentation describes it."""
    made = PagerDutyServer()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def pagerduty(server, context):
    """A started notifier."""
    config = PagerDutyConfig(server=server.url, routing_key=ROUTING_KEY)
    made = PagerDuty(config, context)
    await made.start()
    yield made
    await made.close()


async def test_an_alert_is_triggered_with_what_it_is(pagerduty, server, notice):
    """Severity in PagerDuty's words, the place, the real time, and the link."""
    receipt = await pagerduty.send(notice(picture="https://hub.example/p/1"))
    (sent,) = server.taken
    assert (receipt.state, receipt.id) == ("accepted", "alert-1")
    assert sent["event_action"] == "trigger"
    payload = sent["payload"]
    assert payload["summary"] == "Person in the closed science wing"
    assert (payload["severity"], payload["component"]) == (
        "critical", "Science wing, First floor",
    )  # fmt: skip
    assert payload["timestamp"] == "2026-03-02T22:15:00.000Z"
    assert [link["href"] for link in sent["links"]] == [
        "http://hub.example/alerts/alert-1", "https://hub.example/p/1",
    ]  # fmt: skip


async def test_law_6_one_alert_there_however_often_it_is_sent(pagerduty, server, notice):
    """What PagerDuty merges by is the alert, so that a repeat needs no mark and wakes nobody."""
    await pagerduty.send(notice())
    await pagerduty.send(notice(repeat=True))
    assert server.alerts == {"alert-1": "triggered"}
    assert "repeat" not in server.taken[1]["payload"]["summary"]
    assert pagerduty.channel.deduplicates


@pytest.mark.parametrize(
    ("about", "data", "state"),
    [
        ("acknowledgement", {"by": "sro"}, "acknowledged"),
        ("verdict", {"verdict": "dismissed"}, "resolved"),
        ("verdict", {"verdict": "resolved", "resolved": True}, "resolved"),
        ("verdict", {"verdict": "unsure"}, "triggered"),
        ("verdict", {"verdict": "verified"}, "triggered"),
    ],
)
async def test_law_4_what_becomes_of_an_alert_becomes_of_it_there(
    pagerduty, server, notice, about, data, state
):
    """Taken on, a false alarm, over: PagerDuty stops calling people at once."""
    await pagerduty.send(notice())
    await pagerduty.send(notice(key="n2", about=about, data=data))
    assert server.alerts == {"alert-1": state}


async def test_what_went_wrong_later_is_an_alert_of_its_own(pagerduty, server, notice):
    """A door that did not lock must not vanish in an alert that is resolved by then."""
    await pagerduty.send(notice())
    await pagerduty.send(notice(key="v", about="verdict", data={"verdict": "dismissed"}))
    await pagerduty.send(notice(key="o", about="outcome", title="Front door did not lock"))
    await pagerduty.send(notice(key="u1", about="update", alert=""))
    await pagerduty.send(notice(key="u2", about="update", alert=""))
    assert server.alerts == {
        "alert-1": "resolved", "o": "triggered", "incident-incident-1": "triggered",
    }  # fmt: skip


def test_law_7_a_drill_is_named_and_never_critical(notice):
    """DRILL leads the summary, and whoever filters by severity is not woken."""
    made = event(notice(drill=True), "Vestibule")["payload"]
    assert made["summary"].startswith("DRILL: ")
    assert (made["severity"], made["custom_details"]["drill"]) == ("info", True)


async def test_limits_are_kept(pagerduty, server, notice):
    """A summary of 1024 characters and a key of 255 at most, whatever comes."""
    long = "x" * 20_000
    assert (await pagerduty.send(notice(title=long, text=long, alert=long))).state == "accepted"
    assert len(server.taken[0]["payload"]["summary"]) == 1024


async def test_refusals_say_what_to_do_and_show_no_key(pagerduty, server, notice, context):
    """A key that PagerDuty does not know is a failure, though its answer repeats it."""
    other = PagerDuty(PagerDutyConfig(server=server.url, routing_key="X" * 32), context)
    await other.start()
    receipt = await other.send(notice())
    assert receipt.state == "failed"
    assert "check `routing_key`" in receipt.detail
    assert "Invalid routing key" in receipt.detail
    assert "X" * 32 not in receipt.detail
    await other.close()


async def test_trouble_there_is_not_ready(pagerduty, server, notice):
    """Too many events, a server error, and a 200 that does not say success."""
    for answer in ((429, "", {}), (500, "", {}), (200, "{}", {})):
        server.forced = [answer]
        with pytest.raises(NotReady):
            await pagerduty.send(notice())


async def test_a_probe_raises_no_alert(pagerduty, server):
    """It connects and says that the key is not tried."""
    said = await pagerduty.probe()
    assert (said.works, "not tried" in said.found) == (True, True)
    assert server.paths == []


def test_the_block_is_checked_and_hides_its_key(context):
    """A key of another length is a mistake."""
    (driver,) = vestibule_notifiers()
    config = PagerDutyConfig(routing_key=ROUTING_KEY)
    assert isinstance(driver.factory(config, context), Notifier)
    assert ROUTING_KEY not in repr(config)
    with pytest.raises(ValidationError):
        PagerDutyConfig(routing_key="short")


async def test_an_incident_there_ends_with_the_one_here(pagerduty, server, notice):
    """How it stands is one alert there, resolved when the case is closed or goes on in another."""
    case = {"about": "update", "alert": "", "key": "n-2"}
    await pagerduty.send(notice(**case, data={"verified": True}))
    assert server.alerts == {"incident-incident-1": "triggered"}
    closed = {**case, "key": "n-3", "incident": "incident-2"}
    await pagerduty.send(notice(**closed, data={"closed": "incident-1", "goes_on": "incident-2"}))
    assert server.alerts == {"incident-incident-1": "resolved"}


async def test_what_was_handed_over_is_resolved_with_its_incident(pagerduty, server, notice):
    """A service for dispatch shows one alert for the incident, until that is closed."""
    case = {"alert": "", "incident": "incident-7"}
    await pagerduty.send(notice(key="h", about="hand_off", data={"by": "sro"}, **case))
    await pagerduty.send(notice(key="u", about="update", **case))
    assert server.alerts == {"incident-incident-7": "triggered"}
    await pagerduty.send(notice(key="c", about="update", data={"closed": "incident-7"}, **case))
    assert server.alerts == {"incident-incident-7": "resolved"}
