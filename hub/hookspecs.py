"""The five hooks: one per kind, called once at load time, returning data.

A plugin is a module with one or more of these functions, marked with `hub.hookimpl`. A hook returns
`Driver`s; the hub checks them, then builds one instance per block of the YAML file and drives it
through the kind's own methods (`hub.kinds`). A complete plugin:

    from hub import Block, Channel, Context, Driver, Notice, Receipt, hookimpl

    class LampConfig(Block):
        colour: str = "amber"

    class Lamp:
        channel = Channel(path="local")
        def __init__(self, config: LampConfig, context: Context) -> None:
            self.colour = config.colour
        async def start(self) -> None: ...
        async def send(self, notice: Notice) -> Receipt:
            print(self.colour, notice.title)
            return Receipt("delivered")
        async def close(self) -> None: ...

    @hookimpl
    def vestibule_notifiers():
        return [Driver("lamp", Lamp, LampConfig, "Prints in the colour of a lamp")]
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from hub.kinds import Driver

PROJECT = "vestibule"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def vestibule_cameras() -> Iterable[Driver]:
    """Drivers whose instances keep `hub.kinds.cameras.Camera`."""
    return ()


@hookspec
def vestibule_detectors() -> Iterable[Driver]:
    """Drivers whose instances keep `hub.kinds.detectors.Detector`; built in a perception worker."""
    return ()


@hookspec
def vestibule_access_control() -> Iterable[Driver]:
    """Drivers whose instances keep `hub.kinds.access_control.AccessController`."""
    return ()


@hookspec
def vestibule_notifiers() -> Iterable[Driver]:
    """Drivers whose instances keep `hub.kinds.notifiers.Notifier`."""
    return ()


@hookspec
def vestibule_visitors() -> Iterable[Driver]:
    """Drivers whose instances keep `hub.kinds.visitors.VisitorSystem`."""
    return ()
