"""The configuration as it lives: the user's file, what runs, what was kept, and the way between.

Nothing changes by itself. Somebody looks (`vestibule reload`, SIGHUP, the page), sees what would
change, and says so; changes that touch doors or protocols are confirmed a second time. A file that
is invalid or does not start leaves what runs running, and the hub says that it is *degraded*: until
that is mended, nothing that destroys anything runs.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from hub.changeover import CannotChangeOver, Running, change_over, settled
from hub.changes import Change, Steps, changes, edited_plugins, steps
from hub.check import Examined, examine
from hub.chosen import Chosen, invalid_words
from hub.clock import iso
from hub.config_text import files_shown
from hub.config_text_views import FileTextView
from hub.document import Document
from hub.errors import CannotCheck, PluginError, Problem, Refused, StateError
from hub.events import Event
from hub.kept import Kept, KeptConfigs, Standing, Texts, fingerprint, texts_of
from hub.views import ConfigurationView, PlanView
from hub.yamlfile import read_yaml

log = structlog.get_logger("configuration")

SHOWN_PATHS = 20
LOOK_WITHIN_S = 30.0


@dataclass(frozen=True)
class Plan:
    """What a look found: the problems of the file, or what taking it over would change."""

    examined: Examined | None
    texts: Texts
    problems: tuple[Problem, ...]
    changes: tuple[Change, ...]
    steps: Steps
    kept: Kept | None = None

    @property
    def id(self) -> str:
        """The hash of what would run."""
        return fingerprint(self.texts)

    @property
    def grave(self) -> tuple[Change, ...]:
        """The changes that are confirmed a second time."""
        return tuple(change for change in self.changes if change.grave)

    def view(self) -> PlanView:
        """The plan as pages, API and command line show it."""
        return PlanView(
            id=self.id,
            kept=self.kept.short if self.kept else "",
            valid=not self.problems,
            problems=[problem.as_dict() for problem in self.problems],
            changes=[change.as_dict() for change in self.changes],
            steps=self.steps.as_dict(),
            grave=[change.path for change in self.grave],
        )


class Configuration:
    """One running hub's configuration. Satisfies `hub.ports.ConfigurationFacade`."""

    def __init__(self, hub: Running, file: Path, chosen: Chosen, kept: KeptConfigs) -> None:
        self.file = file
        self.trouble = self._instead = chosen.trouble
        self._hub = hub
        self._kept = kept
        self._running = chosen.examined
        self._texts = chosen.texts
        self._from = chosen.kept
        self._since = iso(hub.clock.now())
        self._plan: Plan | None = None
        self._did_not_start = ""
        self._turn = asyncio.Lock()
        self._asked = asyncio.Event()

    @property
    def degraded(self) -> bool:
        """Whether what runs is not what the file says; then nothing destructive runs."""
        return bool(self.trouble)

    @property
    def waiting(self) -> str:
        """In words, what somebody has to confirm; empty where nothing waits."""
        plan = self._plan
        if plan is None or not plan.changes or plan.problems:
            return ""
        number = len(plan.changes)
        return f"{number} {'change waits' if number == 1 else 'changes wait'} to be confirmed"

    def ask(self) -> None:
        """Look at the file soon, and take over what nobody has to confirm (SIGHUP)."""
        self._asked.set()

    async def follow(self) -> None:
        """Keep what runs once it has started, then answer every `ask`, for ever."""
        failed = await settled(self._hub, list(self._hub.drivers.instances()))
        if self._from is None and not failed:
            await self._keep(self._texts, None)
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self._on_signal()

    @property
    def folder(self) -> Path:
        """Where the file lies, and beside it its secrets and plugins."""
        return self.file.parent

    def running(self) -> Document:
        """The file that runs, as it was read."""
        return self._running.document

    async def view(self) -> ConfigurationView:
        """What runs, since when, why it is not the file, and what was kept."""
        running = fingerprint(self._texts)
        every = await asyncio.to_thread(self._kept.of, self.file)
        return ConfigurationView(
            file=str(self.file),
            hash=running[:12],
            since=self._since,
            kept_runs=self._from is not None,
            trouble=self.trouble,
            waiting=self.waiting,
            kept=[
                {"hash": one.short, "time": one.time, "running": one.hash == running}
                for one in every
            ],
        )

    async def look(self, kept: str = "") -> PlanView:
        """Read the file, or the kept configuration whose hash begins so, and say what taking it
        over would change. Raises `Refused` where there is nothing to look at.
        """
        async with self._turn:
            plan = await self._look(kept)
            self._plan = plan
            await self._judge(plan)
            return plan.view()

    async def text(self, kept: str = "") -> list[FileTextView]:
        """What a look would read, line by line, with its mistakes and without what is secret."""
        async with self._turn:
            plan = await self._look(kept)
        root = plan.kept.main.parent if plan.kept else self.file.parent
        return files_shown(plan.texts, plan.problems, root, self._hub.registry)

    async def apply(self, plan: str, by: str, *, confirmed: bool = False) -> PlanView:
        """Take over what the latest look found, and answer with what changed.

        `plan` is that look's id, so that nobody applies what they have not seen. Raises `Refused`
        with the reason; then what ran runs on.
        """
        async with self._turn:
            found = self._plan
            if found is None or found.id != plan:
                raise Refused("this is not what was looked at last; look again, then apply")
            if found.problems:
                raise Refused(
                    "the file %(name)s %(count)s; what ran runs on",
                    name=self.file.name,
                    count=invalid_words(found.problems),
                )
            if found.grave and not confirmed:
                paths = ", ".join(change.path for change in found.grave[:SHOWN_PATHS])
                raise Refused(
                    "changes of doors or protocols need a second confirmation: %(paths)s",
                    paths=paths,
                )
            await self._take_over(found, by)
            return found.view()

    # ----------------------------------------------------------------- inside

    async def _on_signal(self) -> None:
        try:
            view = await self.look()
            if not view["valid"] or not view["changes"] or await self._went_back():
                return
            for change in self._plan.changes if self._plan else ():
                log.info("the configuration has changed", change=str(change))
            if view["grave"]:
                log.warning("a changed configuration waits to be confirmed", grave=view["grave"])
                await self._tell("config.waiting", "SIGHUP", self._plan)
                return
            await self.apply(view["id"], "SIGHUP")
        except Refused as refusal:
            log.error("the configuration was not changed", reason=str(refusal))

    async def _went_back(self) -> bool:
        """Whether somebody went back from the very file that lies there: a signal leaves that."""
        standing = await asyncio.to_thread(self._kept.standing)
        return standing is not None and standing.instead_of == await self._file_hash()

    async def _look(self, kept: str) -> Plan:
        copy: Kept | None = None
        try:
            if kept:
                copy = await asyncio.to_thread(self._kept.find, self.file, kept)
            where = copy.main if copy else self.file
            async with asyncio.timeout(LOOK_WITHIN_S):  # a plugin may hang when it is imported
                examined = await asyncio.to_thread(
                    examine, where, folder=self.file.parent, secrets=self._hub.secrets
                )
        except TimeoutError:
            wrong = f"reading it took more than {LOOK_WITHIN_S:g} s; what ran runs on"
            if not kept:
                self.trouble = f"the file {self.file.name}: {wrong}"
            raise Refused(wrong) from None
        except (CannotCheck, PluginError, StateError) as error:
            if not kept:
                self.trouble = f"{error}; what ran runs on"
            raise Refused("%(error)s; what ran runs on", error=error) from None
        if examined.config is None:
            problems = tuple(examined.problems)
            return Plan(None, texts_of(examined.document), problems, (), Steps(), copy)
        hub = self._hub
        todo = steps(hub.config, examined.config, hub.registry, examined.registry)
        hidden = self._running.hidden | examined.hidden
        different = changes(self._running.document, examined.document, hidden)
        told = [change.path for change in different]
        parts = (hub.config, examined.config, hub.registry, examined.registry)
        different += edited_plugins(*parts, told)
        return Plan(examined, texts_of(examined.document), (), tuple(different), todo, copy)

    async def _judge(self, plan: Plan) -> None:
        """What the look at the user's own file means for what runs."""
        if plan.kept is not None:
            return
        if plan.problems:
            self.trouble = (
                f"the file {self.file.name} {invalid_words(plan.problems)}; what ran runs on"
            )
            for problem in plan.problems:
                log.error("the configuration is not valid", problem=str(problem))
        elif not plan.changes and plan.examined is not None:
            # The file says what runs, whatever became of its comments.
            different = plan.id != fingerprint(self._texts) or self._from is not None
            self._running, self._texts, self._from = plan.examined, plan.texts, None
            self.trouble = self._instead = ""
            if different:
                await self._keep(plan.texts, None)
        elif plan.id != self._did_not_start:
            # A sound file that waits to be taken over is no trouble; what ran instead of it is.
            self.trouble = self._instead

    async def _take_over(self, plan: Plan, by: str) -> None:
        examined = plan.examined
        assert examined is not None
        assert examined.config is not None
        try:
            await change_over(self._hub, examined.config, examined.registry)
        except CannotChangeOver as error:
            if plan.kept is None:
                self._did_not_start = plan.id
                self.trouble = f"the file {self.file.name} does not start: {error}"
            await self._tell("config.refused", by, plan, reason=str(error))
            raise Refused(str(error)) from None
        instead_of = await self._file_hash() if plan.kept else ""
        self._running, self._texts, self._from = examined, plan.texts, plan.kept
        self._since = iso(self._hub.clock.now())
        self._plan = None
        self.trouble = ""
        if plan.kept is not None and plan.kept.hash != instead_of:
            self.trouble = (
                f"the kept configuration {plan.kept.short} runs, not the file {self.file.name}"
            )
        elif plan.kept is not None:
            self._from = None
        self._instead = self.trouble
        await self._tell("config.changed", by, plan)
        standing = Standing(plan.kept.hash, instead_of) if self._from and plan.kept else None
        await self._keep(plan.texts, standing)

    async def _file_hash(self) -> str:
        """The hash of the file as it is; empty where it cannot be read."""
        try:
            return fingerprint(texts_of(await asyncio.to_thread(read_yaml, self.file)))
        except CannotCheck:
            return ""

    async def _keep(self, texts: Texts, standing: Standing | None) -> None:
        time = iso(self._hub.clock.now())
        try:
            await asyncio.to_thread(self._kept.keep, self.file, texts, time)
            await asyncio.to_thread(self._kept.stand, standing)
        except StateError as error:
            log.error("the configuration runs but was not kept", reason=str(error))

    async def _tell(self, kind: str, by: str, plan: Plan | None, **more: Any) -> None:
        data: dict[str, Any] = {"by": by, "file": str(self.file), **more}
        if plan is not None:
            data |= {
                "hash": plan.id,
                "kept": plan.kept is not None,
                "changes": [change.path for change in plan.changes[:SHOWN_PATHS]],
                "grave": [change.path for change in plan.grave[:SHOWN_PATHS]],
                **plan.steps.as_dict(),
            }
        event = Event(kind, "hub", self._hub.clock.now(), "configuration", data)
        try:
            await self._hub.accept(event)
        except StateError as error:
            log.error("a change of the configuration was not journaled", reason=str(error))
