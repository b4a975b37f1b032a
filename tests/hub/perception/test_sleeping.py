"""A camera that sleeps keeps packets, wakes when they grow, and loses nothing of who comes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from hub.campus import Campus
from hub.config import CameraBlock, Config, DoorBlock, Place
from hub.kinds.cameras import VideoSource
from hub.kinds.detectors import DetectorInfo
from hub.perception.feed import Feed, Packet, Session
from hub.perception.live import LiveCamera
from hub.perception.pictures import Pictures, Wanted
from hub.perception.pipeline import CameraPipeline
from hub.perception.sleeping import GLIMPSE_S, MOST_BYTES, PacketSizes, Sleeping
from hub.perception.spec import CameraSpec, camera_spec
from hub.testing import FakeClock
from tests.clips import encoded

FPS, GOP = 10, 20
GUESS = DetectorInfo("guess", ("person",), (), "Apache-2.0", "", needs_pixels=False, guessing=True)
SESSION = Session(1, None)


class Stamped:
    """What of a packet's data the decision reads."""

    def __init__(self, pts: int = 0) -> None:
        self.pts, self.dts = pts, 0


def packet(number: int, size: int = 0, **changes: Any) -> Packet:
    """Packet `number` of a still scene: sizes vary by a few per cent."""
    key = number % changes.pop("group", GOP) == 0
    usual = 4000 if key else 300 + Random(number).randrange(30)
    given = {"session": SESSION, "data": Stamped(), "time": number / FPS, "key": key}
    given |= {"base": 0.0, "size": size or usual, **changes}
    return Packet(**given)


def lulled(after: float | None = 5.0, until: int = 90, **changes: Any) -> Sleeping:
    """What has been shown a still scene up to packet `until`."""
    sleeping = Sleeping(after)
    for number in range(until):
        for each in sleeping.admit(packet(number, **changes)):
            sleeping.looked(each.time, moving=False)
    return sleeping


def test_what_was_never_looked_at_does_not_fall_asleep() -> None:
    """A camera whose pictures cannot be decoded has not been seen to be still."""
    sleeping = Sleeping(5.0)
    for number in range(200):
        sleeping.admit(packet(number))
    assert not sleeping.asleep


def test_after_long_stillness_only_key_frames_and_a_glimpse_are_decoded() -> None:
    """Of each group the key frame and those right behind it come at once, the rest is kept."""
    sleeping = lulled()
    assert sleeping.asleep
    shown = [each.time for n in range(100, 120) for each in sleeping.admit(packet(n))]
    assert shown == [n / FPS for n in range(100, 120) if n / FPS - 10.0 <= GLIMPSE_S]
    assert sleeping.held == 20 - len(shown)


def test_without_a_setting_everything_is_decoded_at_once() -> None:
    """Sleep is asked for, never assumed."""
    sleeping = Sleeping(None)
    assert all(sleeping.admit(packet(n)) for n in range(400))
    assert CameraBlock.model_fields["sleep_after"].default is None


def test_what_was_kept_comes_in_order_once_a_packet_grows() -> None:
    """The burst holds every packet since the glimpse, with its own time, and this one last."""
    sleeping = lulled(until=112)
    held = sleeping.held
    assert held > 3
    burst = sleeping.admit(packet(112, size=2500))
    assert [each.time for each in burst] == [n / FPS for n in range(112 - held, 113)]
    assert not sleeping.asleep
    assert all(sleeping.admit(packet(n)) for n in range(113, 120))


def test_a_small_growth_that_lasts_wakes_too() -> None:
    """A quarter more, packet after packet: each alone would be chance."""
    sleeping = lulled(until=106)
    came = [len(sleeping.admit(packet(n, size=390))) for n in range(106, 114)]
    assert came[0] == 0
    assert max(came) > 2


def test_the_usual_spread_of_sizes_wakes_nobody() -> None:
    """Sizes as scattered as before, for an hour of packets, wake fewer than once a minute."""
    sizes, random = PacketSizes(), Random(4)
    for _ in range(150):
        sizes.learn(round(500 * random.lognormvariate(0, 0.2)))
    sizes.settle()
    wakes = 0
    for number in range(60 * 60 * FPS):
        if sizes.grown(round(500 * random.lognormvariate(0, 0.2))):
            wakes += 1
            sizes.settle()
        if number % GOP == 0:
            sizes.settle()
    assert wakes < 60


def test_who_moves_in_a_key_frame_wakes_it() -> None:
    """The safety net: a look that finds something ends the sleep, and nothing is held then."""
    sleeping = lulled(until=100)
    sleeping.admit(packet(100))
    sleeping.looked(10.0, moving=True)
    assert not sleeping.asleep
    assert sleeping.admit(packet(115))
    later = [len(sleeping.admit(packet(n))) for n in range(116, 150)]
    assert 0 not in later, "still for less than five seconds"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"group": 25}, "key frames are more than two seconds apart"),
        ({"group": 4}, "there is nothing to save between key frames so close"),
        ({"data": Stamped(pts=2)}, "pictures come out in another order than packets"),
    ],
)
def test_some_streams_never_sleep(changes: dict[str, Any], why: str) -> None:
    """Where sleep would cost sight or save nothing."""
    assert not lulled(until=400, **changes).asleep, why


