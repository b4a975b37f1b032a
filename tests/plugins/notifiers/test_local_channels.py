import asyncio
import json
from datetime import timedelta

import pytest

from hub import Notifier, NotReady, Recipient, from_iso
from plugins.notifiers import console, logbook, simulated_siren
from plugins.notifiers._wording import body, headline, one_line


@pytest.mark.parametrize("module", [console, logbook, simulated_siren])
def test_local_channels_keep_the_contract_and_need_nobody(module, context):
    """Built without network or files, and declared as channels of this machine."""
    (driver,) = module.vestibule_notifiers()
    assert isinstance(driver.factory(driver.config(), context), Notifier)
    assert driver.factory.channel.path == "local"
    assert driver.factory.channel.public == (module is simulated_siren)


async def test_console_prints_one_clear_line(context, notice, capsys):
    """When, how grave, what, where and for whom, on one line of standard output."""
    made = console.ConsoleLine(console.ConsoleConfig(), context)
    await made.start()
    receipt = await made.send(notice(drill=True, repeat=True))
    await made.close()
    assert receipt.state == "delivered"
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "22:15:00 SEVERE DRILL: Person in the closed science wing (may be a repeat)" in out
    assert "Science wing, First floor" in out
    assert "for School resource officer" in out


async def test_console_shows_hostile_text_as_text(context, notice, capsys):
    """Line breaks, terminal codes and markup in a name cannot forge a line or a colour."""
    made = console.ConsoleLine(console.ConsoleConfig(), context)
    await made.start()
    title = "Door [bold red]x[/] \x1b[2J\r\nSEVERE forged \u202e:smile:"
    await made.send(notice(title=title, to=(Recipient("x", "A\nB"),)))
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "\x1b" not in out
    assert "[bold red]x[/]" in out


async def test_logbook_line_is_on_disk_before_it_counts(context, notice):
    """Each notice is one line with its time, key, title, place and people."""
    made = logbook.Logbook(logbook.LogbookConfig(), context)
    await made.start()
    receipt = await made.send(notice(text="two\nlines\tand a tab"))
    fields = made.file.read_text().splitlines()[0].split("\t")
    assert receipt.state == "delivered"
    assert fields == [
        "2026-03-02T22:15:00.000Z", "severe", "notice-1", "Person in the closed science wing",
        "Science wing, First floor", "two lines and a tab", "School resource officer",
    ]  # fmt: skip


async def test_law_6_logbook_shows_a_repeated_key_once_over_restarts(context, notice):
    """Sent twice, or again after a restart, a notice stands there once; a torn line costs none."""
    made = logbook.Logbook(logbook.LogbookConfig(), context)
    await made.start()
    await asyncio.gather(*(made.send(notice()) for _ in range(5)))
    await made.close()
    with made.file.open("a") as book:
        book.write("2026-03-02T22:15:00.000Z\tsevere\ttorn by a pow")
    again = logbook.Logbook(logbook.LogbookConfig(), context)
    await again.start()
    await again.send(notice(repeat=True))
    await again.send(notice(key="notice-2"))
    lines = made.file.read_text().splitlines()
    assert [line.split("\t")[2] for line in lines if line.count("\t") == 6] == [
        "notice-1",
        "notice-2",
    ]


async def test_logbook_that_cannot_write_is_not_ready(context, notice):
    """No place to write is told as such, at the start and later."""
    context.state.mkdir(parents=True)
    (context.state / "logbook.txt").mkdir()
    made = logbook.Logbook(logbook.LogbookConfig(), context)
    with pytest.raises(NotReady, match="cannot use the logbook"):
        await made.start()
    with pytest.raises(NotReady, match="cannot write"):
        await made.send(notice())


@pytest.fixture
async def siren(context):
    """A started siren that sounds for ten seconds."""
    made = simulated_siren.SimulatedSiren(simulated_siren.SirenConfig(sound_for=10), context)
    await made.start()
    yield made
    await made.close()


def shown(siren):
    """What the siren's file says."""
    return json.loads(siren.file.read_text())


async def test_law_2_a_siren_never_sounds_on_a_detectors_word(siren, notice):
    """An alert nobody verified leaves it silent, and says so."""
    receipt = await siren.send(notice())
    assert receipt.state == "failed"
    assert not shown(siren)["on"]
    await siren.send(notice(about="verdict", data={"verdict": "unsure"}))
    assert not shown(siren)["on"]


async def test_siren_sounds_for_its_time_and_says_it_is_simulated(siren, notice, context):
    """Verified: on, with strobe, until a stated time; plainly simulated everywhere."""
    receipt = await siren.send(notice(data={"verdict": "verified"}))
    state = shown(siren)
    assert receipt.state == "delivered"
    assert "simulated" in receipt.detail
    assert (state["simulated"], state["on"], state["strobe"]) == (True, True, True)
    assert from_iso(state["until"]) - context.clock.now() == timedelta(seconds=10)


async def test_the_end_of_what_was_verified_silences_the_siren(siren, notice):
    """An all-clear is heard as well: the siren is silent once its alert is resolved."""
    await siren.send(notice(data={"verdict": "verified"}))
    await siren.send(notice(key="b", about="verdict", data={"verdict": "resolved"}))
    assert not shown(siren)["on"]


async def test_law_4_a_dismissal_silences_the_siren_it_set_off_and_no_other(siren, notice):
    """One verdict everywhere; a false alarm elsewhere does not silence a real one."""
    dismissed = {"verdict": "dismissed"}
    await siren.send(notice(data={"verdict": "verified"}))
    await siren.send(notice(key="b", about="verdict", alert="other", data=dismissed))
    assert shown(siren)["on"]
    await siren.send(notice(key="c", about="verdict", data=dismissed))
    assert not shown(siren)["on"]


async def test_siren_repeats_do_not_start_it_again(siren, notice):
    """The same key, sent again, changes nothing."""
    await siren.send(notice(data={"verdict": "verified"}))
    first = shown(siren)
    await siren._clock.advance(5)
    await siren.send(notice(data={"verdict": "verified"}, repeat=True))
    assert shown(siren) == first


async def test_siren_is_silent_after_a_restart(siren, notice, context):
    """A new start does not resume a sound that nobody asked for again."""
    await siren.send(notice(data={"verdict": "verified"}))
    again = simulated_siren.SimulatedSiren(simulated_siren.SirenConfig(), context)
    await again.start()
    assert not shown(again)["on"]


def test_law_7_every_channels_words_say_that_a_drill_is_a_drill(notice):
    """First in the title and first in the text."""
    marked = headline(notice(drill=True))
    assert marked.startswith("DRILL: ")
    assert headline(notice(drill=True, title=marked)) == marked  # the hub has said so already
    assert body(notice(drill=True)).startswith("This is a drill.")


def test_place_and_time_are_not_said_twice(notice):
    """Text that names its place and hour is left as it is; text that does not gets them."""
    said = "Science wing, First floor, at 22:15."
    assert body(notice(text=said, link="")) == said
    assert body(notice(link="")).splitlines() == [
        "Seen by the corridor camera.",
        "Science wing, First floor",
        "2026-03-02 22:15:00 UTC",
    ]
    assert one_line(" a\x00\tb\u2028c ") == "a b c"
