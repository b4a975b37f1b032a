"""Where plugins are: built-in modules, entry points of installed packages, files of a folder.

Finding one imports nothing of it, so that it can be looked at elsewhere first (`hub.preflight`).
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import pkgutil
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import CodeType, ModuleType
from typing import Literal

import hub
from hub.kinds import KINDS

GROUP = "vestibule.plugins"
PRIVATE = "_vestibule_plugin_"  # how the names of plugins that are files begin
Source = Literal["built-in", "entry point", "file"]


@dataclass(frozen=True, slots=True)
class Found:
    """A plugin that has not been imported yet.

    `file` is its Python file, for an entry point what the package wrote down (`module:attribute`);
    `path` is where that lies, as far as it can be told. `digest` is the SHA-256 of a file's code.
    `stamp` tells one state of a foreign plugin from another.
    """

    name: str
    source: Source
    version: str
    file: str
    path: str
    digest: str = ""
    stamp: str = ""

    @property
    def foreign(self) -> bool:
        """Whether it came from outside."""
        return self.source != "built-in"

    def load(self) -> object:
        """Import it. Raises whatever its code raises."""
        if self.source == "file":
            return _import_file(Path(self.file), self.digest)
        if self.source == "entry point":
            return EntryPoint(self.name.rpartition(":")[2], self.file, GROUP).load()
        return importlib.import_module(self.name)


def discovered(plugins_dir: Path | None = None) -> Iterator[Found]:
    """Every plugin there is, in the order in which they are loaded."""
    yield from _built_in()
    yield from _installed()
    yield from _files(plugins_dir)


def _built_in() -> Iterator[Found]:
    for kind in KINDS:
        package = importlib.import_module(f"plugins.{kind}")
        for module in pkgutil.iter_modules(package.__path__):
            if module.ispkg or module.name.startswith("_"):
                continue
            file = str(Path(package.__path__[0]) / f"{module.name}.py")
            name = f"plugins.{kind}.{module.name}"
            yield Found(name, "built-in", hub.__version__, file, file)


def _installed() -> Iterator[Found]:
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        version = (entry.dist.version if entry.dist else "") or ""
        module = entry.value.partition(":")[0].strip()
        package = entry.dist.name if entry.dist else module
        path = _place(module)
        stamp = f"{entry.name} {entry.value} {version} {_changed(path)}"
        yield Found(
            f"{package}:{entry.name}", "entry point", version, entry.value, str(path or ""),
            stamp=stamp,
        )  # fmt: skip


def _place(module: str) -> Path | None:
    """The file of a module, found without importing it or the packages around it."""
    first, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(first)
    except (ImportError, ValueError, AttributeError):
        return None
    if spec is None:
        return None
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    if not rest:
        return Path(spec.origin) if spec.origin else None
    for folder in folders:
        inside = folder.joinpath(*rest)
        for file in (inside / "__init__.py", inside.parent / f"{inside.name}.py"):
            if file.is_file():
                return file
    return None


def _changed(path: Path | None) -> int:
    """When a module, or the package that it stands for, was changed last (ns)."""
    times = [0]
    for file in _code(path) if path else ():
        with contextlib.suppress(OSError):
            times.append(file.stat().st_mtime_ns)
    return max(times)


def _files(folder: Path | None) -> Iterator[Found]:
    if folder is None or not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith(("_", ".", "test_")) or path.name == "conftest.py":
            continue
        init = path if path.suffix == ".py" else path / "__init__.py"
        if not init.is_file():
            continue
        name = path.stem if init == path else path.name
        digest = _digest(init)
        yield Found(name, "file", "", str(init), str(init), digest, digest)


def _code(init: Path) -> Iterable[Path]:
    """A plugin's code: its file, or every Python file of its folder."""
    return sorted(init.parent.rglob("*.py")) if init.name == "__init__.py" else [init]


def _digest(init: Path) -> str:
    digest = hashlib.sha256()
    for file in _code(init):
        with contextlib.suppress(OSError):
            digest.update(f"{file.resolve()}\0".encode() + file.read_bytes())
    return digest.hexdigest()


class _Uncached(SourceFileLoader):
    """Takes the file as it stands: to Python what it compiled before is current as long as size and
    second of the last change are the same, so an edit may go unseen.
    """

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


class _Submodules:
    """Finds what a plugin that is a folder imports of itself: those files as they stand, too."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is None or not name.startswith(PRIVATE):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Uncached(spec.loader.name, spec.loader.path)
        return spec


def _import_file(path: Path, digest: str) -> object:
    """The module of a plugin file; the one that is loaded already as long as its code is the same,
    so that looking again neither runs it again nor makes its classes strangers to their objects.
    """
    stem = path.parent.name if path.name == "__init__.py" else path.stem
    place = hashlib.sha256(f"{path.resolve()}\0{digest}".encode()).hexdigest()[:12]
    name = f"{PRIVATE}{re.sub(r'[^0-9A-Za-z_]', '_', stem)}_{place}"
    if name in sys.modules:
        return sys.modules[name]
    if _Submodules not in sys.meta_path:
        sys.meta_path.insert(0, _Submodules)
    loader = _Uncached(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    if spec is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look a module up by its name
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
