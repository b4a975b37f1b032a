"""The configuration as JSON Schema (draft 2020-12), for editors that complete and explain keys.

The schema is made from the models that read the file, those of every driver included.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Literal, get_args, get_origin
from zoneinfo import available_timezones

from pydantic import BaseModel, TypeAdapter
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from hub.config import Config
from hub.events import EVENT_TYPES
from hub.identity.permissions import PERMISSIONS, ROLES
from hub.kinds import KINDS, Driver, Kind
from hub.kinds.access_control import VERB_MEANINGS
from hub.plugins import BLOCKS, Registry
from hub.schematags import DATE_PATTERN, TIME_PATTERN, Schema, expected, with_room_for_tags
from hub.typewords import SLUG_PATTERN
from hub.units import DURATION_PATTERN, SIZE_PATTERN, duration_words, size_words

DIALECT = "https://json-schema.org/draft/2020-12/schema"
IDENTITY = "urn:vestibule:configuration"
PAGE = "docs/reference/config.md"
NOTHING = {"not": {"type": ["object", "array", "string", "number", "boolean"]}}  # never offered


def schema(registry: Registry) -> Schema:
    """The whole file's schema, with every driver of the registry."""
    book = _Book(registry)
    properties = {name: book.section(name) for name in Config.model_fields}
    whole = {
        "$schema": DIALECT,
        "$id": IDENTITY,
        "title": "Vestibule",
        "description": f"The configuration of a Vestibule hub; see {PAGE}.",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": book.parts,
    }
    return {**with_room_for_tags({**whole, "type": None}), "type": "object"}


class _Book:
    """The parts that the sections of the schema refer to."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.parts: dict[str, Schema] = {}

    def section(self, name: str) -> Schema:
        """One section: what its names stand for."""
        field = Config.model_fields[name]
        said = _described(f"{field.description or ''} See {PAGE}#{name}.")
        arguments = get_args(field.annotation)
        if get_origin(field.annotation) is not dict:
            made = self._model(field.annotation, name)
            if "timezone" in made.get("properties", {}):
                made["properties"]["timezone"]["examples"] = sorted(available_timezones())
            return _or_nothing({**made, **said})
        names, block = arguments
        self.parts[name] = {"title": name, **_or_nothing(self._blocks(name, block))}
        inside: Schema = {"$ref": f"#/$defs/{name}"}
        section: Schema = {"type": ["object", "null"], **said}
        if get_origin(names) is Literal:
            each = {str(one): inside for one in get_args(names)}
            return {**section, "properties": each, "additionalProperties": False}
        chosen = {
            "type": "string",
            "pattern": f"^<<$|{SLUG_PATTERN}",  # a merge of an included file is no name
            "patternErrorMessage": expected(SLUG_PATTERN),
        }
        return {**section, "propertyNames": chosen, "additionalProperties": inside}

    def _blocks(self, section: str, block: type[BaseModel]) -> Schema:
        kind = next((kind for kind in KINDS if kind == section), None)
        if kind is not None and BLOCKS[kind] is block:
            return self._driver_blocks(kind)
        made = self._model(block, section)
        properties = made.get("properties", {})
        if section == "doors":
            properties["device"] = self._devices(properties["device"])
        if section == "rules":
            labels, types = self._labels(), _one_of(EVENT_TYPES, beyond=r"^plugin\..+")
            inside = [self.parts[f"rules.{part}"]["properties"] for part in ("Step", "Unless")]
            named = [properties["until"], *(each["when"] for each in (properties, *inside))]
            for each in (branch for key in named for branch in key["anyOf"]):
                each.get("items", each).update(types)
                if "items" in each:  # a misspelt type with its dot must not pass for a file
                    each["doNotSuggest"] = True
            for each in self.parts["rules.Condition"]["properties"]["label"]["anyOf"]:
                each.get("items", each)["examples"] = labels
        if section == "roles":
            for key in ("may", "break_glass"):
                properties[key]["items"] = _one_of(PERMISSIONS)
        if section == "people":
            properties["role"]["examples"] = list(ROLES)
        return made

    def _driver_blocks(self, kind: Kind) -> Schema:
        """The hub's keys, and by `driver:` those of the driver beside them."""
        common = self._model(BLOCKS[kind], kind)
        common["properties"].pop("settings", None)
        drivers = dict(sorted(self._registry.drivers(kind).items()))
        summaries = {name: f"{driver.summary}." for name, driver in drivers.items()}
        common["properties"]["driver"] |= _one_of(summaries)
        common.pop("additionalProperties", None)
        branches = []
        for name, driver in drivers.items():
            self.parts[f"{kind}.{name}"] = self._driver(kind, driver, common)
            told = {
                "type": "object",
                "properties": {"driver": {"const": name}},
                "required": ["driver"],
            }
            branches.append({"if": told, "then": {"$ref": f"#/$defs/{kind}.{name}"}})
        return {**common, "allOf": branches} if branches else common

    def _driver(self, kind: Kind, driver: Driver, common: Schema) -> Schema:
        own = self._model(driver.config, f"{kind}.{driver.name}")
        required = [*common.get("required", ()), *own.get("required", ())]
        closed: Schema = {
            key: own[key] for key in ("additionalProperties", "allOf", "oneOf") if key in own
        }
        return {
            "type": "object",
            "title": f"{kind}: {driver.name}",
            "description": f"{driver.summary}.",
            "properties": {**deepcopy(common["properties"]), **own.get("properties", {})},
            "required": list(dict.fromkeys(required)),
            **closed,
        }

    def _devices(self, found: Schema) -> Schema:
        """What a door may say under `device:`.

        The schema cannot know which controller the door has: a key that only one driver's devices
        have tells which driver it is, and the rest must fit that one.
        """
        devices: dict[str, Schema] = {}
        for name, driver in sorted(self._registry.drivers("access_control").items()):
            if driver.device is not None:
                part = f"access_control.{name}.device"
                made = self._model(driver.device, part)
                devices[name] = self.parts[part] = {**made, "title": f"device of {name}"}
        keys: dict[str, list[Schema]] = {}
        for device in devices.values():
            for key, value in device.get("properties", {}).items():
                keys.setdefault(key, []).append(value)
        branches = []
        for name, device in devices.items():
            own = [key for key in device.get("properties", {}) if len(keys[key]) == 1]
            one_of_them = [{"required": [key]} for key in own]
            told = {"type": "object", "anyOf": one_of_them} if own else False
            branches.append({"if": told, "then": {"$ref": f"#/$defs/access_control.{name}.device"}})
        return {
            **found,
            "type": ["object", "null"],
            "properties": {key: _any_of(each) for key, each in keys.items()},
            "additionalProperties": False,
            "allOf": branches,
        }

    def _labels(self) -> list[str]:
        """The labels that the detectors at hand can look for, where their models say so."""
        found: dict[str, None] = {}
        for name, driver in self._registry.drivers("detectors").items():
            labels = self._model(driver.config, f"detectors.{name}").get("properties", {})
            items = labels.get("labels", {}).get("items", {})
            found |= dict.fromkeys(items.get("examples", items.get("enum", ())))
        return list(found)

    def _model(self, model: Any, name: str) -> Schema:
        """A model's schema; models inside it become parts. An odd one allows everything."""
        template = f"#/$defs/{name}.{{model}}"
        try:
            made = TypeAdapter(model).json_schema(
                by_alias=True, ref_template=template, schema_generator=_Generator
            )
        except PydanticUserError:  # a type of a vendor's own that JSON Schema cannot describe
            return {"type": "object"}
        for inner, part in made.pop("$defs", {}).items():
            part.pop("description", None)  # the key that leads here says more
            self.parts[f"{name}.{inner}"] = part
        return made


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, in the words and forms of the file."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def time_schema(self, schema: core_schema.TimeSchema) -> JsonSchemaValue:
        return {"type": "string", "pattern": TIME_PATTERN}

    def date_schema(self, schema: core_schema.DateSchema) -> JsonSchemaValue:
        return {"type": "string", "pattern": DATE_PATTERN}

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        values = schema["expected"]
        if set(values) == set(VERB_MEANINGS):
            return _one_of(VERB_MEANINGS)
        return {"enum": list(values)}

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        return {"anyOf": [inner, NOTHING]}

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        default = made.pop("default", None)
        if default is not None and default not in ("", [], {}) and not _nested(default):
            made["default"] = _as_written(made.get("pattern"), default)
        return made

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        made.pop("title", None)
        properties = made.get("properties", {})
        for each in properties.values():
            if "description" in each:
                each |= _described(each["description"])
        for old, new in getattr(schema["cls"], "renamed", {}).items():
            if new in properties:
                words = f"`{old}` is called `{new}` now."
                properties[old] = {**properties[new], **_described(words), "deprecated": True,
                                   "deprecationMessage": words, "doNotSuggest": True}  # fmt: skip
                if new in made.get("required", ()):
                    made["required"].remove(new)
                    either = {"anyOf": [{"required": [new]}, {"required": [old]}]}
                    made.setdefault("allOf", []).append(either)
        return made


