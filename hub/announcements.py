"""A plugin's hooks, and what they return: called by themselves, one after the other."""

from __future__ import annotations

import inspect
import sysconfig
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import CoroutineType
from typing import Any

import pluggy

from hub import hookspecs
from hub.errors import PluginError
from hub.kinds import KINDS, Driver, Kind

PREFIX = f"{hookspecs.PROJECT}_"
HOOKS: Mapping[str, Kind] = {PREFIX + kind: kind for kind in KINDS}
LONGEST = 400
NOT_THEIRS = (
    *{sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")},
    str(Path(hookspecs.__file__).parent),
)

Hook = Callable[[], object]


def hooks_of(plugin: object) -> dict[Kind, Hook]:
    """The plugin's hooks by kind. Raises `PluginError` for one that the hub would never call."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    found: dict[Kind, Hook] = {}
    for name in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, name)
        if options is None and not (name.startswith(PREFIX) and callable(getattr(plugin, name))):
            continue
        kind = HOOKS.get(name)
        if kind is None:
            raise PluginError(f"there is no hook {name}; {_meant(name)}")
        if options is None:
            raise PluginError(
                f"{name} is not marked with @hookimpl; write `from hub import hookimpl` and put "
                "@hookimpl above it"
            )
        if options["wrapper"] or options["hookwrapper"]:
            raise PluginError(f"{name} is a wrapper; expected a plain function that returns a list")
        found[kind] = getattr(plugin, name)
        _takes_nothing(name, found[kind])
    if not found:
        raise PluginError(
            "announces no driver: no function marked with @hookimpl; expected one of "
            f"{', '.join(HOOKS)}"
        )
    return {kind: found[kind] for kind in KINDS if kind in found}


def _meant(name: str) -> str:
    close = get_close_matches(name, list(HOOKS), n=1)
    return f"did you mean {close[0]}?" if close else f"expected one of {', '.join(HOOKS)}"


def _takes_nothing(name: str, hook: Hook) -> None:
    needed = [
        each.name
        for each in inspect.signature(hook).parameters.values()
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    if needed:
        raise PluginError(
            f"{name} wants {', '.join(needed)}; expected a function without arguments: what a "
            "driver needs comes as the `context` of its factory"
        )


def announced(hook: Hook) -> list[Any]:
    """What a hook returns, as a list; raises `PluginError` for what cannot be one, and whatever the
    hook raises.
    """
    result = hook()
    if isinstance(result, Driver):
        return [result]
    if result is None:
        raise PluginError("returned nothing; expected a list of Driver: does it lack a `return`?")
    if isinstance(result, CoroutineType):
        result.close()  # one that nobody awaits would warn
        raise PluginError("is asynchronous; expected a plain `def` that returns a list of Driver")
    if not isinstance(result, Iterable) or isinstance(result, str | bytes | Mapping):
        raise PluginError(f"expected a list of Driver, found {type(result).__name__}")
    return list(result)


def words(error: BaseException) -> str:
    """What was raised in one line, and where in the plugin's own code, as far as it tells."""
    own = elsewhere = ""
    trace = None if isinstance(error, SyntaxError) else error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<"):
            elsewhere = f" (line {trace.tb_lineno} of {file})"
            own = own if file.startswith(NOT_THEIRS) else elsewhere
        trace = trace.tb_next
    where = own or elsewhere
    try:
        text = " ".join(str(error).split())
    except Exception:  # an error's own text may be anybody's code
        text = "its text cannot be shown"
    shown = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return f"{type(error).__name__}: {shown}{where}" if shown else f"{type(error).__name__}{where}"
