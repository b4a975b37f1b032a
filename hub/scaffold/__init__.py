"""What `vestibule new-plugin` starts from: a working driver of each kind and its tests.

The modules here are drivers like any other, under the name `sample`; what is written for somebody
is their text under another name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

from hub.kinds import Kind

PLACE = "lobby"
DETECTOR = "people"


def plugin_files(kind: Kind, name: str) -> Mapping[str, str]:
    """A plugin of one file and its tests: file name to text."""
    return {
        f"{name}.py": _text(f"{kind}.py", name),
        f"test_{name}.py": _tests(kind, name, name),
    }


def package_files(kind: Kind, name: str) -> Mapping[str, str]:
    """A package with the same plugin and tests: path inside the package's folder to text."""
    module = f"vestibule_{name}"
    readme = _text("package/README.md", name).replace("CONFIGURATION\n", block(kind, name))
    return {
        "pyproject.toml": _text("package/pyproject.toml", name),
        "README.md": readme,
        f"src/{module}/__init__.py": _text(f"{kind}.py", name),
        f"tests/test_{name}.py": _tests(kind, name, module),
    }


def package_name(name: str) -> str:
    """What the package with a driver is called."""
    return f"vestibule-{name.replace('_', '-')}"


def block(kind: Kind, name: str, place: str = PLACE, detector: str = DETECTOR) -> str:
    """The YAML that uses the driver, each section under its key."""
    text = _text(f"{kind}.yaml", name)
    return text.replace("PLACE", place).replace("DETECTOR", detector)


def sections(block: str) -> Mapping[str, str]:
    """The sections of such a block: key to the indented lines below it."""
    return dict(re.findall(r"^(\w+):\n((?:  .*\n)+)", block, re.MULTILINE))


def _tests(kind: Kind, name: str, module: str) -> str:
    # The module first: its name may hold the word that the name replaces.
    text = (files(__name__) / f"test_{kind}.py").read_text(encoding="utf-8")
    before, found, after = text.partition(f"hub.scaffold.{kind}")
    return _named(before, name) + (module if found else "") + _named(after, name)


def _text(template: str, name: str) -> str:
    return _named((files(__name__) / template).read_text(encoding="utf-8"), name)


def _named(text: str, name: str) -> str:
    words = "".join(part.capitalize() for part in name.split("_"))
    forms = {"vestibule-sample": package_name(name), "Sample": words, "sample": name}
    return re.sub("vestibule-sample|[Ss]ample", lambda found: forms[found[0]], text)
