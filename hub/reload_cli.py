"""`vestibule reload`, `vestibule config history` and `rollback`: look, then ask, then apply."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from hub.changes import changes
from hub.check import examine
from hub.clock import from_iso
from hub.control import ask
from hub.errors import NotReady, Refused, StateError, VestibuleError
from hub.kept import Kept, KeptConfigs, Standing, fingerprint, texts_of
from hub.storage.folder import StateFolder
from hub.yamlfile import read_yaml

DONE, REFUSED, NOBODY = 0, 1, 2
WORD = "DOORS"
SHOWN_CHANGES = 3


def reload(
    folder: StateFolder,
    *,
    kept: str = "",
    config: Path | None = None,
    dry_run: bool = False,
    yes: bool = False,
    confirm: bool = False,
    as_json: bool = False,
) -> int:
    """Show what the file (or a kept configuration) would change, ask, and have it applied.

    `yes` answers the first question, `confirm` the second. Returns the exit status. Raises
    `NotReady` where no hub runs and `Refused` with the hub's reason.
    """
    if config is not None:
        _refuse_another(ask(folder.run, {"do": "view"})["view"]["file"], config)
    plan = ask(folder.run, {"do": "look", "kept": kept})["plan"]
    if as_json:
        print(json.dumps(plan, indent=2, ensure_ascii=False))
    elif not plan["valid"]:
        show_problems(plan)
    else:
        show(plan)
    if not plan["valid"]:
        return REFUSED
    if dry_run or not plan["changes"]:
        return DONE
    if not (yes or _answered("Apply these changes?")):
        return _nothing("answer yes, or give --yes")
    if plan["grave"] and not (confirm or _confirmed(plan)):
        return _nothing(f"type {WORD}, or give --confirm, once you have read what they do")
    ask(folder.run, {"do": "apply", "plan": plan["id"], "confirmed": bool(plan["grave"])})
    print(f"Applied. Configuration {plan['id'][:12]} runs.", file=sys.stderr)
    return DONE


def _refuse_another(runs: str, config: Path) -> None:
    """What is reloaded is the file that the hub was started with."""
    if config.absolute().resolve() != Path(runs).resolve():
        raise Refused(f"the hub on this state folder runs {runs}, not {config}; start it on yours")


def show_problems(plan: dict[str, Any]) -> None:
    """The problems of a file, as `check` prints them; what ran runs on."""
    for each in plan["problems"]:
        where = f"{_near(each['file'])}:{each['line']}:{each['column']}: {each['path']}"
        hint = f" ({each['hint']})" if each["hint"] else ""
        print(f"{where}: {each['message']}{hint}")
    print("Not valid, so nothing was changed: what ran runs on.", file=sys.stderr)


def show(plan: dict[str, Any]) -> None:
    """What would change, key by key, and which instances that starts, stops or starts afresh."""
    if not plan["changes"]:
        print("Nothing to change: the file says what runs.")
        return
    sign = {"added": "+", "removed": "-", "changed": "~"}
    for each in plan["changes"]:
        mark = "!" if each["grave"] else " "
        if each["kind"] == "changed":
            words = f"{each['before']} → {each['after']}"
        else:
            words = each["after"] or each["before"]
        print(f"{mark}{sign[each['kind']]} {each['path']}: {words}")
    for verb, instances in plan["steps"].items():
        if instances:
            print(f"{verb}s {', '.join(instances)}")
    if plan["grave"]:
        print("Lines with ! touch doors, protocols or what a verified alert does.")


def _near(file: str) -> str:
    """The file's name from here, where it lies at or below here."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file


