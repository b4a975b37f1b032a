"""Covered, turned, out of focus, frozen, blind: told once, ended once, and never by light."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from tamper_scenes import (
    FPS,
    HEIGHT,
    WIDTH,
    Place,
    Plane,
    Watcher,
    blurred,
    bus_stop,
    kind_of,
    rainy,
    walkers,
)

from hub.perception.decode import Clip
from hub.perception.motion import MotionGate
from hub.perception.stillness import Hold, Stillness
from hub.perception.tamper import TamperWatch

Picture = Callable[[float], Plane]
SETTLED = 90.0


def settled(seed: int = 1) -> tuple[Place, Watcher]:
    """A camera that has long looked at its usual place."""
    place, watcher = Place(seed), Watcher()
    assert watcher.show(SETTLED, usual(place)) == []
    return place, watcher


def usual(place: Place) -> Picture:
    """What the camera sees on any day."""
    return lambda _: place.plane(place.view())


def spray(place: Place) -> Picture:
    """Paint: one grey."""
    return lambda _: place.plane(np.full((HEIGHT, WIDTH), 130, np.float32))


def hand(place: Place) -> Picture:
    """Skin, far too near to be sharp, brighter towards one corner."""
    across = np.linspace(30, 110, WIDTH, dtype=np.float32)
    down = np.linspace(-20, 30, HEIGHT, dtype=np.float32)
    return lambda _: place.plane(across[None, :] + down[:, None])


def bag(place: Place) -> Picture:
    """Cloth: large soft shades of something else."""
    cloth = blurred(place.view(120, 60), 30)
    return lambda _: place.plane(cloth)


def turned(right: int, down: int) -> Callable[[Place], Picture]:
    """The camera looks so many pixels aside."""
    return lambda place: lambda _: place.plane(place.view(right, down))


def soft(radius: int) -> Callable[[Place], Picture]:
    """Out of focus."""

    def make(place: Place) -> Picture:
        view = blurred(place.view(), radius)
        return lambda _: place.plane(view)

    return make


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("kind", "what", "within"),
    [
        ("covered", spray, 20),
        ("covered", hand, 20),
        ("covered", bag, 20),
        ("moved", turned(25, 0), 20),
        ("moved", turned(-60, 10), 20),
        ("moved", turned(150, -30), 20),
        ("defocused", soft(2), 30),
        ("defocused", soft(6), 30),
    ],
)
def test_tampering_is_told_once_and_its_end_once(
    kind: str, what: Callable[[Place], Picture], within: float, seed: int
) -> None:
    """Told within seconds, with when it began; ended soon after the usual picture is back."""
    place, watcher = settled(seed)
    began = watcher.time
    assert watcher.show(60, what(place)) == [kind]
    told, change = watcher.told[-1]
    assert told - began <= within
    assert 0 <= change.since - began <= 8
    assert list(watcher.watch.standing) == [kind]
    back = watcher.time
    assert watcher.show(60, usual(place)) == [f"{kind} ended"]
    told, ended = watcher.told[-1]
    assert told - back <= 15
    assert ended.since == pytest.approx(change.since)
    assert watcher.watch.standing == {}


def test_soft_edges_are_told_under_passing_clouds() -> None:
    """Light that always changes a little does not explain them away."""
    place, watcher = Place(4), Watcher()

    def clouds(radius: int) -> Picture:
        view = blurred(place.view(), radius) if radius else place.view()
        return lambda time: place.plane(view * np.float32(1 + 0.08 * np.sin(time / 10)))

    assert watcher.show(300, clouds(0)) == []
    assert watcher.show(60, clouds(3)) == ["defocused"]


def test_a_black_picture_is_called_what_it_is() -> None:
    """Where no trace of the scene is left it is covered, or there is no light: the words say so."""
    place, watcher = settled()
    assert watcher.show(60, lambda _: place.plane(np.full((HEIGHT, WIDTH), 16, np.float32))) == [
        "covered"
    ]
    assert "no light at all" in watcher.watch.standing["covered"]


def test_how_far_the_scene_has_shifted_is_said() -> None:
    """A camera turned to the right shows its scene further left, by so much of the picture."""
    place, watcher = settled()
    watcher.show(30, turned(64, 0)(place))
    words = watcher.watch.standing["moved"]
    assert words == "the scene has shifted by 20% to the left; the camera was turned"


def test_a_wholly_other_view_is_told_once_no_bus_would_stand_there_so_long() -> None:
    """Nothing of the scene is left anywhere: told after a minute and a half of standing still."""
    place, watcher = settled()
    began = watcher.time
    assert watcher.show(140, lambda _: place.plane(place.view()[::-1, ::-1])) == ["moved"]
    assert 80 <= watcher.told[-1][0] - began <= 110


def light(*levels: float, every: float = 60.0) -> Callable[[Place], Picture]:
    """Lamps that are switched."""

    def make(place: Place) -> Picture:
        view = place.view()
        return lambda time: place.plane(16 + view * levels[int(time / every) % len(levels)])

    return make


def infrared(place: Place) -> Picture:
    """The camera's own lamp at night, noise and all."""
    view = blurred(place.infrared(), 1)
    return lambda _: place.plane(view, 5)


