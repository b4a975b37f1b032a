"""Vestibule: a safety hub for schools. This module is all that a plugin imports."""

import os

from hub.clock import Clock, SystemClock, from_iso, iso
from hub.errors import (
    BadConfig,
    CommandFailed,
    ModelError,
    NotReady,
    PluginError,
    Problem,
    Refused,
    StateError,
    VestibuleError,
)
from hub.events import EVENT_TYPES, Event, new_id
from hub.hookspecs import hookimpl
from hub.kinds import (
    API_VERSIONS,
    KINDS,
    Block,
    BrokerAddress,
    Context,
    Driver,
    Kind,
    Probed,
    Subscription,
)
from hub.kinds.access_control import (
    LOCK_VERBS,
    VERBS,
    Access,
    AccessController,
    AccessReport,
    Capabilities,
    DoorReport,
    Lock,
    Position,
    Verb,
)
from hub.kinds.cameras import Camera, Purpose, VideoSource
from hub.kinds.detectors import Crop, Detection, Detector, DetectorInfo
from hub.kinds.notifiers import (
    SEVERITIES,
    Ack,
    Channel,
    Notice,
    Notifier,
    Receipt,
    Recipient,
    Severity,
)
from hub.kinds.visitors import Screening, Visit, VisitorSystem, WalkIn
from hub.models import ModelStore
from hub.names import Names
from hub.phrases import phrase
from hub.units import Duration, PictureSize, duration_words, size_words

__version__ = "0.1.0"

# ONNX Runtime tells its maker how it is used, and keeps a number of this machine, unless this
# stands in the environment when it starts. Every process, of plugins too, comes by here first.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__all__ = [
    "API_VERSIONS", "EVENT_TYPES", "KINDS", "LOCK_VERBS", "SEVERITIES", "VERBS", "Access",
    "AccessController", "AccessReport", "Ack", "BadConfig", "Block", "BrokerAddress", "Camera",
    "Capabilities", "Channel", "Clock", "CommandFailed", "Context", "Crop", "Detection", "Detector",
    "DetectorInfo", "DoorReport", "Driver", "Duration", "Event", "Kind", "Lock", "ModelError",
    "ModelStore", "Names", "NotReady", "Notice", "Notifier", "PictureSize", "PluginError",
    "Position", "Probed", "Problem", "Purpose", "Receipt", "Recipient", "Refused", "Screening",
    "Severity", "StateError", "Subscription", "SystemClock", "Verb", "VestibuleError",
    "VideoSource", "Visit", "VisitorSystem", "WalkIn", "duration_words", "from_iso", "hookimpl",
    "iso", "new_id", "phrase", "size_words",
]  # fmt: skip