def test_a_missing_key_frame_wakes_it() -> None:
    """Kept packets are worth decoding only while their key frame is young."""
    sleeping = lulled(until=100)
    sleeping.admit(packet(100))
    came = [len(sleeping.admit(packet(n, size=310, key=False))) for n in range(101, 124)]
    assert came[8:20] == [0] * 12
    assert max(came[20:]) > 10


def test_what_is_kept_is_bounded_in_bytes() -> None:
    """Large packets are decoded rather than kept without end."""
    sleeping = Sleeping(5.0)
    large = MOST_BYTES // 10
    most = 0
    for number in range(200):
        for each in sleeping.admit(packet(number, size=large)):
            sleeping.looked(each.time, moving=False)
        most = max(most, sleeping.held)
    assert 0 < most <= 10


def test_a_new_opening_of_the_source_begins_awake() -> None:
    """Packets of the old one are let go of; what was learnt was another stream's."""
    sleeping = lulled(until=110)
    assert sleeping.held
    fresh = Session(2, None)
    assert sleeping.admit(packet(120, session=fresh))
    assert not sleeping.asleep
    assert not sleeping.held


def test_whatever_packets_come_what_is_kept_is_bounded_and_in_order() -> None:
    """Sizes, times, key frames and openings at random: what comes out never goes back in number,
    and never more than a few groups of packets lie.
    """
    random, sleeping = Random(8), lulled()
    number, session, time, slept = 90, 1, 9.0, 0
    last = -1
    for _ in range(20_000):
        wild = random.random() < 0.02
        time += random.choice((-3.0, 0.0, 7.0)) if wild else 1 / FPS
        session += random.random() < 0.0005
        size = random.choice((0, 1, 90_000)) if wild else 300 + random.randrange(30)
        key = random.random() < 0.3 if wild else number % GOP == 0
        one = Packet(Session(session, None), Stamped(), time, float(number), size, key)
        for each in sleeping.admit(one):
            assert each.base > last
            last = each.base
            sleeping.looked(each.time, moving=random.random() < 0.0005)
        slept += sleeping.asleep
        assert sleeping.held <= 3 * GOP
        number += 1
    assert slept > 1000


# ------------------------------------------------------------------------ a camera


class Ticking(FakeClock):
    """A clock that a test without a loop moves."""

    def to(self, moment: float) -> None:
        self._elapsed = moment


class Camera:
    """A live camera that is fed a clip at the clip's own pace; `looks` are (time, done at)."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.clock, self.looks, self.told = Ticking(), [], []  # type: ignore[var-annotated]
        source = VideoSource("rtsp://192.0.2.1/x", "tcp")
        given = {"id": "hall", "slot": 0, "place": "hall", "fps": 5.0, "source": source}
        spec = CameraSpec.model_validate({**given, "sleep_after": 5.0, **changes})
        self.feed = Feed("hall", source, self.clock)
        self.live = LiveCamera(
            spec,
            self.feed,
            Pictures(folder / "hall.jpg", folder / "media"),
            self.clock,
            self._pipeline,
        )

    def _pipeline(self, size: tuple[int, int]) -> CameraPipeline:
        camera = self

        class Noted(CameraPipeline):
            """The real one, noting what it looked at and when."""

            def look(self, frame):  # type: ignore[no-untyped-def]
                look = super().look(frame)
                done = camera.clock.monotonic()
                camera.looks.append((round(frame.time, 3), done, look.gate.triggered))
                return look

        return Noted("hall", size, 5.0, GUESS)

    def play(self, path: Path) -> None:
        """All of it."""
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            decoder = av.CodecContext.create("h264", "r")
            decoder.extradata = stream.codec_context.extradata
            session = Session(1, decoder)
            for number, data in enumerate(each for each in container.demux(stream) if each.size):
                self.clock.to(number / FPS)
                base = number / FPS - float(data.pts * data.time_base)
                key, size = bool(data.is_keyframe), int(data.size)
                self.feed.queue.put(Packet(session, data, number / FPS, base, size, key))
                self.step()

    def step(self) -> None:
        worked = self.live.work()
        self.told += [event.type for event in worked.events]
        if worked.question is not None:
            self.live.answer(worked.question, [])


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty seconds of an empty room; somebody comes in at 24.7 s."""
    path = tmp_path_factory.mktemp("clips") / "visit.mp4"
    rng = np.random.default_rng(3)
    wall = np.kron(rng.integers(60, 180, (30, 40)), np.ones((8, 8))).astype(np.float32)

    def planes(number: int) -> NDArray[np.uint8]:
        picture = wall + rng.normal(0, 1.5, wall.shape)
        if number >= 247:
            picture[100:180, (number - 247) * 6 : (number - 247) * 6 + 40] = 230
        made = np.full((360, 320), 128, np.uint8)
        made[:240] = np.clip(picture, 0, 255)
        return made

    asked = {"g": str(GOP), "bf": "0", "preset": "veryfast", "sc_threshold": "0"}
    return encoded(path, map(planes, range(30 * FPS)), FPS, drawn="yuv420p", **asked)


