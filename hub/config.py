"""The configuration, as frozen models: what one YAML file may say, key by key.

`hub.yamlfile` turns text into plain values with positions, `hub.check` turns those into a `Config`
or into every problem at once. Nothing here reads a file or knows a driver. The descriptions are
what an editor shows and what docs/reference/config.md is made of.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SkipValidation, ValidationInfo, field_validator

from hub.alert_settings import FalseAlarms, Ladder, LadderStep, Override, Rotation, TellAgain
from hub.conditions import (
    Condition,
    Count,
    Fraction,
    ProtocolName,
    Same,
    Slug,
    Step,
    Title,
    Unless,
)
from hub.door_settings import DoorBlock, DoorsKeep
from hub.heartbeat_settings import HeartbeatSettings
from hub.inbound.blocks import InboundBlock
from hub.incident_settings import IncidentBlock, IncidentKind
from hub.kinds import Block, Kind
from hub.polygons import Point, Polygon
from hub.protocol_settings import DrillSettings, DuressSettings, FireSettings, InputBlock
from hub.role_settings import BreakGlassSettings, RoleBlock
from hub.rule_settings import (
    DAYS,
    Action,
    AlertSpec,
    DateRange,
    Day,
    DoorAction,
    LanguageName,
    NoticeAction,
    Person,
    Protocol,
    Rule,
    Schedule,
    Weekly,
)
from hub.sign_in_settings import SignInSettings
from hub.surroundings import BackupSettings, Broker, EmergencyCall, HomeAssistantSettings
from hub.units import Duration
from hub.web_settings import WebSettings

__all__ = [
    "DAYS", "Action", "AlertSpec", "BackupSettings", "Broker", "CameraBlock", "Condition", "Config",
    "ControllerBlock", "Count", "DateRange", "Day", "DetectorBlock", "DoorAction", "DoorBlock",
    "DriverBlock", "FalseAlarms", "Fraction", "HubSettings", "Kind", "Ladder", "LadderStep",
    "NoticeAction", "NotifierBlock", "Override", "Person", "Place", "PlaceKind", "Point", "Polygon",
    "Protocol", "ProtocolName", "RoleBlock", "Rotation", "Rule", "Same", "Schedule", "Slug", "Step",
    "Unless", "VisitorBlock", "Weekly", "Zone",
]  # fmt: skip

Latitude = Annotated[float, Field(ge=-90.0, le=90.0)]
Longitude = Annotated[float, Field(ge=-180.0, le=180.0)]
Wait = Annotated[Duration, Field(gt=0)]
PlaceKind = Literal["site", "building", "floor", "area", "room", "outdoor"]


class HubSettings(Block):
    """What concerns the hub as a whole."""

    name: str = Field("Vestibule", description="Shown on every page and in every notice.")
    timezone: str = Field(
        "UTC",
        description="Your place in the IANA time zone database; schedules and lists follow it.",
    )
    mqtt: Broker | None = Field(
        None,
        description="Your own MQTT broker. Without one the hub runs one for itself, on the "
        "loopback address only.",
    )
    home_assistant: HomeAssistantSettings | None = Field(
        None,
        description="Tell a Home Assistant on the same broker how the house is. Needs `mqtt`.",
    )
    backup: BackupSettings = Field(
        BackupSettings(),
        description="Copies of all that the hub remembers, made while it runs. "
        "[The guide](../guide/backup.md) tells what is in them and how to go back to one.",
    )
    heartbeat: HeartbeatSettings = Field(
        HeartbeatSettings(), description="The hub's own test event, which proves that it all works."
    )
    digest_after: Annotated[Duration, Field(ge=60, le=86400)] = Field(
        600.0,
        description="After a restart, or when a channel works again, notices that have waited "
        "longer than this come as one digest for each person and channel, not one by one. A "
        "channel that everyone hears says nothing that late.",
    )
    fall_back_after: Annotated[Duration, Field(ge=5, le=3600)] = Field(
        60.0,
        description="How long a channel may not take a notice until the person's next channel "
        "(`prefer`), or the notifier's `fallback`, gets it as well. What a channel refuses for "
        "good goes there at once.",
    )
    tell_again: TellAgain = Field(TellAgain(), description="When what goes on is told again.")
    doors_keep: DoorsKeep = Field(
        7200.0,
        description="How long a door stays as a person, or verifying an alert, wanted it, where "
        "nobody says otherwise. Then it goes back by itself.",
    )
    emergency: EmergencyCall = Field(
        EmergencyCall(),
        description="What the call card of an incident says beside the place. The hub never calls "
        "emergency services: a person does.",
    )
    drills: DrillSettings = Field(DrillSettings(), description="What a drill may do.")
    fire: FireSettings = Field(FireSettings(), description="A fire alarm during a lockdown.")
    duress: DuressSettings = Field(DuressSettings(), description="Who hears of a duress PIN.")
    break_glass: BreakGlassSettings = Field(
        BreakGlassSettings(), description="What people may take in an emergency, and who hears."
    )
    reason_for: tuple[str, ...] = Field(
        (),
        description="For which permissions people say why, each time they act, and once in a "
        "quarter of an hour where they look ([roles.md](../reference/roles.md#reasons)).",
    )
    language: LanguageName = Field(
        "en",
        description="The language that people are told in, and that pages are in where neither "
        "somebody nor their browser says: `en`, `es`, or one of `templates`.",
    )
    templates: Path | None = Field(
        None,
        description="A folder, beside this file, with texts of your own: `LANGUAGE/ABOUT.txt`, "
        "such as `es/alert.txt`. See [the guide](../guide/notices.md#texts-of-your-own).",
    )
    web: WebSettings = Field(WebSettings(), description="Where the pages are, and TLS.")
    sign_in: SignInSettings = Field(SignInSettings(), description="How people come in.")
    plugins_dir: Path = Field(
        Path("my_plugins"),
        description="A folder, beside this file, with Python files that offer drivers of your own.",
    )

    @field_validator("home_assistant")
    @classmethod
    def on_a_broker_of_the_site(
        cls, settings: HomeAssistantSettings | None, info: ValidationInfo
    ) -> HomeAssistantSettings | None:
        """The hub's own broker lets nobody else in."""
        if settings is not None and info.data.get("mqtt") is None:
            raise ValueError("expected `mqtt`, the broker that Home Assistant uses too")
        return settings

    @field_validator("timezone")
    @classmethod
    def known_timezone(cls, name: str) -> str:
        """A name from the IANA time zone database."""
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError("expected an IANA time zone such as Europe/Berlin") from None
        return name


