"""What ONVIF's words for a door mean in ours, and what makes a verb true: pure, no device."""

import itertools

import pytest

from hub import VERBS, CommandFailed
from plugins.access_control._door_control import DoorState, bolt, seen, steps

MODES = (
    "Unknown", "Locked", "Unlocked", "Accessed", "Blocked", "LockedDown", "LockedOpen",
    "DoubleLocked", "", "Sesame",
)  # fmt: skip
BOLTS = ("", "Unknown", "Locked", "Unlocked", "Fault", "Sesame")
SHUT = {"Locked", "DoubleLocked", "Blocked", "LockedDown"}
CAN = frozenset({"Access", "Lock", "Unlock", "Block", "LockDown", "LockOpen"})


@pytest.mark.parametrize(("mode", "lock"), [*itertools.product(MODES, BOLTS)])
def test_unknown_is_never_locked(mode, lock):
    """Locked is said only where the door is set so, and its bolt agrees or has no word."""
    found = seen(DoorState(mode=mode, lock=lock))
    assert (found.lock == "locked") is (mode in SHUT and lock in ("", "Locked"))
    if found.lock != "locked":
        assert not found.does & {"lock", "lockdown"}


@pytest.mark.parametrize(
    ("mode", "lock", "means"),
    [
        ("Locked", "Unlocked", "unlocked"),
        ("LockedDown", "Unknown", "unknown"),
        ("LockedDown", "Fault", "jammed"),
        ("Unlocked", "Locked", "moving"),
        ("LockedOpen", "", "unlocked"),
        ("Accessed", "Unlocked", "unlocked"),
        ("Unknown", "", "unknown"),
    ],
)
def test_the_bolts_own_word_comes_first(mode, lock, means):
    """A monitor beats what the door is set to; a bolt on its way is neither."""
    assert bolt(DoorState(mode=mode, lock=lock)) == means


def test_locked_is_no_lockdown():
    """Only LockedDown and Blocked keep ordinary credentials out."""
    by = {mode: seen(DoorState(mode=mode, lock="Locked")).does for mode in MODES}
    assert {mode for mode, does in by.items() if "lockdown" in does} == {"LockedDown", "Blocked"}
    assert "lockdown_release" not in by["LockedDown"] | by["Blocked"]


@pytest.mark.parametrize(
    ("position", "means"),
    [("Open", "open"), ("Closed", "closed"), ("Fault", "unknown"), ("Unknown", "unknown")],
)
def test_a_contact_says_open_closed_or_nothing_sure(position, means):
    """A contact with a fault is unknown; a door without one says nothing."""
    assert seen(DoorState("Locked", "Locked", position)).position == means
    assert seen(DoorState("Locked", "Locked")).position is None


def test_faults_alarms_and_tampering_are_told_in_words():
    """What the controller complains of reaches people; its own words are bounded and printable."""
    said = seen(
        DoorState(
            "Locked",
            "Locked",
            "Fault",
            "DoorForcedOpen",
            "TamperDetected",
            "FaultDetected",
            "wire\x00 cut" + "!" * 500,
        )
    )
    assert said.tampered is True
    assert "fault of the contact" in said.detail
    assert "forced open" in said.detail
    assert "wire cut" in said.detail
    assert len(said.detail) < 300
    assert "\x00" not in said.detail
    assert seen(DoorState("Locked", tamper="NotInTamper")).tampered is False
    assert seen(DoorState("Locked", tamper="Unknown")).tampered is None


@pytest.mark.parametrize(
    ("verb", "mode", "done"),
    [
        ("lock", "Unlocked", ["LockDoor"]),
        ("lock", "LockedOpen", ["LockOpenReleaseDoor", "LockDoor"]),
        ("lock", "LockedDown", []),
        ("lock", "Blocked", []),
        ("unlock", "Locked", ["UnlockDoor"]),
        ("unlock", "LockedDown", ["LockDownReleaseDoor", "UnlockDoor"]),
        ("unlock", "LockedOpen", []),
        ("hold_open", "Unlocked", ["LockOpenDoor"]),
        ("hold_open", "LockedDown", ["LockDownReleaseDoor", "LockOpenDoor"]),
        ("momentary", "Locked", ["AccessDoor"]),
        ("momentary", "LockedDown", ["LockDownReleaseDoor", "AccessDoor"]),
        ("momentary", "Blocked", ["LockDoor", "AccessDoor"]),
        ("momentary", "LockedOpen", []),
        ("lockdown", "Locked", ["LockDownDoor"]),
        ("lockdown", "LockedOpen", ["LockOpenReleaseDoor", "LockDownDoor"]),
        ("lockdown", "LockedDown", []),
        ("lockdown", "", ["LockDownDoor"]),
        ("lockdown_release", "LockedDown", ["LockDownReleaseDoor"]),
        ("lockdown_release", "Blocked", ["LockDoor"]),
        ("lockdown_release", "Unlocked", []),
    ],
)
def test_a_verb_is_done_by_its_meaning(verb, mode, done):
    """A held-open or locked-down door is released first, for it ignores all else until then."""
    assert steps(verb, mode, CAN) == done


def test_a_door_without_lockdown_is_blocked_or_says_no():
    """Blocked keeps credentials out as well; with neither the door refuses, in words."""
    assert steps("lockdown", "LockedOpen", CAN - {"LockDown"}) == [
        "LockOpenReleaseDoor",
        "BlockDoor",
    ]
    assert steps("lockdown", "Blocked", CAN - {"LockDown"}) == []
    with pytest.raises(CommandFailed, match="neither a lockdown nor a block"):
        steps("lockdown", "Locked", CAN - {"LockDown", "Block"})
    assert steps("hold_open", "Locked", CAN - {"LockOpen"}) == ["UnlockDoor"]


@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"lockdown_release"}))
def test_what_a_door_cannot_is_refused(verb):
    """A door with no capability takes no verb."""
    with pytest.raises(CommandFailed):
        steps(verb, "Locked", frozenset())
