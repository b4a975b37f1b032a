"""Discovery of drivers: built-in modules, entry points and files, all by the same path.

Every provider is loaded in a try of its own and each of its hooks is called by itself, so that a
broken plugin stops only the blocks that use it. Two providers of one driver name are the exception:
nobody can say which was meant, so that is fatal and names both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from hub.announcements import HOOKS, PREFIX, Hook, announced, hooks_of, words
from hub.discovery import GROUP, Found, Source, discovered
from hub.errors import PluginError
from hub.kinds import KINDS, Driver, Kind
from hub.preflight import look, looked_at, trust
from hub.refusals import BLOCKS, SLUG, fault, hub_keys
from hub.versions import of_today

__all__ = [
    "BLOCKS", "GROUP", "HOOKS", "SLUG", "Provider", "Registry", "Source", "State", "hub_keys",
    "load_only", "load_registry", "looked_at", "trust",
]  # fmt: skip

State = Literal["ok", "broken", "invalid", "unused"]


@dataclass(frozen=True)
class Provider:
    """One plugin: where it came from, what it announced and whether it can be used.

    `broken` ones could not be imported, or a hook raised; `invalid` ones announced something the
    hub refuses; `refused` maps the drivers they lost, as `kind/name`, to the reason. `unused` ones
    are sound, but no block of the configuration names a driver of theirs. `notes` maps drivers of
    an earlier contract, as `kind/name`, to what will end. `digest` is the SHA-256 of a file's code.
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
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def trouble(self) -> str:
        """What is wrong with it, in one line that names it and its file; empty when nothing is."""
        if self.state not in ("broken", "invalid"):
            return ""
        return f"{self.name} ({self.file}) is {self.state}: {self.reason}"

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

    def provider(self, kind: Kind, name: str) -> Provider | None:
        """The plugin that offers a driver."""
        return next((one for one in self.providers if name in one.drivers.get(kind, ())), None)

    def fingerprint(self, kind: Kind, name: str) -> tuple[str, str, str]:
        """What tells one state of a driver's plugin from another: name, version, digest."""
        for provider in self.providers:
            if name in provider.drivers.get(kind, ()):
                return provider.name, provider.version, provider.digest
        return "", "", ""

    def note(self, kind: Kind, name: str) -> str:
        """What somebody should know about a driver that can be used; mostly nothing."""
        found = (provider.notes.get(f"{kind}/{name}", "") for provider in self.providers)
        return next((f"the driver {name} is {note}" for note in found if note), "")

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
            if provider.trouble and _perhaps(provider, name):
                return f"driver {name!r} cannot be used: {provider.trouble}"
        unknown = [each.trouble for each in self.providers if each.trouble and not each.kinds]
        unless = f", unless it is that of {'; or of '.join(unknown)}" if unknown else ""
        return f"no plugin offers a driver {name!r} for {kind}{unless}"

    def used_by(self, names: Mapping[Kind, Iterable[str]]) -> tuple[Provider, ...]:
        """The providers, those without a driver among `names` marked unused."""
        wanted = {(kind, name) for kind, some in names.items() for name in some}
        return tuple(
            replace(provider, state="unused", reason="no block names a driver of it")
            if provider.state == "ok" and not wanted & _offers(provider)
            else provider
            for provider in self.providers
        )


Loaded = tuple[Provider, list[tuple[Kind, Driver]]]
_sound_ones: dict[Found, Loaded] = {}


def load_registry(plugins_dir: Path | None = None, *, spare: bool = False) -> Registry:
    """Find, look at, load and check every plugin; blocking. Raises `PluginError` only when two
    drivers clash; with `spare` such a driver is the built-in one, or can be used by nobody.

    Plugins from outside are imported in a process of their own first, and what misbehaves there is
    broken and not imported here; see `hub.preflight`.
    """
    every = list(discovered(plugins_dir))
    said = look([found for found in every if found.foreign])
    drivers: dict[Kind, dict[str, Driver]] = {kind: {} for kind in KINDS}
    owners: dict[tuple[Kind, str], Provider] = {}
    providers = []
    for found in every:
        provider, offered = _load(found, said[found]) if found.foreign else _built_in(found)
        for kind, driver in offered:
            other = owners.setdefault((kind, driver.name), provider)
            if other is provider:
                drivers[kind][driver.name] = driver
                continue
            clash = _clash(kind, driver.name, other, provider)
            if not spare:
                raise PluginError(clash)
            provider = _without(provider, kind, driver.name, clash)
            if other.source != "built-in":
                drivers[kind].pop(driver.name, None)
        providers.append(provider)
    return Registry(drivers, providers)