class Place(Block):
    """A part of the campus. `in` names the place it is part of; a private one is never analysed."""

    name: Title = Field(description="What people call it.")
    kind: PlaceKind = Field(description="What it is.")
    parent: Slug | None = Field(
        None,
        alias="in",
        description="The place that it is part of. A rule about a place holds in all its parts.",
    )
    address: str = Field(
        "",
        max_length=200,
        description="Of a site or building: street, number and town, as a dispatcher needs it.",
    )
    coordinates: tuple[Latitude, Longitude] | None = Field(
        None, description="`[latitude, longitude]` in degrees (WGS 84), for the call card."
    )
    private: bool = Field(
        False,
        description="Never looked at: neither a camera nor a zone may lie here, or in any part of "
        "it.",
    )


class Zone(Block):
    """A polygon in a camera's picture, corners as fractions of its width and height."""

    place: Slug = Field(description="The place that this part of the picture shows.")
    polygon: Polygon = Field(
        description="Its corners `[x, y]`, as fractions of the picture's width and height from its "
        "top left."
    )
    name: str = Field("", description="What people call it.")


class DriverBlock(Block):
    """What every driver's block has; the remaining keys are the driver's own, in `settings`."""

    driver: str = Field(description="Which driver; its own keys stand in the same block.")
    enabled: bool = Field(True, description="`false` leaves it out without losing the block.")
    name: str = Field("", description="What people call it; the block's name where empty.")
    settings: SkipValidation[Any] = Field(
        None, description="The driver's own keys, as its model; no key of the file."
    )


class HostedBlock(DriverBlock):
    """A block whose driver may run in a plugin host."""

    isolate: bool = Field(
        False,
        description="Run it in a process of its own, as drivers of plugins from outside are.",
    )


class CameraBlock(HostedBlock):
    """A camera and what it looks at."""

    place: Slug = Field(description="Where it hangs.")
    detector: Slug | None = Field(
        None,
        description="Which detector looks at its pictures. Without one they are shown, and nobody "
        "looks for people in them.",
    )
    fps: float = Field(5.0, gt=0, le=60, description="How many pictures a second are looked at.")
    zones: tuple[Zone, ...] = Field(
        (),
        description="Parts of the picture, and which place each shows. Without any, the whole "
        "picture shows the camera's place.",
    )
    masks: tuple[Polygon, ...] = Field((), description="Polygons that are never looked at.")
    offline_after: Wait = Field(
        10.0,
        description="How long there may be no picture until it counts as offline. For how long the "
        "hub itself had no processor to look is taken off, half a minute at most.",
    )
    important: bool = Field(
        False,
        description="Gets a larger share of the detector when there is more to look at than time.",
    )
    sleep_after: Annotated[Duration, Field(ge=5)] | None = Field(
        None,
        description="How long nothing must have moved until most of its pictures stay undecoded, "
        "which saves about half of its processor time while it is still. Without it all are "
        "decoded. Important cameras and those at doors to the outside never sleep.",
    )
    decoder: Literal["built_in", "ffmpeg"] = Field(
        "built_in",
        description="What decodes its pictures: `built_in`, or `ffmpeg`, that command in a process "
        "of its own, which may use graphics hardware. Where it does not work, the built-in one "
        "stands in. Such a camera does not sleep.",
    )
    hardware: Literal["auto", "vaapi", "qsv", "none"] = Field(
        "auto",
        description="Of `decoder: ffmpeg`: what it decodes on. `auto` tries VAAPI, then QSV.",
    )
    look_every: Annotated[Duration, Field(ge=1, le=3600)] | Literal["off"] = Field(
        10.0,
        description="How long nothing may have moved until the detector looks at the whole picture "
        "all the same, for who stands still or was missed; `off` means never.",
    )