def crowd(place: Place) -> Picture:
    """Sixty people who fill the picture."""
    return walkers(place, place.view(), 60, 120)


def shaken(place: Place) -> Picture:
    """A pole in the wind."""
    return lambda _: place.plane(place.view(*place.rng.integers(-2, 3, 2)))


@pytest.mark.parametrize(
    "what",
    [
        pytest.param(light(0.3), id="light off"),
        pytest.param(light(0.06), id="hardly any light left"),
        pytest.param(light(0.3, 0.9, every=10), id="light on and off"),
        pytest.param(infrared, id="infrared"),
        pytest.param(lambda place: lambda _: rainy(place), id="rain"),
        pytest.param(crowd, id="crowd"),
        pytest.param(lambda place: walkers(place, place.view(), 4, 120), id="people"),
        pytest.param(lambda place: bus_stop(place, 70), id="bus"),
        pytest.param(shaken, id="shaking"),
        pytest.param(lambda place: lambda _: place.plane(place.view(), 10), id="noise"),
    ],
)
def test_none_of_this_is_tampering(what: Callable[[Place], Picture]) -> None:
    """Nothing is told while it lasts, nor when it is over."""
    place, watcher = settled(3)
    assert watcher.show(240, what(place)) == []
    assert watcher.show(120, usual(place)) == []


def night(place: Place, darkest: float) -> Picture:
    """Light fades over two hours while noise grows, and comes back in two more."""
    view = place.view()

    def dusk(time: float) -> Plane:
        day = (0.5 + 0.5 * np.cos(2 * np.pi * time / 14400)) ** 2
        level = np.float32(darkest + (1 - darkest) * day)
        return place.plane(16 + view * level, 2 + 3 * (1 - float(level)))

    return dusk


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_dusk_night_and_dawn_are_not_tampering(seed: int) -> None:
    """As long as some light is left; where there is none, that the camera sees nothing is said."""
    place, watcher = settled(seed)
    assert watcher.show(14400, night(place, 0.06), fps=0.25) == []
    assert watcher.show(14400, night(place, 0.0), fps=0.25) == ["blind", "blind ended"]


def encoded(planes: list[Plane], bits: int) -> list[Plane]:
    """Planes as H.264 of so few bits a second gives them back."""
    data = io.BytesIO()
    with av.open(data, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=int(FPS * 2))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate, stream.gop_size = bits, 20
        stream.options = {"preset": "veryfast", "bf": "0", "threads": "1"}
        for plane in planes:
            picture = av.VideoFrame.from_ndarray(plane, format="gray").reformat(format="yuv420p")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    data.seek(0)
    with av.open(data) as container:
        return [
            np.frombuffer(each.planes[0], np.uint8)
            .reshape(-1, each.planes[0].line_size)[:HEIGHT, :WIDTH]
            .copy()
            for each in container.decode(video=0)
        ]


def test_a_starved_stream_is_not_tampering() -> None:
    """Blocks, blur and pictures that hardly change, as an encoder with too few bits makes them."""
    place, watcher = Place(5), Watcher()
    walking = walkers(place, place.view(), 5, 120)
    planes = [walking(0.5 * n) if n < 60 else place.plane(place.view()) for n in range(160)]
    starved = encoded(planes, 12_000)
    assert len(starved) == len(planes)
    lost = np.mean([np.abs(a.astype(int) - b).mean() for a, b in zip(starved, planes, strict=True)])
    assert lost > 3
    assert watcher.show(900, lambda time: starved[int(time * FPS) % len(starved)]) == []


# ------------------------------------------------------------------------- frozen


