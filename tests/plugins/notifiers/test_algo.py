"""Algo speakers and strobes, against a device that checks each request as the real one does."""

import asyncio
import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import ValidationError

from hub import Notifier, NotReady
from plugins.notifiers._algo_api import signature
from plugins.notifiers.algo import Algo, AlgoConfig, Signal, Strobe, vestibule_notifiers
from tests.plugins.notifiers.algo_device import AlgoDevice
from tests.plugins.notifiers.provider_servers import until

BOTH = {"tone": "warble1-low.wav", "strobe": Strobe()}


@pytest.fixture
async def device(context):
    """A device whose clock is ours."""
    made = AlgoDevice(context.clock)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def algo(context, device):
    """Builds notifiers for the device, and closes them at the end."""
    every = []

    def made(**block):
        where = {"url": f"http://127.0.0.1:{device.port}", "password": "algo", **BOTH}
        every.append(Algo(AlgoConfig(**{**where, **block}), context))
        return every[-1]

    yield made
    for each in every:
        await each.close()


@pytest.fixture
def verified(notice):
    """A verified alert."""

    def made(**changes):
        return notice(**{"data": {"verdict": "verified"}, **changes})

    return made


def over(notice, key="over", **changes):
    """A verdict that ends an alert."""
    return notice(**{"key": key, "about": "verdict", "data": {"verdict": "dismissed"}, **changes})


def test_a_signature_is_that_of_the_makers_guide():
    """The guide's sample requests come out digit by digit."""
    body = b'{"path":"page-notif.wav", "loop":false}'
    path = "/api/controls/tone/start"
    signed = signature("algo", "POST", path, body, 1601312838, "1028014788")
    assert signed["Content-MD5"] == hashlib.md5(body).hexdigest()
    assert signed["Authorization"] == (
        "hmac admin:1028014788:c450024af4493f9cdf582499456bf58d7e134b161566e764e61bd52d24f759dc"
    )
    bare = signature("algo", "GET", "/api/settings/audio.page.vol", b"", 1601312835, "881767496")
    assert bare == {
        "Authorization": "hmac admin:881767496:"
        "c5b349415bce0b9e1b8122829d32fbe0a078791b311c4cf40369c7ab4eb165a8"
    }


async def test_it_sounds_and_flashes_when_a_person_has_verified(algo, device, verified, notice):
    """Both parts are started, each confirmed; the false alarm clears both."""
    siren = algo()
    await siren.start()
    receipt = await siren.send(verified())
    assert receipt.state == "delivered"
    assert "tone and strobe started for 2m" in receipt.detail
    assert device.tone == "warble1-low.wav"
    assert device.strobe == {"pattern": 13, "color1": "red", "ledlvl": 255}
    receipt = await siren.send(over(notice))
    assert (receipt.state, receipt.detail) == ("delivered", "tone and strobe cleared")
    assert (device.tone, device.strobe) == ("", None)


@pytest.mark.parametrize(
    "word",
    [{}, {"about": "verdict", "data": {"verdict": "unsure"}}, {"about": "outcome"}],
    ids=["a detector's word", "unsure", "an outcome"],
)
async def test_law_2_it_is_silent_on_any_other_word(algo, device, notice, word):
    """Only a person's verification sounds."""
    siren = algo()
    await siren.start()
    receipt = await siren.send(notice(**word))
    assert receipt.state == ("delivered" if word else "failed")
    assert (device.tone, device.strobe) == ("", None)
    assert [path for method, path, _ in device.asked if method == "POST"] == []


@pytest.mark.parametrize(
    "ending",
    [
        {"about": "verdict", "data": {"verdict": "dismissed"}},
        {"about": "verdict", "data": {"verdict": "resolved", "resolved": True}},
    ],
    ids=["dismissed", "resolved"],
)
async def test_it_is_cleared_when_the_alert_is_over(algo, device, verified, notice, ending):
    """A false alarm and the end silence it; that somebody has taken it on does not."""
    siren = algo()
    await siren.start()
    await siren.send(verified())
    await siren.send(notice(key="taken on", about="acknowledgement", data={"by": "sro"}))
    assert device.tone
    await siren.send(notice(key="over", **ending))
    assert (device.tone, device.strobe) == ("", None)


async def test_law_4_another_alerts_end_leaves_it_sounding(algo, device, verified, notice):
    """It falls silent with the last of the alerts it sounds for, and stops nobody else's tone."""
    siren = algo()
    await siren.start()
    device.tone = "bell-na.wav"
    await siren.send(over(notice, alert="never sounded"))
    assert device.tone == "bell-na.wav"
    await siren.send(verified())
    await siren.send(verified(key="second", alert="alert-2"))
    receipt = await siren.send(over(notice, alert="alert-2"))
    assert (device.tone, receipt.detail) == ("warble1-low.wav", "it sounds for another alert")
    await siren.send(over(notice, key="last"))
    assert device.tone == ""


