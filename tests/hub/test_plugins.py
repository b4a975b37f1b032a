"""Plugins: all come by one path, and a broken one stops only what uses it."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import hub.plugins
from hub import PluginError
from hub.kinds import KINDS
from hub.plugins import Provider, Registry, hub_keys, load_only, load_registry

GOOD = """
    from hub import Block, Channel, Driver, hookimpl

    class LampConfig(Block):
        colour: str = "amber"

    class Lamp:
        channel = Channel(path="local")
        def __init__(self, config, context):
            self.colour = config.colour

    @hookimpl
    def vestibule_notifiers():
        return [Driver("lamp", Lamp, LampConfig, "Shines in a colour")]
"""


def write(folder: Path, name: str, text: str) -> Path:
    """A file of dedented text; its folder is made."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(textwrap.dedent(text))
    return path


def provider(registry: Registry, name: str) -> Provider:
    """The provider of this name."""
    return next(each for each in registry.providers if each.name == name)


def announcing(what: str, kind: str = "notifiers", above: str = "") -> str:
    """A plugin whose hook for `kind` returns `what`."""
    return (
        "from hub import Block, Driver, hookimpl\n"
        f"{textwrap.dedent(above)}\n"
        "@hookimpl\n"
        f"def vestibule_{kind}():\n"
        f"    return {what}\n"
    )


def test_built_ins_are_found_and_sound() -> None:
    """Every module of a plugins folder is a provider that can be used, underscored ones are not."""
    registry = load_registry()
    built_in = [each for each in registry.providers if each.source == "built-in"]
    assert [(each.name, each.reason) for each in built_in if each.state != "ok"] == []
    assert built_in
    assert not any(each.name.rpartition(".")[2].startswith("_") for each in built_in)
    assert "mqtt" in registry.drivers("access_control")


