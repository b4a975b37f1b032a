"""The configuration, as frozen models: what one YAML file may say, key by key.

`hub.yamlfile` turns text into plain values with positions, `hub.check` turns those into a `Config`
or into every problem at once. Nothing here reads a file or knows a driver.
"""

from __future__ import annotations

from datetime import date, time
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SkipValidation, StringConstraints, field_validator, model_validator

from hub.kinds import Block, Kind
from hub.kinds.access_control import Verb
from hub.kinds.notifiers import Severity

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Point = tuple[Fraction, Fraction]
Polygon = Annotated[tuple[Point, ...], Field(min_length=3)]
Seconds = Annotated[float, Field(gt=0)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PlaceKind = Literal["site", "building", "floor", "area", "room", "outdoor"]
ProtocolName = Literal["hold", "secure", "lockdown", "evacuate", "shelter"]


class Broker(Block):
    """The site's MQTT broker; without one the hub runs its own on the loopback address."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    username: str | None = None
    password: Annotated[str | None, Field(repr=False)] = None


class HubSettings(Block):
    """What concerns the hub as a whole."""

    name: str = "Vestibule"
    timezone: str = "UTC"
    mqtt: Broker | None = None
    plugins_dir: Path = Path("my_plugins")

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

    name: str
    kind: PlaceKind
    parent: Annotated[Slug | None, Field(alias="in")] = None
    private: bool = False


class Zone(Block):
    """A polygon in a camera's picture, corners as fractions of its width and height."""

    place: Slug
    polygon: Polygon
    name: str = ""


class DriverBlock(Block):
    """What every driver's block has; the remaining keys are the driver's own, in `settings`."""

    driver: str
    enabled: bool = True
    name: str = ""
    settings: SkipValidation[Any] = None


class CameraBlock(DriverBlock):
    """A camera and what it looks at."""

    place: Slug
    detector: Slug | None = None
    fps: Annotated[float, Field(gt=0, le=60)] = 5.0
    zones: tuple[Zone, ...] = ()
    masks: tuple[Polygon, ...] = ()
    offline_after: Seconds = 10.0
    important: bool = False


class DetectorBlock(DriverBlock):
    """A detector that cameras share."""


class ControllerBlock(DriverBlock):
    """An access controller."""


class NotifierBlock(DriverBlock):
    """A channel that reaches people."""

    timeout: Seconds = 10.0


class VisitorBlock(DriverBlock):
    """A visitor system or desk."""

    place: Slug | None = None


class DoorBlock(Block):
    """A door: which controller moves it, what it closes off and that people can always leave."""

    name: str
    controller: Slug
    place: Slug
    leads_to: Slug | None = None
    exterior: bool = False
    egress: Literal["free"] | None = None
    deadline: Seconds = 8.0
    held_after: Seconds = 30.0
    device: SkipValidation[Any] = None


class Person(Block):
    """Somebody who can be told; `contact` maps a notifier to their address on it."""

    name: str
    role: Slug
    contact: dict[Slug, str] = Field(default_factory=dict)


class RoleBlock(Block):
    """What holders of a role may do (see docs/reference/roles.md)."""

    name: str = ""
    may: tuple[str, ...] = ()


class Weekly(Block):
    """Hours on some days of the week; `to` may be 24:00, or before `from` to pass midnight."""

    days: tuple[Day, ...] = DAYS
    start: Annotated[time, Field(alias="from")] = time(0, 0)
    end: Annotated[time | Literal["24:00"], Field(alias="to")] = "24:00"


class DateRange(Block):
    """Dates, both included."""

    start: Annotated[date, Field(alias="from")]
    end: Annotated[date, Field(alias="to")]
    reason: str = ""

    @model_validator(mode="after")
    def in_order(self) -> DateRange:
        """The first day is not after the last."""
        if self.end < self.start:
            raise ValueError("expected `to` on or after `from`")
        return self


class Schedule(Block):
    """When something is in force: weekly hours, except on the calendar's closed dates."""

    name: str = ""
    weekly: tuple[Weekly, ...] = (Weekly(),)
    closed: tuple[DateRange, ...] = ()


class DoorAction(Block):
    """Ask for a verb on some doors, named one by one or by the place they close off."""

    verb: Verb
    doors: tuple[Slug, ...] = ()
    place: Slug | None = None

    @model_validator(mode="after")
    def names_doors(self) -> DoorAction:
        """One of the two ways to name doors, not both."""
        if bool(self.doors) == bool(self.place):
            raise ValueError("expected either `doors` or `place`")
        return self


class NoticeAction(Block):
    """Tell people (by id or role) through notifiers; nobody named: whoever the channel reaches."""

    through: Annotated[tuple[Slug, ...], Field(min_length=1)]
    tell: tuple[Slug, ...] = ()
    text: str = ""


class Action(Block):
    """One thing to do: exactly one of `door` and `notify`."""

    door: DoorAction | None = None
    notify: NoticeAction | None = None

    @model_validator(mode="after")
    def one_thing(self) -> Action:
        """Exactly one kind of action."""
        if (self.door is None) == (self.notify is None):
            raise ValueError("expected exactly one of `door` and `notify`")
        return self


class Condition(Block):
    """What an event must match; each key that is given has to hold."""

    place: Slug | None = None
    camera: Slug | None = None
    door: Slug | None = None
    label: tuple[str, ...] = ()
    min_score: Fraction = 0.0
    during: Slug | None = None
    outside: Slug | None = None

    @field_validator("label", mode="before")
    @classmethod
    def one_or_many(cls, value: object) -> object:
        """`label: person` is the same as `label: [person]`."""
        return (value,) if isinstance(value, str) else value


class AlertSpec(Block):
    """The alert a rule raises: how grave, who is told, through what."""

    severity: Severity
    tell: tuple[Slug, ...] = ()
    through: tuple[Slug, ...] = ()
    could_be: str = ""


class Rule(Block):
    """When an event of type `when` matches `if`, raise an alert; once verified, act."""

    name: str
    when: str
    condition: Annotated[Condition, Field(alias="if")] = Condition()
    alert: AlertSpec
    verified: tuple[Action, ...] = ()


class Protocol(Block):
    """A Standard Response Protocol action at this school: which doors, who is told."""

    doors: tuple[DoorAction, ...] = ()
    tell: tuple[Slug, ...] = ()
    through: tuple[Slug, ...] = ()
    location: str = ""
    hazards: dict[str, str] = Field(default_factory=dict)


class Config(Block):
    """The whole file."""

    hub: HubSettings = HubSettings()
    places: dict[Slug, Place] = Field(default_factory=dict)
    cameras: dict[Slug, CameraBlock] = Field(default_factory=dict)
    detectors: dict[Slug, DetectorBlock] = Field(default_factory=dict)
    access_control: dict[Slug, ControllerBlock] = Field(default_factory=dict)
    doors: dict[Slug, DoorBlock] = Field(default_factory=dict)
    notifiers: dict[Slug, NotifierBlock] = Field(default_factory=dict)
    visitors: dict[Slug, VisitorBlock] = Field(default_factory=dict)
    people: dict[Slug, Person] = Field(default_factory=dict)
    roles: dict[Slug, RoleBlock] = Field(default_factory=dict)
    schedules: dict[Slug, Schedule] = Field(default_factory=dict)
    rules: dict[Slug, Rule] = Field(default_factory=dict)
    protocols: dict[ProtocolName, Protocol] = Field(default_factory=dict)

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