async def test_a_repeat_does_not_start_it_again(algo, device, verified):
    """The same notice starts it once, also when it comes again after a restart."""
    siren = algo()
    await siren.start()
    await siren.send(verified())
    asked = len(device.asked)
    assert (await siren.send(verified(repeat=True))).detail == "it was started before"
    assert len(device.asked) == asked


async def test_it_is_cleared_in_time_and_again_until_the_device_has(
    algo, device, verified, context
):
    """After `sound_for` it clears; a device that was away then is asked until it is silent."""
    siren = algo(sound_for=60)
    await siren.start()
    await siren.send(verified())
    await context.clock.advance(59)
    assert device.tone
    device.refuse = [503, 503]
    await context.clock.advance(2)
    await until(lambda: len(device.refuse) < 2)
    assert device.tone
    async with asyncio.timeout(30):
        while device.tone or device.strobe:
            await context.clock.advance(31)
            await asyncio.sleep(0.01)


async def test_it_is_cleared_after_a_crash_and_restart(algo, device, verified, notice, context):
    """What was started is known to the next run: in its time, or by the verdict that comes then."""
    before = algo(sound_for=60)
    await before.start()
    await before.send(verified())
    await before.close()
    assert device.tone, "a restart silences nothing"
    after = algo(sound_for=60)
    await after.start()
    await after.send(over(notice))
    assert device.tone == ""
    await after.send(verified(key="next"))
    await after.close()
    await context.clock.advance(3600)
    late = algo(sound_for=60)
    await late.start()
    await until(lambda: not device.tone and device.strobe is None)


async def test_a_notice_before_the_start_forgets_nothing_that_sounds(
    algo, device, verified, notice, context
):
    """After a crash the end of an alert may come before the device is joined: it is tried again,
    not taken for done; nor does another alert take the place of what sounds.
    """
    before = algo(sound_for=60)
    await before.start()
    await before.send(verified())
    await before.close()
    after = algo(sound_for=60)
    for early in (over(notice), verified(key="b", alert="alert-2")):
        with pytest.raises(NotReady, match="not started"):
            await after.send(early)
    await after.start()
    assert (await after.send(over(notice, alert="alert-2"))).detail == "it sounds for another alert"
    assert device.tone
    await after.send(over(notice))
    assert not device.tone


async def test_a_crash_between_writing_and_sounding_is_cleared_too(algo, device, verified, context):
    """It is kept before the device is asked: no moment is left in which nobody knows."""
    siren = algo(sound_for=60)
    await siren.start()
    device.refuse = [503]
    with pytest.raises(NotReady):
        await siren.send(verified())
    await siren.close()
    device.tone = "warble1-low.wav"  # the device took it after all, and only the answer was lost
    await context.clock.advance(120)
    again = algo(sound_for=60)
    await again.start()
    await until(lambda: not device.tone)


async def test_a_drill_has_its_own_sound_or_none(algo, device, verified):
    """What sounds in a drill is what the block says for drills, else nothing."""
    silent = algo()
    await silent.start()
    receipt = await silent.send(verified(drill=True))
    assert (receipt.detail, device.tone) == ("a drill starts nothing here", "")
    chimes = algo(drill=Signal(tone="chime.wav"))
    await chimes.start()
    await chimes.send(verified(drill=True, key="drill"))
    assert (device.tone, device.strobe) == ("chime.wav", None)


@pytest.mark.parametrize(("ahead", "way"), [(45, "ahead of"), (-3600, "behind")])
async def test_a_clock_that_is_off_is_told_at_once(algo, device, verified, ahead, way):
    """A wrong clock would silence it: the start says so, as do a probe and each attempt."""
    siren = algo()
    await siren.start()
    device.ahead = timedelta(seconds=ahead)
    with pytest.raises(NotReady, match=rf"the clock of 127\.0\.0\.1 is (45s|1h) {way}"):
        await siren.send(verified())
    with pytest.raises(NotReady, match="give both a time server"):
        await algo().start()
    said = await algo().probe()
    assert (said.works, said.remedy) == (False, "give both a time server")


async def test_a_wrong_password_is_told_without_it(algo, device, verified):
    """The clocks agree, so it is the password."""
    siren = algo(password="Guessed-Canary")
    with pytest.raises(NotReady, match="check `password`") as refused:
        await siren.start()
    assert "Canary" not in str(refused.value)
    said = await siren.probe()
    assert not said.works
    receipt = await siren.send(verified())
    assert receipt.state == "failed"