def test_a_sound_built_in_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second registry holds the same drivers; what was broken is looked at anew each time."""
    before = load_registry().driver("cameras", "rtsp")
    monkeypatch.setattr(hub.plugins, "_sound_ones", {})
    with monkeypatch.context() as broken:
        broken.delattr("plugins.cameras.rtsp.vestibule_cameras")
        assert "rtsp" not in load_registry().drivers("cameras")
    mended = load_registry().driver("cameras", "rtsp")
    assert mended.name == before.name
    assert load_registry().driver("cameras", "rtsp") is mended


def test_a_file_is_loaded_by_path_under_a_private_name(tmp_path: Path) -> None:
    """A file in plugins_dir offers its driver without becoming importable by its own name."""
    write(tmp_path, "lamp.py", GOOD)
    registry = load_registry(tmp_path)
    assert registry.driver("notifiers", "lamp").summary == "Shines in a colour"
    found = provider(registry, "lamp")
    assert (found.source, found.state, found.kinds) == ("file", "ok", ("notifiers",))
    assert found.file == str(tmp_path / "lamp.py")
    assert "lamp" not in sys.modules


def test_a_folder_with_an_init_is_one_plugin(tmp_path: Path) -> None:
    """A package in plugins_dir is loaded as one provider and may import its own modules."""
    write(tmp_path / "lamps", "colours.py", "AMBER = 'amber'\n")
    write(tmp_path / "lamps", "__init__.py", "from .colours import AMBER\n" + textwrap.dedent(GOOD))
    assert "lamp" in load_registry(tmp_path).drivers("notifiers")


def test_tests_and_private_files_are_no_plugins(tmp_path: Path) -> None:
    """Files named test_*, conftest.py or with a leading underscore are left alone."""
    for name in ("test_lamp.py", "_shared.py", "conftest.py"):
        write(tmp_path, name, "raise RuntimeError('imported')\n")
    assert [each for each in load_registry(tmp_path).providers if each.source == "file"] == []


def test_a_missing_folder_holds_no_plugins(tmp_path: Path) -> None:
    """A plugins_dir that does not exist is an empty one."""
    found = load_registry(tmp_path / "nowhere").providers
    assert {each.name for each in found} == {each.name for each in load_registry().providers}


@pytest.mark.parametrize(
    ("text", "state", "reason"),
    [
        ("raise RuntimeError('no luck')\n", "broken", "RuntimeError: no luck (line 1 of"),
        ("import sys\nsys.exit(3)\n", "broken", "SystemExit: 3"),
        ("def (:\n", "broken", "SyntaxError"),
        ("import not_there_at_all\n", "broken", "ModuleNotFoundError"),
        ("x = 1\n", "invalid", "no function marked with @hookimpl"),
        (
            "from hub import hookimpl\n@hookimpl\ndef vestibule_notifier(): return []\n",
            "invalid",
            "no hook vestibule_notifier; did you mean vestibule_notifiers?",
        ),
        ("def vestibule_cameras(): return []\n", "invalid", "not marked with @hookimpl"),
        (
            "from hub import hookimpl\n@hookimpl\ndef vestibule_cameras(hub): return []\n",
            "invalid",
            "vestibule_cameras wants hub; expected a function without arguments",
        ),
        (
            "from hub import hookimpl\n@hookimpl\ndef vestibule_cameras(*, hub): return []\n",
            "invalid",
            "vestibule_cameras wants hub",
        ),
        (
            "from hub import hookimpl\n@hookimpl(wrapper=True)\n"
            "def vestibule_cameras():\n    return (yield)\n",
            "invalid",
            "vestibule_cameras is a wrapper; expected a plain function",
        ),
        (
            "from hub import hookimpl\n@hookimpl\ndef lamps(): return []\n",
            "invalid",
            "there is no hook lamps; expected one of vestibule_cameras, ",
        ),
        (announcing("1 / 0"), "broken", "vestibule_notifiers raised ZeroDivisionError"),
        (announcing("None"), "invalid", "vestibule_notifiers returned nothing; expected a list"),
        (announcing("3"), "invalid", "expected a list of Driver, found int"),
        (announcing("{}"), "invalid", "expected a list of Driver, found dict"),
        (
            announcing("some()", above="def some():\n    yield 1\n    raise OSError('half way')\n"),
            "broken",
            "vestibule_notifiers raised OSError: half way (line ",
        ),
        (announcing("['lamp']"), "invalid", "expected a Driver, found str"),
        (
            announcing("[Driver('Lamp 1', dict, Block, '')]"),
            "invalid",
            "expected a name of lower-case letters",
        ),
        (announcing("[Driver('lamp', dict, dict, '')]"), "invalid", "a subclass of hub.Block"),
        (announcing("[Driver('lamp', 'x', Block, '')]"), "invalid", "a factory that can be called"),
        (
            announcing(
                "[Driver('lamp', Lamp, Block, '')]",
                above="class Lamp:\n    def __init__(self, config): ...\n",
            ),
            "invalid",
            "a factory that takes (config, context); Lamp(config): too many positional arguments",
        ),
        (
            announcing("[Driver('lamp', dict, Block, 3)]"),
            "invalid",
            "a summary in words, found int",
        ),
        (
            announcing("[Driver('lamp', dict, Block, '', api=7)]"),
            "invalid",
            "made for version 7 of notifiers; this hub speaks 1: update Vestibule",
        ),
        (announcing("[Driver('lamp', dict, Block, '', api='1')]"), "invalid", "found '1'"),
        (announcing("[Driver('lamp', dict, Block, '', api=0)]"), "invalid", "a whole number"),
        (
            announcing("[Driver('lamp', dict, Block, '', device=Block)]"),
            "invalid",
            "only drivers of access_control have a device model",
        ),
        (
            announcing(
                "[Driver('lamp', dict, Loose, '')]",
                above="class Loose(Block):\n    model_config = {'extra': 'allow'}\n",
            ),
            "invalid",
            "forbid unknown keys",
        ),
        (
            announcing(
                "[Driver('lamp', dict, Soft, '')]",
                above="class Soft(Block):\n    model_config = {'frozen': False}\n",
            ),
            "invalid",
            "to be frozen",
        ),
        (
            announcing(
                "[Driver('lamp', dict, Greedy, '')]",
                above="class Greedy(Block):\n    timeout: float = 1.0\n",
            ),
            "invalid",
            "the hub keeps the key 'timeout' for itself",
        ),
        (
            announcing("[Driver('lamp', dict, Block, ''), Driver('lamp', dict, Block, '')]"),
            "invalid",
            "announced twice for notifiers; give each driver a name of its own",
        ),
    ],
)
def test_a_bad_plugin_is_named_with_its_reason(
    tmp_path: Path, text: str, state: str, reason: str
) -> None:
    """Whatever a plugin does wrong, loading goes on and the provider says what it was."""
    write(tmp_path, "bad.py", text)
    write(tmp_path, "good.py", GOOD.replace('"lamp"', '"good_lamp"'))
    registry = load_registry(tmp_path)
    found = provider(registry, "bad")
    assert (found.state, reason in found.reason) == (state, True), found.reason
    assert found.trouble == f"bad ({tmp_path / 'bad.py'}) is {state}: {found.reason}"
    assert "good_lamp" in registry.drivers("notifiers")


async def test_an_asynchronous_hook_is_refused(tmp_path: Path) -> None:
    """A hook that is a coroutine is named, and leaves no coroutine un-awaited behind."""
    write(
        tmp_path,
        "later.py",
        "from hub import hookimpl\n@hookimpl\nasync def vestibule_cameras(): return []\n",
    )
    found = provider(load_registry(tmp_path), "later")
    assert found.state == "invalid"
    assert found.reason.startswith("vestibule_cameras is asynchronous; expected a plain `def`")


def test_one_bad_hook_spares_the_others(tmp_path: Path) -> None:
    """A hook that raises takes only its own kind along."""
    text = textwrap.dedent(GOOD) + "\n@hookimpl\ndef vestibule_cameras():\n    raise OSError('x')\n"
    write(tmp_path, "both.py", text)
    registry = load_registry(tmp_path)
    assert "lamp" in registry.drivers("notifiers")
    assert provider(registry, "both").state == "broken"


def test_a_clash_is_fatal_and_names_both(tmp_path: Path) -> None:
    """Two providers of one driver stop everything: nobody can say which was meant."""
    first = write(tmp_path, "first.py", GOOD)
    second = write(tmp_path, "second.py", GOOD)
    with pytest.raises(PluginError) as caught:
        load_registry(tmp_path)
    for part in ("'lamp'", "first", "second", str(first), str(second)):
        assert part in str(caught.value)


def test_a_built_in_cannot_be_taken_over_silently(tmp_path: Path) -> None:
    """A file that offers a built-in driver's name clashes with it."""
    write(
        tmp_path,
        "mine.py",
        announcing("[Driver('mqtt', dict, Block, 'mine')]", kind="access_control"),
    )
    with pytest.raises(PluginError, match=r"plugins\.access_control\.mqtt"):
        load_registry(tmp_path)


