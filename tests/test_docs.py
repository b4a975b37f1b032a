"""Documents are held to the code."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from hub import (
    EVENT_TYPES,
    KINDS,
    AccessController,
    Camera,
    Context,
    Detector,
    Notifier,
    VisitorSystem,
)

ROOT = Path(__file__).resolve().parent.parent
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_every_event_type_is_documented() -> None:
    """Whoever writes a rule finds every kind of event, with its one sentence."""
    text = (ROOT / "docs/reference/config.md").read_text(encoding="utf-8")
    for name, meaning in EVENT_TYPES.items():
        assert f"`{name}`" in text, name
        assert meaning in text, name


def test_every_command_and_option_is_documented() -> None:
    """docs/reference/cli.md names each verb and each of its options."""
    import typer.main

    from hub.cli import app

    text = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
    root = typer.main.get_command(app)
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        assert f"vestibule {name}" in text, name
        for leaf in getattr(command, "commands", {"": command}).values():
            if leaf.name != name:
                assert leaf.name in text
            for parameter in leaf.params:
                for option in parameter.opts:
                    if option.startswith("--") and option != "--help":
                        assert option in text, f"{name} {option}"


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    """No page points at a file that is not there."""
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_readme_commands_exist() -> None:
    """Every make target and every vestibule verb that README shows is real."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    help_ = subprocess.run(
        [sys.executable, "-m", "hub", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for verb in set(re.findall(r"\bvestibule ([a-z]+)", text)):
        assert re.search(rf"\b{verb}\b", help_), verb


def test_the_glossary_knows_the_kinds_and_the_seven_words() -> None:
    """The words that carry the main path are defined."""
    text = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    for word in ("plugin", "driver", "frame", "event", "rule", "action", "incident"):
        assert f"**{word}**" in text
    for kind in KINDS:
        assert kind in text


def test_the_project_speaks_of_itself_alone() -> None:
    """No path of a machine it was written on, and no package registry's host, is in it."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\n")  # fmt: skip
    hosts = re.compile(
        r"pypi\.org|pythonhosted|registry\.npmjs|deb\.debian\.org|/work/(main|shared)"
    )
    for name in listed:
        path = ROOT / name
        if not name or path == Path(__file__) or not path.is_file():
            continue
        if path.suffix in (".py", ".md", ".sh", ".toml", ".yaml", ".lock", ".html", ".css", ".js"):
            found = hosts.search(path.read_text(encoding="utf-8"))
            assert not found, f"{name}: {found[0] if found else ''}"


def test_the_table_of_contracts_has_every_method() -> None:
    """What an instance must have stands in docs/reference/plugins.md, contract by contract."""
    page = (ROOT / "docs/reference/plugins.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `hub\.(\w+)` \| (.*)", page, re.MULTILINE))
    for contract in (Camera, Detector, AccessController, Notifier, VisitorSystem):
        told = rows[contract.__name__]
        for name in (each for each in vars(contract) if not each.startswith("_")):
            assert re.search(rf"`{name}\b", told), f"{contract.__name__}.{name}"
    for field in fields(Context):
        assert f"`{field.name}`" in page, field.name
