"""Whether what stands under a person's `contact:` can be an address on that channel.

A channel says with `otherwise` which key of its block names whom it reaches where people have no
contact of their own; a contact has the form of what stands there. One that has not would be found
out when somebody has to be told.
"""

from __future__ import annotations

import typing
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, create_model
from pydantic.fields import FieldInfo

from hub.config import Config
from hub.document import KeyPath
from hub.kinds import Driver
from hub.kinds.notifiers import Channel
from hub.plainwords import Finding, findings
from hub.plugins import Registry


def contact_findings(
    config: Config, registry: Registry, hidden: Collection[KeyPath]
) -> Iterator[Finding]:
    """Every contact that its channel cannot use; what stands at a `hidden` path is not shown."""
    drivers = registry.drivers("notifiers")
    for person, block in config.people.items():
        for name, contact in block.contact.items():
            notifier = config.notifiers.get(name)
            driver = drivers.get(notifier.driver) if notifier is not None else None
            if driver is not None:
                path = ("people", person, "contact", name)
                yield from _unlike(driver, contact, path, path in hidden)


def _unlike(driver: Driver, contact: str, path: KeyPath, hidden: bool) -> Iterator[Finding]:
    model = _one_contact(driver)
    if model is not None:
        (key,) = model.model_fields
        for finding in findings(model, {key: contact}, hidden=[(key,)] if hidden else ())[1]:
            yield replace(finding, path=path, at="value")


@lru_cache(maxsize=256)
def _one_contact(driver: Driver) -> type[BaseModel] | None:
    """A model with one key, for a single one of those whom the driver's block can name."""
    channel = getattr(driver.factory, "channel", None)
    key = channel.otherwise if isinstance(channel, Channel) else ""
    field = driver.config.model_fields.get(key)
    if field is None:
        return None
    return create_model("Contact", **_field(key, field))


def _field(key: str, field: FieldInfo) -> Mapping[str, Any]:
    kind, arguments = field.annotation, typing.get_args(field.annotation)
    if typing.get_origin(kind) in (tuple, list, set, frozenset):
        return {key: (arguments[0], ...)}
    one = FieldInfo.merge_field_infos(field, default=...)
    return {key: (kind, one)}
