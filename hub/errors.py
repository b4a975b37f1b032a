"""What can go wrong, drawn as a tree.

VestibuleError
├── BadConfig        the YAML file or a driver's block is wrong; carries every Problem found
├── CannotCheck      the YAML file is missing or unreadable, so nothing is known about it
├── PluginError      a plugin could not be imported, or announced something invalid
├── NotReady         a device or service is not there yet; the hub tries again with back-off
├── CommandFailed    a door or notifier answered that it could not
├── ModelError       a model file cannot be used, found or fetched
├── StateError       the state folder is in use, unwritable or damaged
└── Refused          a safety rule or a missing permission forbids the act
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hub.phrases import phrase


class VestibuleError(Exception):
    """Base of every error the hub raises on purpose; its text is fit to show to a user."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration, and where.

    `line` and `column` are 1-based; `path` is the dotted key path with list items as `zones[2]`;
    `message` says what is wrong and what was expected, `hint` what to do, `doc` where it is
    documented.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""
    doc: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}: "
        path = f"{self.path}: " if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}{path}{self.message}{hint}"

    def as_dict(self) -> dict[str, object]:
        """The problem as the JSON object `vestibule check --format json` prints."""
        return asdict(self)


class BadConfig(VestibuleError):
    """The configuration is invalid; `problems` holds all of it, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class CannotCheck(VestibuleError):
    """The configuration file is missing or cannot be read; nothing can be said about it."""


class PluginError(VestibuleError):
    """A plugin is broken or invalid; the text names the plugin and its file."""


class NotReady(VestibuleError):
    """Something outside is not there yet; whoever raised this may be started again.

    `after` is in how many seconds another try makes sense, where the other side said so.
    """

    def __init__(self, *words: object, after: float | None = None) -> None:
        self.after = after
        super().__init__(*words)


class CommandFailed(VestibuleError):
    """A device answered and said no, or is known to be unable."""


class ModelError(VestibuleError):
    """A detector's model file is missing, damaged or of a family the hub does not read."""


class StateError(VestibuleError):
    """The state folder cannot be used: held by another hub, not writable, or damaged."""


class Refused(VestibuleError):
    """The hub will not do this: a safety rule forbids it, or the person may not.

    With `values`, what is said is a form with `%(name)s` for each of them, as `hub.phrases` has it.
    """

    def __init__(self, said: str, /, **values: Any) -> None:
        super().__init__(phrase(said, **values) if values else said)