async def test_what_the_device_refuses_is_a_failure_with_a_remedy(algo, device, verified):
    """A strobe that does not know the pattern; the tone sounds all the same."""
    half = algo(strobe=Strobe(pattern=10))
    await half.start()
    receipt = await half.send(verified(key="half"))
    assert receipt.state == "failed"
    assert "the strobe was refused (tone started)" in receipt.detail
    assert device.tone == "warble1-low.wav"


async def test_a_tone_that_is_refused_leaves_the_strobe(algo, device, verified, context):
    """A file that was renamed there silences the speaker alone; the strobe flashes, and ends."""
    siren = algo(tone="no such.wav", strobe=Strobe(), sound_for=60)
    await siren.start()
    receipt = await siren.send(verified())
    assert receipt.state == "failed"
    assert "the tone was refused (strobe started): HTTP 400" in receipt.detail
    assert "check the name of the tone" in receipt.detail
    assert device.strobe is not None
    await context.clock.advance(61)
    await until(lambda: device.strobe is None)


async def test_law_4_a_part_that_is_not_cleared_leaves_no_other_on(algo, device, verified, notice):
    """Where the device refuses to stop the tone the strobe goes out all the same, and it is said;
    the next attempt clears what is left.
    """
    siren = algo()
    await siren.start()
    await siren.send(verified())
    device.refuse = [400]
    receipt = await siren.send(over(notice))
    assert receipt.state == "failed"
    assert "the tone was refused (strobe cleared): HTTP 400" in receipt.detail
    assert (device.tone, device.strobe) == ("warble1-low.wav", None)
    assert (await siren.send(over(notice))).detail == "tone and strobe cleared"
    assert device.tone == ""


async def test_a_clock_that_is_set_back_sounds_no_longer(algo, device, verified, context):
    """It is cleared after `sound_for`, whatever the wall says by then; a further start is heard."""
    siren = algo(sound_for=60)
    await siren.start()
    await siren.send(verified())
    await context.clock.advance(30)
    context.clock.set(context.clock.now() - timedelta(hours=1))
    await context.clock.advance(31)
    await until(lambda: not device.tone and device.strobe is None)


async def test_basic_authentication_and_old_firmware(context, device, verified):
    """Both ways of signing in; a device without a status page is used, and told of in a probe."""
    device.basic = True
    device.has_status_page = False
    block = AlgoConfig(url=f"https://127.0.0.1:{device.port}", password="algo",
                       authentication="basic", **BOTH)  # fmt: skip
    plain = block.model_copy(update={"url": f"http://127.0.0.1:{device.port}"})
    siren = Algo(plain, context)
    await siren.start()
    assert (await siren.send(verified())).state == "delivered"
    said = await siren.probe()
    assert (said.works, "no status page" in said.found) == (True, True)
    await siren.close()


async def test_the_status_page_is_read_after_each_command(algo, device, verified):
    """Where it says what the device is doing, as paging adapters do, people read it."""
    device.action = "Playing warble1-low.wav"
    siren = algo()
    await siren.start()
    receipt = await siren.send(verified())
    assert receipt.detail.endswith("the device says: Playing warble1-low.wav")


async def test_a_probe_sounds_nothing(algo, device):
    """It reads the status page and says who answered."""
    said = await algo().probe()
    assert "lets us in as gymnasium, its clock agrees; nothing sounded" in said.found
    assert [method for method, _, _ in device.asked] == ["GET"]


async def test_a_disk_that_cannot_be_written_silences_nothing(context, device, algo, verified):
    """It sounds all the same, and says that a restart would not know of it."""
    context.state.parent.mkdir(parents=True, exist_ok=True)
    context.state.write_text("in the way")
    siren = algo()
    await siren.start()
    receipt = await siren.send(verified())
    assert device.tone
    assert "cannot write" in receipt.detail


def test_the_block_is_checked(context):
    """It must start something, hides its password, and sends none in the clear."""
    (driver,) = vestibule_notifiers()
    block = AlgoConfig(url="http://192.0.2.40", password="Canary", tone="a.wav")
    assert "Canary" not in repr(block)
    made = driver.factory(block, replace(context))
    assert isinstance(made, Notifier)
    assert made.channel.public
    for bad in (
        {"tone": None},
        {"tone": "../../x"},
        {"authentication": "basic"},
        {"url": "http://user:pass@h"},
        {"url": "http://h/path"},
        {"strobe": {"pattern": 99}},
    ):
        with pytest.raises(ValidationError):
            AlgoConfig(**{"url": "http://192.0.2.40", "password": "x", "tone": "a.wav", **bad})