def _one_of(meanings: Mapping[Any, str], beyond: str = "") -> Schema:
    """One of some words, each with its meaning; or what fits the pattern `beyond`."""
    words = {"enum": list(meanings), "enumDescriptions": list(meanings.values())}
    if not beyond:
        return words
    return {"anyOf": [words, {"type": "string", "pattern": beyond, "doNotSuggest": True}]}


def _any_of(choices: list[Schema]) -> Schema:
    """One key that several models have."""
    if len(choices) == 1:
        return choices[0]
    said = dict.fromkeys(each["description"] for each in choices if "description" in each)
    return {"anyOf": choices, **_described(" Or: ".join(said))}


def _or_nothing(block: Schema) -> Schema:
    """A block with nothing behind its name has the defaults, unless a key is needed."""
    return block if block.get("required") else {**block, "type": ["object", "null"]}


def _nested(default: Any) -> bool:
    return isinstance(default, dict) or (
        isinstance(default, list) and any(isinstance(each, dict) for each in default)
    )


def _as_written(pattern: str | None, default: Any) -> Any:
    """A default as people write it."""
    if pattern == DURATION_PATTERN and isinstance(default, int | float):
        return duration_words(default)
    if pattern == SIZE_PATTERN:
        return size_words(default)
    if pattern == TIME_PATTERN:
        return str(default)[:5]
    return int(default) if isinstance(default, float) and default.is_integer() else default


def _described(text: str) -> Schema:
    """A description, and the same for editors that show Markdown: they escape the other's marks."""
    plain = _plain(text)
    return {"description": plain, "markdownDescription": plain}


def _plain(text: str) -> str:
    """A description without Markdown links: where they lead stands behind them."""

    def told(link: re.Match[str]) -> str:
        words, target = link.groups()
        if words == target:
            return f"docs/reference/{target}"
        return f"{words}: {PAGE}{target}" if target.startswith("#") else words

    return re.sub(r"\[([^\]]+)\]\(([^)]+)\)", told, text).strip()