def _without(provider: Provider, kind: Kind, driver: str, why: str) -> Provider:
    """The provider less a driver that it must not offer."""
    left = tuple(name for name in provider.drivers[kind] if name != driver)
    return replace(
        provider,
        state="invalid",
        reason="; ".join(filter(None, (provider.reason, why))),
        drivers={**provider.drivers, kind: left},
        refused={**provider.refused, f"{kind}/{driver}": why},
    )


def load_only(name: str, source: Source, plugins_dir: Path | None) -> Registry:
    """A registry of one plugin alone, as its host loads it. Raises `PluginError` where it is gone
    or cannot be used.
    """
    for found in discovered(plugins_dir):
        if (found.name, found.source) == (name, source):
            provider, offered = _load(found)
            if provider.state != "ok" and not offered:
                raise PluginError(provider.trouble)
            drivers: dict[Kind, dict[str, Driver]] = {}
            for kind, driver in offered:
                drivers.setdefault(kind, {})[driver.name] = driver
            return Registry(drivers, [provider])
    raise PluginError(f"the plugin {name} is no longer there")


def _clash(kind: Kind, name: str, first: Provider, second: Provider) -> str:
    return (
        f"two plugins offer the driver {name!r} for {kind}: {first.name} ({first.file}) and "
        f"{second.name} ({second.file}); remove or rename one of them"
    )


def _perhaps(provider: Provider, driver: str) -> bool:
    """Whether a plugin that offers nothing may be the one with this driver, by its name."""
    return driver in (provider.name.rpartition(mark)[2] for mark in ".:")


def _offers(provider: Provider) -> set[tuple[Kind, str]]:
    return {(kind, name) for kind, names in provider.drivers.items() for name in names}


def _built_in(found: Found) -> Loaded:
    """One of our own. A sound one stays as it is for as long as the process lives, so that a file
    that is read again costs no second look at it.
    """
    loaded = _sound_ones.get(found) or _load(found)
    if loaded[0].state == "ok":
        _sound_ones[found] = loaded
    return loaded


def _load(found: Found, broken: str = "") -> Loaded:
    """The plugin as it is; one that is already known to be `broken` is not imported."""
    file = found.path or found.file
    provider = Provider(found.name, found.source, found.version, file, digest=found.digest)
    if broken:
        return replace(provider, state="broken", reason=broken), []
    try:
        plugin = found.load()
        version = provider.version or str(getattr(plugin, "__version__", ""))
        hooks = hooks_of(plugin)
    except PluginError as error:
        return replace(provider, state="invalid", reason=str(error)), []
    except (Exception, SystemExit) as error:
        return replace(provider, state="broken", reason=words(error)), []
    return _judge(replace(provider, version=version), hooks)


def _judge(provider: Provider, hooks: Mapping[Kind, Hook]) -> Loaded:
    """Call each hook and take what is sound, in its newest version."""
    offered: list[tuple[Kind, Driver]] = []
    refused: dict[str, str] = {}
    notes: dict[str, str] = {}
    reasons: list[tuple[State, str]] = []
    for kind, hook in hooks.items():
        try:
            items = announced(hook)
        except PluginError as error:
            reasons.append(("invalid", f"{PREFIX}{kind} {error}"))
            continue
        except (Exception, SystemExit) as error:
            reasons.append(("broken", f"{PREFIX}{kind} raised {words(error)}"))
            continue
        for item in items:
            name = _name_of(item)
            try:
                driver, note = _sound(kind, item, offered)
            except PluginError as error:
                reasons.append(("invalid", f"{name}: {error}"))
                refused[f"{kind}/{name}"] = str(error)
                continue
            offered.append((kind, driver))
            if note:
                notes[f"{kind}/{name}"] = note
    names = {
        kind: tuple(driver.name for of, driver in offered if of == kind)
        for kind in KINDS
        if any(of == kind for of, _ in offered)
    }
    state: State = reasons[0][0] if reasons else "ok"
    reason = "; ".join(text for _, text in reasons)
    told = replace(
        provider, state=state, reason=reason, drivers=names, refused=refused, notes=notes
    )
    return told, offered


def _sound(kind: Kind, item: object, before: Sequence[tuple[Kind, Driver]]) -> tuple[Driver, str]:
    """The driver in its newest version and a note on that; raises `PluginError` for a fault."""
    reason = fault(kind, item)
    if reason or not isinstance(item, Driver):
        raise PluginError(reason)
    if any(of == kind and driver.name == item.name for of, driver in before):
        raise PluginError(f"announced twice for {kind}; give each driver a name of its own")
    try:
        driver, note = of_today(kind, item)
    except PluginError:
        raise
    except Exception as error:
        raise PluginError(f"cannot be brought to today's version: {words(error)}") from None
    reason = fault(kind, driver)
    if reason:
        raise PluginError(reason)
    return driver, note


def _name_of(item: object) -> str:
    return item.name if isinstance(item, Driver) and isinstance(item.name, str) else repr(item)
