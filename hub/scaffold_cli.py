"""The verb `new-plugin`: a working driver of one's own to begin with."""

from __future__ import annotations

import importlib.util
import keyword
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli_exit import REFUSED, UNREADABLE, USAGE, fail
from hub.errors import CannotCheck

if TYPE_CHECKING:
    from hub.kinds import Kind

FOLDER = "my_plugins"
USED_BY = {
    "cameras": "and put a clip (*.mp4) into its folder, beside the configuration.",
    "notifiers": "and name it under `through:` where a rule tells people.",
    "detectors": "and name it as the `detector:` of a camera.",
}


@dataclass(frozen=True)
class School:
    """What of a configuration is used: where its plugins lie, and names for the new block.

    `lacks` are those of its sections that are not there yet.
    """

    plugins: Path
    place: str
    detector: str
    lacks: frozenset[str] = frozenset()


def new_plugin(
    kind: Annotated[
        str,
        typer.Argument(help="cameras, detectors, access_control, notifiers or visitors."),
    ],
    name: Annotated[str, typer.Argument(help="What `driver:` will name, such as hall_board.")],
    config: Annotated[
        Path | None, typer.Option(help="Write into this file's plugins_dir, for its places.")
    ] = None,
    package: Annotated[
        bool, typer.Option("--package", help="Write a package that pip installs.")
    ] = False,
    dir_: Annotated[
        Path | None,
        typer.Option("--dir", help="Write into this folder.", show_default=FOLDER, metavar="DIR"),
    ] = None,
) -> None:
    """Write a working driver of your own and its tests, and show the block that uses it."""
    from hub.scaffold import block, package_files, package_name, plugin_files

    of = _kind(kind)
    school = _school(config)
    folder = dir_ or (Path() if package else school.plugins)
    if reason := _unfit(name, package):
        raise fail(f"NAME: {reason}", USAGE)
    if reason := _taken(of, name, school.plugins if package else folder):
        raise fail(reason, REFUSED)
    if package:
        folder /= package_name(name)
        _write(folder, package_files(of, name))
    else:
        _write(folder, plugin_files(of, name))
    text = block(of, name, school.place, school.detector)
    elsewhere = "" if package or folder.resolve() == school.plugins.resolve() else str(folder)
    where = str(config) if config is not None else "the configuration"
    typer.echo("\n".join(_what_next(of, text, elsewhere, where, school.lacks)))
    typer.echo("\n".join(_commands(folder, package, config)))


def _kind(kind: str) -> Kind:
    from hub.kinds import KINDS

    for each in KINDS:
        if each == kind:
            return each
    close = get_close_matches(kind, KINDS, n=1)
    meant = f" (did you mean {close[0]}?)" if close else ""
    raise fail(f"KIND: expected one of {', '.join(KINDS)}; found {kind!r}{meant}", USAGE)


def _unfit(name: str, package: bool) -> str:
    """Why a name cannot be used, or an empty text."""
    from hub.plugins import SLUG

    if not SLUG.fullmatch(name):
        form = "lower-case letters, digits and _, a letter first, 63 at most, such as hall_board"
        return f"expected {form}; found {name!r}"
    if name == "conftest" or name.startswith("test_"):
        return f"{name} is a name for tests, which are not looked at for drivers; expected another"
    if not package and (keyword.iskeyword(name) or importlib.util.find_spec(name) is not None):
        return (
            f"Python knows something else as {name}, which its tests would import; expected "
            f"another, such as my_{name}"
        )
    return ""


def _taken(kind: Kind, name: str, folder: Path) -> str:
    """Who offers this driver already: two of one name would stop both."""
    from hub.plugins import load_registry

    other = load_registry(folder).provider(kind, name)
    if other is None:
        return ""
    return f"{kind} has a driver {name} already, of {other.name} ({other.file}); expected another"


def _school(config: Path | None) -> School:
    from hub.check import plugins_folder
    from hub.kinds import KINDS
    from hub.scaffold import DETECTOR, PLACE
    from hub.yamlfile import read_yaml

    if config is None:
        return School(Path(FOLDER), PLACE, DETECTOR)
    try:
        values = read_yaml(str(config)).values
        folder = plugins_folder(config.parent, values)
    except CannotCheck as error:
        raise fail(str(error), UNREADABLE) from None
    sections = values if isinstance(values, dict) else {}
    places = _blocks(sections.get("places"))
    rooms = [key for key, each in places.items() if not each.get("private")]
    rooms.sort(key=lambda key: places[key].get("kind") != "room")
    detectors = _blocks(sections.get("detectors"))
    lacks = frozenset({"hub", "doors", *KINDS} - sections.keys())
    return School(folder, next(iter(rooms), PLACE), next(iter(detectors), DETECTOR), lacks)


def _blocks(section: object) -> dict[str, dict[str, object]]:
    found = section.items() if isinstance(section, dict) else ()
    return {key: each for key, each in found if isinstance(key, str) and isinstance(each, dict)}


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write every file, or none where one is there already."""
    there = [str(folder / path) for path in texts if (folder / path).exists()]
    if there:
        verb = "is" if len(there) == 1 else "are"
        raise fail(f"{' and '.join(there)} {verb} there already; nothing was written", REFUSED)
    for path, text in texts.items():
        file = folder / path
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8") as out:
                out.write(text)
        except OSError as error:
            raise fail(f"cannot write {file}: {error.strerror}", UNREADABLE) from None
        typer.echo(f"wrote {file}")


def _what_next(
    kind: Kind, block: str, elsewhere: str, where: str, lacks: frozenset[str]
) -> Iterator[str]:
    """What to put into the configuration, section by section."""
    from hub.scaffold import sections

    parts = {**({"hub": f"  plugins_dir: {elsewhere}\n"} if elsewhere else {}), **sections(block)}
    for key, lines in parts.items():
        yield (
            f"\nIn {where}, at the end\n\n{key}:"
            if key in lacks
            else f"\nIn {where}, below `{key}:`\n"
        )
        yield lines.rstrip("\n")
    if kind in USED_BY:
        yield f"\n{USED_BY[kind]}"


def _commands(folder: Path, package: bool, config: Path | None) -> Iterator[str]:
    """What to try, in the order in which it helps."""
    yield "\nThen try\n"
    if package:
        yield f"  pip install -e {folder}"
        yield "  vestibule plugins"
        yield f"  pytest {folder}"
    else:
        yield f"  vestibule plugins --plugins-dir {folder}"
        yield f"  pytest {folder}"
    if config is not None:
        yield f"  vestibule check {config}"