def test_a_frozen_stream_is_told_and_so_is_its_end() -> None:
    """Pictures of a lens, noise and all, that suddenly are all the same, key frames too."""
    place, watcher = Place(1), Watcher()
    assert watcher.show(800, usual(place), fps=1) == []
    last, began = place.plane(place.view()), watcher.time
    assert watcher.show(200, lambda _: last, fps=1) == ["frozen"]
    told, change = watcher.told[-1]
    assert 115 <= told - began <= 150
    assert abs(change.since - began) <= 25
    assert watcher.show(60, usual(place), fps=1) == ["frozen ended"]


def noisy(number: int) -> np.ndarray:
    """Cell means of a still place seen through a lens, one for each number."""
    return np.random.default_rng(number).normal(120, 30, (30, 40)).astype(np.float32)


def rests(pictures: Callable[[int], np.ndarray], looks: int, key_every: int = 2) -> list[int]:
    """The looks, three seconds apart, at which pictures are called frozen."""
    stillness, frozen = Stillness(), []
    for number in range(looks):
        stillness.look(pictures(number), False, 3.0, number // key_every)
        if stillness.frozen:
            frozen.append(number)
    return frozen


HOUR = 1200  # looks


@pytest.mark.parametrize(
    ("pictures", "looks"),
    [
        pytest.param(lambda n: noisy(0), 14 * HOUR, id="a drawing that never changes"),
        pytest.param(lambda n: noisy(n // 8), 4 * HOUR, id="only key frames change anything"),
        pytest.param(
            lambda n: noisy(n % 200 if n % 200 < 40 else 40), 4 * HOUR, id="a ten minute loop"
        ),
        pytest.param(
            lambda n: noisy(n if n % 60 == 0 else 1), 8 * HOUR, id="a drawing, rarely visited"
        ),
        pytest.param(
            lambda n: noisy(n if n < 300 else 300) * 0 + (16 if n >= 300 else n % 97),
            2 * HOUR,
            id="a room gone wholly black",
        ),
    ],
)
def test_pictures_that_rest_are_not_frozen(
    pictures: Callable[[int], np.ndarray], looks: int
) -> None:
    """However long: pictures without noise say nothing about the camera."""
    assert rests(pictures, looks) == []


def test_a_stream_without_key_frames_is_not_called_frozen() -> None:
    """Its skipped blocks are no sign: only a key frame shows that nothing new is seen."""
    assert rests(lambda n: noisy(min(n, 300)), HOUR, key_every=10**9) == []
    assert rests(lambda n: noisy(min(n, 300)), HOUR)[0] == pytest.approx(340, abs=2)


def test_a_rest_that_ended_is_waited_out_the_next_time() -> None:
    """A camera that freezes at times is told once, then only when it rests far longer."""

    def pictures(n: int) -> np.ndarray:
        return noisy(n if n < 300 or 400 <= n < 900 else 300 if n < 400 else 900)

    frozen = rests(pictures, 1200)
    assert frozen[0] == pytest.approx(340, abs=2)
    assert frozen[-1] == 399


# -------------------------------------------------------------------------- blind


def test_a_gate_that_cannot_judge_is_told_and_its_end_too() -> None:
    """Views that jump about leave no background to compare with."""
    place, watcher = settled()
    rng = np.random.default_rng(7)
    jumps = watcher.show(90, lambda _: place.plane(place.view(*rng.integers(-70, 70, 2))))
    assert "blind" in jumps
    assert "keeps changing" in watcher.watch.standing["blind"]
    assert watcher.show(90, usual(place)).count("blind ended") == 1
    assert "blind" not in watcher.watch.standing


def test_a_camera_that_starts_behind_a_cover_is_blind_until_it_is_taken_off() -> None:
    """No scene is known yet, so it cannot be called covered; that nothing shows is said."""
    place, watcher = Place(1), Watcher()
    assert watcher.show(60, spray(place)) == ["blind"]
    assert "nothing" in watcher.watch.standing["blind"]
    assert watcher.show(60, usual(place)) == ["blind ended"]
    assert watcher.show(60, usual(place)) == []
    assert watcher.show(30, hand(place)) == ["covered"], "the scene was learned meanwhile"


# ---------------------------------------------------------------------- hold-off


def test_what_flickers_is_neither_told_nor_ended() -> None:
    """A hand that waves is no cover; a cover with gaps is one cover."""
    place, watcher = settled()
    cover, view = spray(place), usual(place)
    waving = watcher.show(180, lambda t: cover(t) if int(t / 6) % 2 else view(t))
    assert waving == []
    assert watcher.show(30, cover) == ["covered"]
    assert watcher.show(180, lambda t: view(t) if t % 18 < 6 else cover(t)) == []
    assert watcher.show(60, view) == ["covered ended"]


def test_a_hold_counts_seconds_not_looks() -> None:
    """What interrupts counts double against it; an end needs its own time."""
    hold = Hold(10.0, 6.0)
    assert [hold.judge(True, 4.0, now) for now in (0.0, 4.0)] == [False, False]
    assert not hold.judge(False, 4.0, 8.0)
    assert [hold.judge(True, 4.0, now) for now in (12.0, 16.0, 20.0)] == [False, False, True]
    assert (hold.standing, hold.since) == (True, 12.0)
    assert [hold.judge(False, 3.0, now) for now in (24.0, 27.0)] == [False, True]
    assert not hold.standing


def test_a_stream_that_was_away_adds_next_to_nothing() -> None:
    """Two pictures of a cover with ten minutes between them are no ten minutes of cover."""
    place, watcher = settled()
    watcher.show(2, spray(place))
    watcher.time += 600
    assert watcher.show(4, spray(place)) == []
    watcher.time -= 3600
    assert watcher.show(20, usual(place)) == []


def test_a_view_that_lasts_becomes_the_usual_one() -> None:
    """After six hours another view is the camera's view: ended in words, and watched anew."""
    place, watcher = settled()
    other = turned(100, 0)(place)
    assert watcher.show(60, other) == ["moved"]
    assert watcher.show(6.2 * 3600, other, fps=0.25) == ["moved ended"]
    assert "usual" in watcher.told[-1][1].words
    assert watcher.show(30, spray(place)) == ["covered"]


def test_giving_up_ends_all_that_stands() -> None:
    """Whoever stops watching can say of each finding that it is no longer known."""
    place, watcher = settled()
    watcher.show(30, spray(place))
    ends = watcher.watch.give_up("another size")
    assert [(kind_of(end), end.words) for end in ends] == [("covered ended", "another size")]


# ------------------------------------------------------------- masks, sizes, clips


def test_hidden_parts_neither_hide_a_cover_nor_make_one() -> None:
    """Masks have edges that stay sharp and in place whatever is before the lens."""
    shown = np.ones((HEIGHT, WIDTH), np.uint8)
    shown[40:150, 60:200] = 0
    place, watcher = Place(1), Watcher(shown)

    def masked(picture: Picture) -> Picture:
        return lambda time: np.where(shown == 0, np.uint8(16), picture(time))

    assert watcher.show(SETTLED, masked(usual(place))) == []
    assert watcher.show(30, masked(spray(place))) == ["covered"]
    assert watcher.show(30, masked(usual(place))) == ["covered ended"]
    assert watcher.show(30, masked(soft(3)(place))) == ["defocused"]


@pytest.mark.parametrize(
    "size", [(8, 8), (16, 64), (64, 48), (321, 181), (720, 576), (1280, 720), (1919, 1079)]
)
def test_every_size_of_picture_is_taken(size: tuple[int, int]) -> None:
    """Tiny and odd ones too, hidden or not; what is too small to judge is not judged."""
    rng = np.random.default_rng(1)
    view = np.kron(rng.integers(40, 200, (30, 40)), np.ones((36, 48)))[: size[1], : size[0]]
    for shown in (None, np.zeros(size[::-1], np.uint8)):
        gate, watch = MotionGate(*size, FPS), TamperWatch(size, shown)
        for number in range(50):
            plane = (view if number < 30 else 255 - view).astype(np.uint8)
            found = gate.update(plane, 2.0 * number, shown)
            if watch.note(2.0 * number, found.state, found.triggered):
                assert watch.look(plane, gate.means(), number) == []


def test_real_clips_hold_no_tampering(material: Path) -> None:
    """Each clip, looped for ten minutes at two looks a second."""
    for path in sorted((material / "clips").rglob("*.mp4")):
        with Clip(path) as clip:
            every = max(1, round(clip.fps / FPS))
            planes = [frame.luma.copy() for frame in clip if frame.index % every == 0][:240]
            watcher = Watcher(size=clip.size)
        assert watcher.show(600, lambda t: planes[int(t * FPS) % len(planes)]) == [], path.name  # noqa: B023