def test_a_missing_driver_is_explained(tmp_path: Path) -> None:
    """Asking for a driver says whether its plugin is broken, invalid or not there."""
    write(tmp_path, "sprinkler.py", "raise RuntimeError('dry')\n")
    write(tmp_path, "bell.py", announcing("[Driver('bell', dict, Block, '', api=9)]"))
    registry = load_registry(tmp_path)
    with pytest.raises(PluginError, match=r"sprinkler.*is broken: RuntimeError: dry"):
        registry.driver("notifiers", "sprinkler")
    with pytest.raises(PluginError, match=r"'bell' of bell .* is invalid: made for version 9"):
        registry.driver("notifiers", "bell")
    write(tmp_path, "horn.py", "def vestibule_notifiers(): return []\n")
    with pytest.raises(PluginError, match=r"'horn' cannot be used: horn .* not marked with"):
        load_registry(tmp_path).driver("notifiers", "horn")
    with pytest.raises(PluginError, match="no plugin offers a driver 'gong'"):
        registry.driver("notifiers", "gong")
    assert registry.nearest("access_control", "mqt") == "mqtt"


def install(folder: Path, package: str, version: str, entries: str) -> None:
    """What an installer leaves of a package beside its code."""
    info = folder / f"{package.replace('-', '_')}-{version}.dist-info"
    write(info, "METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    write(info, "entry_points.txt", f"[vestibule.plugins]\n{entries}")


def test_an_entry_point_is_a_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package's entry point is loaded with its version; a broken one is named."""
    write(tmp_path, "vendor_lamp.py", GOOD)
    install(tmp_path, "vendor-lamp", "2.5", "lamp = vendor_lamp\nghost = vendor_ghost\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = load_registry()
    found = provider(registry, "vendor-lamp:lamp")
    assert (found.source, found.version, found.state) == ("entry point", "2.5", "ok")
    assert found.file == str(tmp_path / "vendor_lamp.py")
    assert registry.driver("notifiers", "lamp")
    ghost = provider(registry, "vendor-lamp:ghost")
    assert ghost.trouble.startswith("vendor-lamp:ghost (vendor_ghost) is broken: ModuleNotFound")
    with pytest.raises(PluginError, match="'ghost' cannot be used: vendor-lamp:ghost"):
        registry.driver("notifiers", "ghost")
    alone = load_only("vendor-lamp:lamp", "entry point", None)
    assert alone.driver("notifiers", "lamp") == registry.driver("notifiers", "lamp")
    sys.modules.pop("vendor_lamp", None)


def test_an_entry_point_that_dies_is_never_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither it nor the packages around it run here, and its file is found all the same."""
    write(tmp_path / "vendor_horn", "__init__.py", "import os\nos.abort()\n")
    inside = write(tmp_path / "vendor_horn", "plugin.py", GOOD)
    install(tmp_path, "vendor-horn", "1.0", "horn = vendor_horn.plugin\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = provider(load_registry(), "vendor-horn:horn")
    assert found.trouble.startswith(f"vendor-horn:horn ({inside}) is broken: ended the process")
    assert not any(name.startswith("vendor_horn") for name in sys.modules)


def test_one_plugin_can_be_loaded_alone(tmp_path: Path) -> None:
    """A plugin's host loads that plugin and no other; what cannot be used is an error."""
    write(tmp_path, "lamp.py", GOOD)
    write(tmp_path, "dead.py", "import os\nos.abort()\n")
    write(tmp_path, "idle.py", "x = 1\n")
    registry = load_only("lamp", "file", tmp_path)
    assert registry.driver("notifiers", "lamp")
    assert [each.name for each in registry.providers] == ["lamp"]
    with pytest.raises(PluginError, match=r"idle .* is invalid: announces no driver"):
        load_only("idle", "file", tmp_path)
    with pytest.raises(PluginError, match="the plugin gone is no longer there"):
        load_only("gone", "file", tmp_path)


def test_what_no_block_names_is_unused(tmp_path: Path) -> None:
    """Providers without a driver in the configuration are shown as unused."""
    write(tmp_path, "lamp.py", GOOD)
    registry = load_registry(tmp_path)
    states = {each.name: each.state for each in registry.used_by({"notifiers": ["lamp"]})}
    assert states["lamp"] == "ok"
    assert states["plugins.access_control.mqtt"] == "unused"


def test_a_provider_can_be_printed_as_json(tmp_path: Path) -> None:
    """Scripts get source, version, kinds, drivers, state and reason of every provider."""
    write(tmp_path, "bell.py", announcing("[Driver('bell', dict, Block, '', api=9)]"))
    for each in load_registry(tmp_path).providers:
        told = json.loads(json.dumps(each.as_dict()))
        assert {"name", "source", "version", "kinds", "drivers", "state", "reason"} <= set(told)


def test_the_hub_keeps_the_same_keys_that_it_reads() -> None:
    """`settings` is where a driver's keys go, so it is no key of the file."""
    for kind in KINDS:
        assert {"driver", "enabled", "name"} <= hub_keys(kind)
        assert "settings" not in hub_keys(kind)


def test_the_kernel_never_imports_plugins() -> None:
    """Importing the hub's own modules brings in no plugin."""
    code = "import hub.check, hub.plugins, sys; print([m for m in sys.modules if m == 'plugins'])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("page", ["docs/reference/plugins.md", "hub/hookspecs.py"])
def test_the_example_that_vendors_read_is_a_plugin(tmp_path: Path, page: str) -> None:
    """Copied as it stands, it is loaded and offers its driver."""
    text = (Path(__file__).resolve().parents[2] / page).read_text(encoding="utf-8")
    begin = "```python\n" if page.endswith(".md") else "A complete plugin:\n"
    end = "\n```" if page.endswith(".md") else '\n"""'
    write(tmp_path, "example.py", text.partition(begin)[2].partition(end)[0] + "\n")
    registry = load_registry(tmp_path)
    assert provider(registry, "example").reason == ""
    built = registry.driver("notifiers", "lamp")
    assert built.factory(built.config.model_validate({}), None).colour == "amber"