def test_who_comes_is_seen_from_the_first_frame_though_the_camera_slept(
    visit: Path, tmp_path: Path
) -> None:
    """Most packets of the empty room stay undecoded; the visitor's first looks are as they would
    have been, at their own times, and soon.
    """
    awake, asleep = Camera(tmp_path, sleep_after=None), Camera(tmp_path)
    awake.play(visit)
    asleep.play(visit)
    assert awake.live.counters.decoded == 300
    assert asleep.live.counters.decoded < 220
    assert asleep.live.counters.damaged == 0
    assert asleep.told == awake.told == [], "sleep is no tampering"
    expected = [time for time, _, _ in awake.looks if time >= 24.7]
    assert [time for time, _, _ in asleep.looks if time >= 24.7] == expected
    first = next(done for time, done, moving in asleep.looks if moving and time >= 24.7)
    assert first - 24.7 < 1.0


def test_a_camera_that_sleeps_is_not_away(visit: Path, tmp_path: Path) -> None:
    """Packets that come and are kept are as good a sign of life as pictures."""
    camera = Camera(tmp_path)
    ages = []
    step = camera.step

    def noting() -> None:
        step()
        ages.append(camera.clock.monotonic() - (camera.live.picture_at or 0.0))

    camera.step = noting  # type: ignore[method-assign]
    camera.play(visit)
    assert max(ages) < 0.2


def test_a_picture_that_an_incident_asks_for_wakes_it(visit: Path, tmp_path: Path) -> None:
    """What was kept is decoded, so that the pictures around the moment are there."""
    camera = Camera(tmp_path)
    step = camera.step

    def asking() -> None:
        if camera.clock.monotonic() == 19.0:
            assert camera.live._sleeping.held > 3
            camera.live.want([Wanted("i", 0.5, camera.clock.now())])
        step()
        if camera.clock.monotonic() == 19.0:
            assert camera.live._sleeping.held == 0

    camera.step = asking  # type: ignore[method-assign]
    camera.play(visit)
    assert any(time == 18.8 for time, _, _ in camera.looks)


def configured(**camera: Any) -> CameraSpec:
    """A camera as the hub hands it to a worker."""
    places = {"school": {"kind": "site", "name": "School"}}
    for name in ("hall", "lobby", "gym"):
        places[name] = {"kind": "room", "name": name.title(), "in": "school"}
    door = {"name": "Front door", "controller": "locks", "place": "lobby", "exterior": True}
    inner = {"name": "Gym door", "controller": "locks", "place": "gym", "leads_to": "hall"}
    config = Config.model_construct(
        places={name: Place.model_validate(each) for name, each in places.items()},
        cameras={"cam": CameraBlock.model_validate({"driver": "file"} | camera)},
        doors={"front": DoorBlock.model_validate(door), "gym": DoorBlock.model_validate(inner)},
        detectors={},
    )
    return camera_spec(config, Campus(config.places), "cam", VideoSource("x"), 0)


def test_important_cameras_and_those_at_entrances_never_sleep() -> None:
    """Whatever their block says; a door inside is no entrance."""
    assert configured(place="hall", sleep_after="30s").sleep_after == 30.0
    assert configured(place="hall").sleep_after is None
    assert configured(place="hall", sleep_after="30s", important=True).sleep_after is None
    assert configured(place="lobby", sleep_after="30s").sleep_after is None
    whole = [[0, 0], [1, 0], [1, 1]]
    zones = [{"place": "lobby", "polygon": whole}]
    assert configured(place="hall", sleep_after="30s", zones=zones).sleep_after is None
    assert configured(place="school", sleep_after="30s").sleep_after is None  # the lobby is in it


def test_a_private_camera_never_sleeps(visit: Path, tmp_path: Path) -> None:
    """Nobody looks at its pictures, so nobody could say that nothing moves."""
    camera = Camera(tmp_path, private=True)
    camera.play(visit)
    assert camera.live.counters.decoded == 300


def test_a_camera_that_somebody_looks_at_does_not_sleep(visit: Path, tmp_path: Path) -> None:
    """Whoever watches is shown every picture of its rate, asleep or not; then it sleeps again."""
    camera = Camera(tmp_path)
    step, shown = camera.step, []
    snapshot = tmp_path / "hall.jpg"

    def watching() -> None:
        if camera.clock.monotonic() == 17.0:
            assert camera.live._sleeping.held > 3
            camera.live.watch(3.0)
        before = snapshot.stat().st_ino if snapshot.exists() else 0
        step()
        if snapshot.exists() and snapshot.stat().st_ino != before:
            shown.append(camera.clock.monotonic())

    camera.step = watching  # type: ignore[method-assign]
    camera.play(visit)
    watched = [each for each in shown if 17.0 <= each < 20.0]
    gaps = [round(b - a, 3) for a, b in pairwise(watched)]
    assert max(gaps) <= 0.2, gaps
    assert camera.live.counters.decoded < 250, "it slept before and after"
