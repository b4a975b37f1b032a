"""What one examination has to go by: the command line, the file as it was read, and the plugins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hub.check import examine
from hub.clock import Clock
from hub.config import Config
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
