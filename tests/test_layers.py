"""Which room may import which, as docs/design/architecture.md draws it."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOUNDATION = {"clock", "errors", "events", "kinds", "hookspecs", "secrets", "units"}
FOUNDATION |= {"origin", "phrases"}
DESCRIPTION = FOUNDATION | {"config", "rule_settings", "role_settings", "conditions", "expression"}
DESCRIPTION |= {"expression_values", "polygons"}
DESCRIPTION |= {"campus", "views", "ports"}
DESCRIPTION |= {"incident_views", "incident_settings", "alert_settings", "heartbeat_settings"}
DESCRIPTION |= {"door_views", "protocol_views", "protocol_settings", "protocol_port"}
DESCRIPTION |= {"rules_port", "config_text_views", "visitors_port"}
DESCRIPTION |= {"audit_port", "camera_views", "past_views", "sign_in_settings", "web_settings"}
DESCRIPTION |= {"break_glass_views", "drill_views"}
MAY_IMPORT = {
    "kinds": FOUNDATION,
    "perception": DESCRIPTION
    | {"perception", "plugins", "models"}
    | {"backoff", "child_process", "plugin_process", "supervisor", "link"}
    | {"plain_settings", "procfs", "silence"},
    "safety": DESCRIPTION | {"safety", "storage", "bus"},
    "storage": DESCRIPTION | {"storage"},
    "inbound": DESCRIPTION | {"inbound"},
    "identity": DESCRIPTION | {"identity", "storage"},
    "web": DESCRIPTION | {"web", "identity"},
}


def modules_imported(file: Path) -> set[str]:
    """Dotted names that a file imports, at any depth."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names.add(node.module or "")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_a_room_imports_only_the_rooms_below_it(room: str) -> None:
    """Work flows one way: no room reaches into one above it."""
    for file in sources(f"hub/{room}"):
        for name in modules_imported(file):
            if name.startswith("hub."):
                reached = name.split(".")[1]
                if (
                    not (ROOT / "hub" / reached).exists()
                    and not (ROOT / "hub" / f"{reached}.py").exists()
                ):
                    continue  # a public name of `hub` itself
                assert reached in MAY_IMPORT[room], f"{file.relative_to(ROOT)} imports {name}"


def test_plugins_import_only_the_public_names_of_hub() -> None:
    """Built-in drivers have no private door: what they need, a vendor gets too."""
    import hub

    for file in sources("plugins"):
        for name in modules_imported(file):
            if name == "hub" or not name.startswith("hub."):
                continue
            assert name.removeprefix("hub.") in hub.__all__, f"{file.relative_to(ROOT)}: {name}"


def test_the_kernel_never_imports_plugins() -> None:
    """Built-in drivers come by the same path as any other: discovery, never an import."""
    for file in sources("hub"):
        for name in modules_imported(file):
            assert name.split(".")[0] != "plugins", f"{file.relative_to(ROOT)} imports {name}"


def test_no_import_leads_back_to_where_it_began() -> None:
    """Modules need each other in one direction, also within a function or for a type alone."""
    files = {_name(file): file for file in [*sources("hub"), *sources("plugins")]}
    needs = {name: modules_imported(file) & files.keys() - {name} for name, file in files.items()}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        pytest.fail(" is needed by ".join(error.args[1]))


def _name(file: Path) -> str:
    """The name that a module is imported by."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_importing_hub_stays_light() -> None:
    """A plugin author's import loads no video, inference, database or web library."""
    heavy = {"av", "numba", "onnxruntime", "sqlalchemy", "aiohttp", "PIL", "amqtt", "aiomqtt"}
    code = "import sys, hub; print(*sorted(m for m in sys.modules if '.' not in m))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not heavy & set(done.stdout.split())


def test_every_public_name_is_there_once() -> None:
    """`__all__` promises only what `hub` really offers."""
    import hub

    assert len(set(hub.__all__)) == len(hub.__all__)
    assert all(hasattr(hub, name) for name in hub.__all__)
