"""Discovery of drivers: built-in modules, entry points and files, all by the same path.

Every provider is loaded in a try of its own and each of its hooks is called by itself, so that a
broken plugin stops only the blocks that use it. Two providers of one driver name are the exception:
nobody can say which was meant, so that is fatal and names both.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from difflib import get_close_matches
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import pluggy

import hub
from hub import hookspecs
from hub.config import (
    CameraBlock,
    ControllerBlock,
    DetectorBlock,
    DriverBlock,
    NotifierBlock,
    VisitorBlock,
)
from hub.errors import PluginError
from hub.kinds import API_VERSIONS, KINDS, Block, Driver, Kind

GROUP = "vestibule.plugins"
BLOCKS: Mapping[Kind, type[DriverBlock]] = MappingProxyType(
    {
        "cameras": CameraBlock,
        "detectors": DetectorBlock,
        "access_control": ControllerBlock,
        "notifiers": NotifierBlock,
        "visitors": VisitorBlock,
    }
)
SLUG = re.compile(r"[a-z][a-z0-9_]{0,62}")
PREFIX = f"{hookspecs.PROJECT}_"
HOOKS: Mapping[str, Kind] = {PREFIX + kind: kind for kind in KINDS}

Source = Literal["built-in", "entry point", "file"]
State = Literal["ok", "broken", "invalid", "unused"]


@dataclass(frozen=True)
class Provider:
    """One plugin: where it came from, what it announced and whether it can be used.

    `broken` ones could not be imported, or a hook raised; `invalid` ones announced something the
    hub refuses; `refused` maps the drivers they lost, as `kind/name`, to the reason. `unused` ones
    are sound, but no block of the configuration names a driver of theirs. `digest` is the SHA-256
    of a file's code.
    """

    name: str
    source: Source
    version: str
    file: str
    state: State = "ok"
    reason: str = ""
    drivers: Mapping[Kind, tuple[str, ...]] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds it offers drivers of."""
        return tuple(self.drivers)

    def as_dict(self) -> dict[str, Any]:
        """The provider as the JSON object that `vestibule plugins --json` prints."""
        return asdict(self) | {"kinds": self.kinds}


class Registry:
    """Every usable driver by kind and name, and every provider, usable or not."""

    def __init__(
        self, drivers: Mapping[Kind, Mapping[str, Driver]], providers: Sequence[Provider]
    ) -> None:
        self._drivers = drivers
        self.providers = tuple(providers)

    def drivers(self, kind: Kind) -> Mapping[str, Driver]:
        """The drivers of a kind, by name."""
        return self._drivers.get(kind, {})

    def driver(self, kind: Kind, name: str) -> Driver:
        """The driver that YAML names; `PluginError` says why there is none."""
        found = self.drivers(kind).get(name)
        if found is None:
            raise PluginError(self.why_missing(kind, name))
        return found

    def fingerprint(self, kind: Kind, name: str) -> tuple[str, str, str]:
        """What tells one state of a driver's plugin from another: name, version, digest."""
        for provider in self.providers:
            if name in provider.drivers.get(kind, ()):
                return provider.name, provider.version, provider.digest
        return "", "", ""

    def nearest(self, kind: Kind, name: str) -> str:
        """The driver name that was perhaps meant, or an empty text."""
        close = get_close_matches(name, list(self.drivers(kind)), n=1)
        return close[0] if close else ""

    def why_missing(self, kind: Kind, name: str) -> str:
        """Why `name` cannot be used: its plugin is broken or invalid, or nobody offers it."""
        for provider in self.providers:
            reason = provider.refused.get(f"{kind}/{name}", "")
            if reason:
                return f"driver {name!r} of {provider.name} ({provider.file}) is invalid: {reason}"
        for provider in self.providers:
            if provider.state == "broken" and provider.name.rpartition(".")[2] == name:
                where = f"{provider.name} ({provider.file})"
                return f"driver {name!r} cannot be used: {where} is broken: {provider.reason}"
        return f"no plugin offers a driver {name!r} for {kind}"

    def used_by(self, names: Mapping[Kind, Iterable[str]]) -> tuple[Provider, ...]:
        """The providers, those without a driver among `names` marked unused."""
        wanted = {(kind, name) for kind, some in names.items() for name in some}
        return tuple(
            replace(provider, state="unused", reason="no block names a driver of it")
            if provider.state == "ok" and not wanted & _offers(provider)
            else provider
            for provider in self.providers
        )


