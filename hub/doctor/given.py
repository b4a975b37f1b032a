"""What one examination has to go by: the command line, the file as it was read, and the plugins."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.check import examine, plugins_folder
from hub.clock import Clock
from hub.config import Config
from hub.doctor.apart import in_process
from hub.document import Document
from hub.errors import PluginError, Problem
from hub.hidden import secret_values
from hub.plugins import Registry
from hub.secrets import Secrets
from hub.storage.folder import StateFolder
from hub.yamlfile import read_yaml


@dataclass(frozen=True)
class Asked:
    """What the command line said; `limit` is a probe's deadline in seconds, `ntp` a host or ""."""

    config: Path
    state: Path
    listen: str | None = None
    port: int | None = None
    limit: float = 10.0
    ntp: str = ""
    json: bool = False


@dataclass(frozen=True)
class Given:
    """The file as it was read. `config` is None where it is invalid: `problems` then says why.

    `clash` says that two plugins offer one driver, so that there is no registry. `secrets` cleans
    texts of what is secret in the file, `hidden` are those values.
    """

    asked: Asked
    clock: Clock
    document: Document
    config: Config | None
    problems: tuple[Problem, ...]
    registry: Registry | None
    clash: str
    secrets: Secrets
    hidden: frozenset[str]

    @property
    def folder(self) -> StateFolder:
        """The state folder, which need not exist."""
        return StateFolder(self.asked.state)

    @property
    def config_folder(self) -> Path:
        """Where the file lies, for relative paths."""
        return self.asked.config.resolve().parent

    def detector(self, key: str) -> dict[str, str | dict[str, Any]]:
        """A detector of the configuration as a trial builds it; `motion` where it names none."""
        block = self.config.detectors.get(key) if self.config is not None else None
        settings = block.settings if block is not None else None
        folder = plugins_folder(self.config_folder, self.document.values)
        return {
            "id": key,
            "driver": block.driver if block is not None else "motion",
            "settings": settings.model_dump(mode="json", by_alias=True) if settings else {},
            "state": str(self.folder.path.absolute()),
            "config_folder": str(self.config_folder),
            "plugins_dir": str(folder) if folder.is_dir() else "",
        }

    async def tried(self, trial: str, question: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a trial answers in a process of its own; what ends that is an error like any."""
        try:
            said: Mapping[str, Any] = await in_process(
                trial, question, self.secrets.environment(os.environ)
            )
        except RuntimeError as error:
            return {"error": str(error)}
        return said


def read(asked: Asked, clock: Clock) -> Given:
    """Read the configuration and load its plugins. Raises `CannotCheck`."""
    secrets = Secrets()
    try:
        found = examine(asked.config, secrets=secrets)
    except PluginError as error:
        document = read_yaml(asked.config)
        hidden = secret_values(document, Registry({}, ()))
        secrets.add(hidden)
        return Given(asked, clock, document, None, (), None, str(error), secrets, hidden)
    hidden = secret_values(found.document, found.registry)
    problems = tuple(found.problems)
    return Given(
        asked, clock, found.document, found.config, problems, found.registry, "", secrets, hidden
    )
