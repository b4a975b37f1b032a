"""What plugins did that they must not, as the health page shows it, and where each came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from hub.clock import iso
from hub.config import Config
from hub.events import Event
from hub.kinds import KINDS, Kind
from hub.plugins import Provider, Registry
from hub.views import PluginView

MISBEHAVED = "plugin.misbehaved"


class PluginFaults:
    """Remembers, since the hub started, what each plugin did that it must not."""

    def __init__(self) -> None:
        self._faults: Counter[str] = Counter()
        self._last: dict[str, Event] = {}

    def note(self, event: Event) -> None:
        """Remember a fault."""
        plugin = str(event.data.get("plugin", ""))
        self._faults[plugin] += 1
        self._last[plugin] = event

    def views(
        self, registry: Registry, config: Config, quarantined: Mapping[str, str]
    ) -> list[PluginView]:
        """Plugins from outside, and built-in ones with something to tell; the worst first.

        `quarantined` maps names of plugins to why they are left alone.
        """
        views = [
            self._view(provider, quarantined.get(provider.name, ""))
            for provider in registry.used_by(drivers_of(config))
        ]
        told = [view for view in views if view["source"] != "built-in" or view["faults"]]
        return sorted(told, key=lambda view: (ORDER.index(view["state"]), -view["faults"]))

    def _view(self, provider: Provider, quarantine: str) -> PluginView:
        last = self._last.get(provider.name)
        return PluginView(
            name=provider.name,
            source=provider.source,
            version=provider.version,
            kinds=list(provider.kinds),
            state="quarantined" if quarantine else provider.state,
            reason=quarantine or provider.reason,
            faults=self._faults[provider.name],
            last=f"{last.data.get('what')}: {last.data.get('reason')}" if last else "",
            last_at=iso(last.time) if last else None,
        )


ORDER = ("quarantined", "broken", "invalid", "ok", "unused")


def drivers_of(config: Config) -> Mapping[Kind, Iterable[str]]:
    """The drivers that a configuration's blocks name, by kind."""
    return {kind: [block.driver for block in getattr(config, kind).values()] for kind in KINDS}
