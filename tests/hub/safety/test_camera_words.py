"""What goes wrong with a camera's pictures, in the story and to the rules."""

import pytest
from safety_school import EVENING, SCHOOL

from hub.campus import Campus
from hub.config import Config
from hub.events import EVENT_TYPES, Event
from hub.perception.tamper import ENDED
from hub.safety.rules.book import about_event
from hub.safety.words import Words

CONFIG = Config.model_validate(SCHOOL)
WORDS = Words(CONFIG, Campus(CONFIG.places))
CAMERA, BLOCK = next(iter(CONFIG.cameras.items()))


def event(type_: str, **data: str) -> Event:
    """As a worker sends it."""
    place = BLOCK.place
    return Event(
        type_, f"camera/{CAMERA}", EVENING, CAMERA, {"camera": CAMERA, "place": place} | data
    )


@pytest.mark.parametrize("kind", sorted(ENDED))
def test_each_finding_and_its_end_has_a_line_of_its_own(kind: str) -> None:
    """In words, a check when it begins; its end is told by its reason, which may be no relief."""
    assert f"camera.{kind}" in EVENT_TYPES
    line, tone = WORDS.sentence(event(f"camera.{kind}"))
    assert line.startswith(f"{WORDS.camera(CAMERA)}: ")
    assert tone == "check"
    assert "delivers" not in line
    for reason in (ENDED[kind], "its worker has ended"):
        over, tone = WORDS.sentence(event("camera.clear", ended=kind, reason=reason))
        assert over == f"{WORDS.camera(CAMERA)}: {reason}"
        assert tone == "neutral"


def test_a_rule_can_wait_for_a_camera_that_is_covered() -> None:
    """Camera and place are known to it, and what befalls one camera is one scope."""
    covered, clear = about_event(event("camera.covered"), CONFIG), event("camera.clear")
    assert (covered.camera, covered.place) == (CAMERA, BLOCK.place)
    assert covered.scope == about_event(clear, CONFIG).scope
