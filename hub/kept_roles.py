"""The roles of the configuration that ran last, for commands beside the hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from hub.errors import VestibuleError
from hub.kept import KeptConfigs
from hub.role_settings import RoleBlock
from hub.yamlfile import read_yaml


def roles_that_ran(configs: Path) -> Mapping[str, RoleBlock]:
    """The `roles:` of what ran last, of the kept configurations in this folder; none where nothing
    ran, or what is kept cannot be read.
    """
    for kept in KeptConfigs(configs).every()[:1]:
        try:
            values = read_yaml(kept.main, Path(kept.source).parent).values
        except (OSError, VestibuleError):
            return {}
        roles = values.get("roles") if isinstance(values, dict) else None
        return _blocks(roles) if isinstance(roles, dict) else {}
    return {}


def _blocks(roles: Mapping[object, object]) -> dict[str, RoleBlock]:
    found: dict[str, RoleBlock] = {}
    for name, raw in roles.items():
        try:
            found[str(name)] = RoleBlock.model_validate(raw)
        except ValidationError:
            continue
    return found