class DetectorBlock(HostedBlock):
    """A detector that cameras share."""

    budget: Annotated[Duration, Field(ge=0.02, le=64)] | None = Field(
        None,
        description="How long it may work in every second, on all its threads together; 500ms is "
        "half a processor core. What is beyond that is looked at less often, evenly. Without it "
        "there is no limit.",
    )


class ControllerBlock(HostedBlock):
    """An access controller."""


class NotifierBlock(HostedBlock):
    """A channel that reaches people."""

    timeout: Wait = Field(
        10.0,
        description="How long the channel has to take a notice before that counts as failed.",
    )
    fallback: Slug | None = Field(
        None,
        description="Another notifier: what this one does not take goes there, where the person "
        "has no next channel.",
    )
    outside: bool = Field(
        False,
        description="Whether it reaches people beyond the school: dispatch, parents, the public. "
        "No drill ever goes out there.",
    )


class VisitorBlock(HostedBlock):
    """A visitor system or desk."""

    place: Slug | None = Field(None, description="Where the desk is.")


class Config(Block):
    """The whole file."""

    hub: HubSettings = Field(HubSettings(), description="What concerns the hub as a whole.")
    places: dict[Slug, Place] = Field(
        default_factory=dict,
        description="Parts of the campus, by name. A place is part of another, so that a rule "
        "about the science wing holds in each of its laboratories.",
    )
    cameras: dict[Slug, CameraBlock] = Field(
        default_factory=dict,
        description="What the hub looks at. The driver's own keys stand in the same block; see "
        "[drivers](#drivers).",
    )
    detectors: dict[Slug, DetectorBlock] = Field(
        default_factory=dict, description="What looks at pictures; cameras share them."
    )
    access_control: dict[Slug, ControllerBlock] = Field(
        default_factory=dict, description="Controllers that move doors."
    )
    doors: dict[Slug, DoorBlock] = Field(
        default_factory=dict,
        description="Leaving is never the hub's to stop: no verb affects it.",
    )
    notifiers: dict[Slug, NotifierBlock] = Field(
        default_factory=dict, description="Channels that reach people."
    )
    visitors: dict[Slug, VisitorBlock] = Field(
        default_factory=dict, description="Front desks and visitor systems."
    )
    inbound: dict[Slug, InboundBlock] = Field(
        default_factory=dict,
        description="Other systems that report to the hub; see [the guide](../guide/inbound.md).",
    )
    people: dict[Slug, Person] = Field(default_factory=dict, description="Who can be told.")
    roles: dict[Slug, RoleBlock] = Field(
        default_factory=dict,
        description="What people may do. The built-in roles need no entry.",
    )
    schedules: dict[Slug, Schedule] = Field(
        default_factory=dict, description="When things are in force."
    )
    rotations: dict[Slug, Rotation] = Field(
        default_factory=dict, description="Who is on call, in turn."
    )
    ladders: dict[Slug, Ladder] = Field(
        default_factory=dict,
        description="What follows, step by step, while nobody takes an alert on: whom to tell, "
        "through what, how long to wait. [The guide](../guide/alerts.md) tells how an alert lives.",
    )
    rules: dict[Slug, Rule] = Field(
        default_factory=dict,
        description="When an event of the type `when` happens and every line of `if` holds, an "
        "alert is raised: people are told at once. What stands under `verified` waits until a "
        "person has looked and confirmed.",
    )
    protocols: dict[ProtocolName, Protocol] = Field(
        default_factory=dict,
        description="What each action of the Standard Response Protocol does at this school: "
        "`hold`, `secure`, `lockdown`, `evacuate`, `shelter`. Standard Response Protocol is a "
        'trademark of The "I Love U Guys" Foundation.',
    )
    inputs: dict[Slug, InputBlock] = Field(
        default_factory=dict,
        description="Panic buttons, contacts and panels that report over the site's MQTT broker; "
        "see [protocols](../guide/protocols.md#buttons).",
    )
    incidents: dict[IncidentKind, IncidentBlock] = Field(
        default_factory=dict,
        description="What is to be done in incidents of each kind; see "
        "[incidents](../guide/incidents.md).",
    )

    def beyond(self, notifier: str) -> bool:
        """Whether a notifier reaches people beyond the school."""
        block = self.notifiers.get(notifier)
        return notifier in self.hub.emergency.hand_off or (block is not None and block.outside)

    def drivers(self, kind: Kind) -> dict[str, DriverBlock]:
        """The driver blocks of a kind, by id."""
        blocks: dict[Kind, dict[str, Any]] = {
            "cameras": self.cameras,
            "detectors": self.detectors,
            "access_control": self.access_control,
            "notifiers": self.notifiers,
            "visitors": self.visitors,
        }
        return blocks[kind]