@dataclass(frozen=True)
class _Found:
    """A plugin that has not been imported yet."""

    name: str
    source: Source
    version: str
    file: str
    load: Callable[[], object]
    digest: str = ""


def load_registry(plugins_dir: Path | None = None) -> Registry:
    """Find, load and check every plugin; raises `PluginError` only when two drivers clash."""
    drivers: dict[Kind, dict[str, Driver]] = {kind: {} for kind in KINDS}
    owners: dict[tuple[Kind, str], Provider] = {}
    providers = []
    for found in (*_built_in(), *_installed(), *_files(plugins_dir)):
        provider, offered = _load(found)
        providers.append(provider)
        for kind, driver in offered:
            other = owners.setdefault((kind, driver.name), provider)
            if other is not provider:
                raise PluginError(_clash(kind, driver.name, other, provider))
            drivers[kind][driver.name] = driver
    return Registry(drivers, providers)


def _clash(kind: Kind, name: str, first: Provider, second: Provider) -> str:
    return (
        f"two plugins offer the driver {name!r} for {kind}: {first.name} ({first.file}) and "
        f"{second.name} ({second.file}); remove or rename one of them"
    )


def _offers(provider: Provider) -> set[tuple[Kind, str]]:
    return {(kind, name) for kind, names in provider.drivers.items() for name in names}


def _built_in() -> Iterator[_Found]:
    for kind in KINDS:
        package = importlib.import_module(f"plugins.{kind}")
        for module in pkgutil.iter_modules(package.__path__):
            if module.ispkg or module.name.startswith("_"):
                continue
            name = f"plugins.{kind}.{module.name}"
            file = str(Path(package.__path__[0]) / f"{module.name}.py")
            yield _Found(name, "built-in", hub.__version__, file, _importer(name))


def _importer(name: str) -> Callable[[], object]:
    return lambda: importlib.import_module(name)


def _installed() -> Iterator[_Found]:
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        version = entry.dist.version if entry.dist else ""
        package = entry.dist.name if entry.dist else entry.module
        name = f"{package}:{entry.name}"
        yield _Found(name, "entry point", version, entry.value, entry.load)


def _files(folder: Path | None) -> Iterator[_Found]:
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
        yield _Found(name, "file", "", str(init), _file_loader(init, digest), digest)