def history(folder: StateFolder, as_json: bool) -> int:
    """List the configurations that ran, newest first; works with and without a running hub."""
    try:
        view = ask(folder.run, {"do": "view"})["view"]
    except NotReady:
        view = {"trouble": "", "hash": "", "kept": _listed(folder)}
    if as_json:
        print(json.dumps(view, indent=2, ensure_ascii=False))
        return DONE
    if view["trouble"]:
        print(f"Degraded: {view['trouble']}.")
    what = _what_changed(KeptConfigs(folder.configs).every())
    for each in view["kept"]:
        now = "  runs now" if each["running"] else ""
        print(f"{each['hash']}  {_here(each['time'])}{now}{what.get(each['hash'], '')}")
    if not view["kept"]:
        print("Nothing was kept yet: a configuration is kept once a hub has started with it.")
    return DONE


def _here(time: str) -> str:
    """A moment on this machine's clock."""
    return f"{from_iso(time).astimezone():%Y-%m-%d %H:%M:%S}"


def _what_changed(every: list[Kept]) -> dict[str, str]:
    """By hash: where a kept configuration differs from the one that was kept before it."""
    found: dict[str, str] = {}
    for newer, older in pairwise(every):
        try:
            then, now = (read_yaml(kept.main, Path(kept.source).parent) for kept in (older, newer))
        except VestibuleError:
            continue
        paths = [change.path for change in changes(then, now)]
        more = f" and {len(paths) - SHOWN_CHANGES} more" if len(paths) > SHOWN_CHANGES else ""
        found[newer.short] = f"  {', '.join(paths[:SHOWN_CHANGES])}{more}"
    return found


def rollback(
    folder: StateFolder, hash_: str, *, dry_run: bool, yes: bool, confirm: bool, as_json: bool
) -> int:
    """Go back to a kept configuration, by default the one that ran before. The user's file is not
    touched; where no hub runs, the next start goes back.
    """
    try:
        view = ask(folder.run, {"do": "view"})["view"]
    except NotReady:
        return _at_next_start(folder, hash_, dry_run)
    others = [each["hash"] for each in view["kept"] if not each["running"]]
    if not hash_ and not others:
        raise StateError("no other configuration was kept, so there is nothing to go back to")
    return reload(
        folder,
        kept=hash_ or others[0],
        dry_run=dry_run,
        yes=yes,
        confirm=confirm,
        as_json=as_json,
    )


def _at_next_start(folder: StateFolder, hash_: str, dry_run: bool) -> int:
    configs = KeptConfigs(folder.configs)
    chosen = _pick(configs, hash_)
    source = Path(chosen.source)
    if examine(chosen.main, folder=source.parent).config is None:
        raise StateError(f"the kept configuration {chosen.short} is not valid any more")
    print(f"{chosen.short} of {_here(chosen.time)}, kept from {source}")
    if dry_run:
        return DONE
    try:
        now = fingerprint(texts_of(read_yaml(source)))
    except VestibuleError:
        now = ""
    with folder.lock():
        configs.stand(Standing(chosen.hash, now))
    print(f"No hub runs. The next start takes it, until {source.name} changes.", file=sys.stderr)
    return DONE


def _pick(configs: KeptConfigs, hash_: str) -> Kept:
    """The kept configuration of that hash, else the last but one that ran."""
    every = configs.every()
    if hash_ and every:
        return configs.find(Path(every[0].source), hash_)
    if len(every) < 2:
        raise StateError("no other configuration was kept, so there is nothing to go back to")
    return every[1]


def _listed(folder: StateFolder) -> list[dict[str, Any]]:
    return [
        {"hash": one.short, "time": one.time, "running": False}
        for one in KeptConfigs(folder.configs).every()
    ]


def _answered(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _confirmed(plan: dict[str, Any]) -> bool:
    if not sys.stdin.isatty():
        return False
    print("These change doors, protocols or what a verified alert does:", file=sys.stderr)
    for path in plan["grave"]:
        print(f"  {path}", file=sys.stderr)
    print(f"Type {WORD} to confirm them: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() == WORD


def _nothing(cure: str) -> int:
    print(f"Nothing was changed: {cure}.", file=sys.stderr)
    return REFUSED
