"""What the hub refuses about an announced driver, each in words that say what was expected."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from types import MappingProxyType

from hub.config import (
    CameraBlock,
    ControllerBlock,
    DetectorBlock,
    DriverBlock,
    NotifierBlock,
    VisitorBlock,
)
from hub.kinds import Block, Driver, Kind

BLOCKS: Mapping[Kind, type[DriverBlock]] = MappingProxyType(
    {
        "cameras": CameraBlock,
        "detectors": DetectorBlock,
        "access_control": ControllerBlock,
        "notifiers": NotifierBlock,
        "visitors": VisitorBlock,
    }
)
SLUG = re.compile(r"[a-z][a-z0-9_]{0,62}")


def fault(kind: Kind, driver: object) -> str:
    """What is wrong with a hook's result, whatever its version; empty when it is sound."""
    if not isinstance(driver, Driver):
        return f"expected a Driver, found {type(driver).__name__}"
    if not isinstance(driver.name, str) or not SLUG.fullmatch(driver.name):
        return (
            "expected a name of lower-case letters, digits and _, starting with a letter, of 63 "
            "characters at most"
        )
    if not isinstance(driver.summary, str):
        return f"expected a summary in words, found {type(driver.summary).__name__}"
    if driver.device is not None and kind != "access_control":
        return "only drivers of access_control have a device model; leave `device` out"
    model = _model_fault("config", driver.config)
    if not model and driver.device is not None:
        model = _model_fault("device", driver.device)
    return model or _factory_fault(driver.factory) or _key_fault(kind, driver.config)


def _factory_fault(factory: object) -> str:
    if not callable(factory):
        return "expected a factory that can be called with (config, context)"
    try:
        signature = inspect.signature(factory)
    except (ValueError, TypeError):  # made in C, or by something odd: it will say so itself
        return ""
    try:
        signature.bind(None, None)
    except TypeError as error:
        name = getattr(factory, "__name__", type(factory).__name__)
        return f"expected a factory that takes (config, context); {name}{signature}: {error}"
    return ""


def _model_fault(what: str, model: object) -> str:
    if not isinstance(model, type) or not issubclass(model, Block):
        return f"expected {what} to be a subclass of hub.Block"
    if model.model_config.get("frozen") is not True:
        return f"expected the {what} model to be frozen, as hub.Block is; take `frozen` out"
    if model.model_config.get("extra") != "forbid":
        return (
            f"expected the {what} model to forbid unknown keys, as hub.Block does; take `extra` out"
        )
    return ""


def hub_keys(kind: Kind) -> frozenset[str]:
    """The keys of a block of this kind that the hub reads itself; the rest are the driver's."""
    return _keys(BLOCKS[kind]) - {"settings"}


def _keys(model: type[Block]) -> frozenset[str]:
    return frozenset(each.alias or name for name, each in model.model_fields.items())


def _key_fault(kind: Kind, model: type[Block]) -> str:
    taken = _keys(model) & hub_keys(kind)
    if taken:
        return f"the hub keeps the key {min(taken)!r} for itself; call yours something else"
    return ""