def _digest(init: Path) -> str:
    """The SHA-256 of a plugin's code: of its file, or of every Python file of its folder."""
    digest = hashlib.sha256()
    files = sorted(init.parent.rglob("*.py")) if init.name == "__init__.py" else [init]
    for file in files:
        with contextlib.suppress(OSError):
            digest.update(f"{file}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def _file_loader(path: Path, digest: str) -> Callable[[], object]:
    return lambda: _import_file(path, digest)


def _import_file(path: Path, digest: str) -> object:
    """The module of a plugin file; the one that is loaded already as long as its code is the same,
    so that looking again neither runs it again nor makes its classes strangers to their objects.
    """
    stem = path.parent.name if path.name == "__init__.py" else path.stem
    place = hashlib.sha256(f"{path.resolve()}\0{digest}".encode()).hexdigest()[:12]
    name = f"_vestibule_plugin_{re.sub(r'[^0-9A-Za-z_]', '_', stem)}_{place}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look a module up by its name
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _load(found: _Found) -> tuple[Provider, list[tuple[Kind, Driver]]]:
    provider = Provider(found.name, found.source, found.version, found.file, digest=found.digest)
    try:
        plugin = found.load()
    except (Exception, SystemExit) as error:
        return replace(provider, state="broken", reason=_words(error)), []
    version = provider.version or str(getattr(plugin, "__version__", ""))
    provider = replace(provider, version=version)
    try:
        hooks = _hooks(plugin, found.name)
    except PluginError as error:
        return replace(provider, state="invalid", reason=str(error)), []
    return _announce(provider, hooks)


def _words(error: BaseException) -> str:
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f" (line {frame.tb_lineno} of {frame.tb_frame.f_code.co_filename})" if frame else ""
    return f"{type(error).__name__}: {error}{where}"


def _hooks(plugin: object, name: str) -> dict[Kind, pluggy.HookCaller]:
    """The plugin's own hooks by kind, in a manager that holds nothing else."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    for attribute in dir(plugin):
        marked = manager.parse_hookimpl_opts(plugin, attribute) is not None
        looks_like_one = attribute.startswith(PREFIX) and callable(getattr(plugin, attribute))
        if (marked or looks_like_one) and attribute not in HOOKS:
            close = get_close_matches(attribute, list(HOOKS), n=1)
            meant = f"did you mean {close[0]}?" if close else f"known: {', '.join(HOOKS)}"
            raise PluginError(f"there is no hook {attribute}; {meant}")
        if attribute in HOOKS and not marked:
            raise PluginError(
                f"{attribute} is not marked with @hookimpl (from hub import hookimpl)"
            )
    try:
        manager.register(plugin, name)
    except Exception as error:
        raise PluginError(" ".join(str(error).split())) from None
    hooks = {kind: getattr(manager.hook, hook) for hook, kind in HOOKS.items()}
    return {kind: hook for kind, hook in hooks.items() if hook.get_hookimpls()}


def _announce(
    provider: Provider, hooks: Mapping[Kind, pluggy.HookCaller]
) -> tuple[Provider, list[tuple[Kind, Driver]]]:
    if not hooks:
        reason = "announces no driver: no function marked with @hookimpl"
        return replace(provider, state="invalid", reason=reason), []
    offered: list[tuple[Kind, Driver]] = []
    refused: dict[str, str] = {}
    reasons: list[tuple[State, str]] = []
    for kind, hook in hooks.items():
        try:
            results = [item for result in hook() for item in _as_items(result)]
        except (Exception, SystemExit) as error:
            reasons.append(("broken", f"{PREFIX}{kind} raised {_words(error)}"))
            continue
        for item in results:
            reason = _fault(kind, item)
            if not reason and any(k == kind and d.name == item.name for k, d in offered):
                reason = f"announced twice for {kind}"
            if reason:
                reasons.append(("invalid", f"{_name_of(item)}: {reason}"))
                refused[f"{kind}/{_name_of(item)}"] = reason
            else:
                offered.append((kind, item))
    names = {
        kind: tuple(driver.name for of, driver in offered if of == kind)
        for kind in KINDS
        if any(of == kind for of, _ in offered)
    }
    state: State = reasons[0][0] if reasons else "ok"
    reason = "; ".join(text for _, text in reasons)
    told = replace(provider, state=state, reason=reason, drivers=names, refused=refused)
    return told, offered


def _as_items(result: object) -> list[Any]:
    if isinstance(result, Driver):
        return [result]
    if not isinstance(result, Iterable) or isinstance(result, str | bytes):
        close = getattr(result, "close", None)  # a coroutine nobody awaits would warn
        if callable(close):
            close()
        raise TypeError(f"expected a list of Driver, found {type(result).__name__}")
    return list(result)


def _name_of(item: object) -> str:
    return item.name if isinstance(item, Driver) and isinstance(item.name, str) else repr(item)


def _fault(kind: Kind, driver: object) -> str:
    """What the hub refuses about a hook's result; empty when it is sound."""
    if not isinstance(driver, Driver):
        return f"expected a Driver, found {type(driver).__name__}"
    if not isinstance(driver.name, str) or not SLUG.fullmatch(driver.name):
        return "expected a name of lower-case letters, digits and _, starting with a letter"
    if driver.api != API_VERSIONS[kind]:
        return f"made for version {driver.api} of {kind}; this hub speaks {API_VERSIONS[kind]}"
    if not callable(driver.factory):
        return "expected a factory that can be called"
    if driver.device is not None and kind != "access_control":
        return "only drivers of access_control have a device model"
    model = _model_fault("config", driver.config)
    if not model and driver.device is not None:
        model = _model_fault("device", driver.device)
    return model or _key_fault(kind, driver.config)


def _model_fault(what: str, model: object) -> str:
    if not isinstance(model, type) or not issubclass(model, Block):
        return f"expected {what} to be a subclass of hub.Block"
    if model.model_config.get("frozen") is not True:
        return f"expected the {what} model to be frozen, as hub.Block is"
    if model.model_config.get("extra") != "forbid":
        return f"expected the {what} model to forbid unknown keys, as hub.Block does"
    return ""


def hub_keys(kind: Kind) -> frozenset[str]:
    """The keys of a block of this kind that the hub reads itself; the rest are the driver's."""
    return _keys(BLOCKS[kind]) - {"settings"}


def _keys(model: type[Block]) -> frozenset[str]:
    return frozenset(each.alias or name for name, each in model.model_fields.items())


def _key_fault(kind: Kind, model: type[Block]) -> str:
    taken = _keys(model) & hub_keys(kind)
    if taken:
        return f"the hub keeps the key {min(taken)!r} for itself; call yours something else"
    return ""
