"""Trials of rules: one at a time, each in a process of its own, followed as it goes.

A trial only reads. What it found is kept in memory until others take its place; that somebody
tried a rule is a line of the audit.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog

from hub.clock import Clock, iso
from hub.errors import Refused
from hub.events import new_id
from hub.kept import texts_of
from hub.phrases import phrase
from hub.ports import ConfigurationFacade
from hub.rules_port import TrialView
from hub.storage import audit
from hub.storage.audit_acts import Act
from hub.storage.folder import StateFolder
from hub.storage.journal import Journal

WITHIN_S = 300.0
KNOWN = 8
LONGEST_LINE = 1 << 20

log = structlog.get_logger(__name__)


@dataclass
class _Asked:
    """A trial, and what its process is given."""

    view: TrialView
    given: dict[str, Any] = field(repr=False)


class RuleTrials:
    """Runs trials of what runs, or of another text. `run` has to run while the hub does."""

    def __init__(
        self, journal: Journal, state: StateFolder, clock: Clock, configuration: ConfigurationFacade
    ) -> None:
        self._journal, self._state, self._clock = journal, state, clock
        self._configuration = configuration
        self._trials: dict[str, _Asked] = {}
        self._wanted: asyncio.Queue[_Asked] = asyncio.Queue(1)

    def tasks(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What has to run while the hub does, by name."""
        return {"rule trials": self.run}

    def view(self, trial: str) -> TrialView:
        """How a trial is getting on. Raises `KeyError`."""
        return self._trials[trial].view

    async def begin(self, rule: str, by: str, days: int, text: str) -> TrialView:
        """Try a rule, as it runs or by another text. Raises `Refused` while another is tried."""
        if any(each.view["state"] in ("waits", "runs") for each in self._trials.values()):
            raise Refused(phrase("Another rule is being tried. Wait until that is done."))
        now = self._clock.now()
        since, until = iso(now - timedelta(days=days)), iso(now)
        view = TrialView(
            id=new_id(), rule=rule, by=by, since=since, until=until, state="waits", done=0, of=0,
            text=text, trouble="", mistakes=[], found=None,
        )  # fmt: skip
        trial = _Asked(view, self._given(view))
        self._keep(trial)
        act = Act("rule.tried", by, rule, details={"since": since, "edited": bool(text)})
        try:
            await self._journal.write(lambda c: audit.append(c, act, now))
        except BaseException:
            del self._trials[view["id"]]
            raise
        self._wanted.put_nowait(trial)
        return view

    def _given(self, view: TrialView) -> dict[str, Any]:
        document = self._configuration.running()
        texts = texts_of(document)
        return {
            "texts": {name: raw.decode("utf-8", "replace") for name, raw in texts.items()},
            "main": document.files[0].name,
            "beside": str(self._configuration.folder),
            "models": str(self._state.models),
            "journal": str(self._state.journal),
            **{key: view[key] for key in ("rule", "text", "since", "until")},
        }

    def _keep(self, trial: _Asked) -> None:
        while len(self._trials) >= KNOWN:
            del self._trials[next(iter(self._trials))]
        self._trials[trial.view["id"]] = trial

    # ------------------------------------------------------------------------- running

    async def run(self) -> None:
        """Carry out what is wanted, one after the other, for ever."""
        while True:
            trial = await self._wanted.get()
            try:
                async with asyncio.timeout(WITHIN_S):
                    await self._try(trial)
            except TimeoutError:
                self._fail(trial, phrase("It took longer than %(s)s s.", s=f"{WITHIN_S:g}"))
            except ValueError as error:  # it says what is no JSON, or more than fits
                log.error("a trial of a rule cannot be heard", reason=type(error).__name__)
                self._fail(trial, phrase("It ended before it had found anything."))
            except OSError as error:
                self._fail(trial, phrase("It could not be started: %(why)s", why=str(error)))
            except BaseException:
                self._fail(trial, phrase("The hub stopped."))
                raise

    async def _try(self, trial: _Asked) -> None:
        trial.view["state"] = "runs"
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "hub.rule_trial",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=LONGEST_LINE,
        )  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            with suppress(ConnectionError):
                child.stdin.write(json.dumps(trial.given).encode())
                await child.stdin.drain()
                child.stdin.close()
            async for line in child.stdout:
                self._hear(trial, json.loads(line))
            await child.wait()
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        if trial.view["state"] == "runs":
            log.error("a rule could not be tried", rule=trial.view["rule"], code=child.returncode)
            self._fail(trial, phrase("It ended before it had found anything."))

    def _hear(self, trial: _Asked, said: Mapping[str, Any]) -> None:
        view = trial.view
        if "progress" in said:
            view["done"], view["of"] = said["progress"]
        elif "found" in said:
            view["found"], view["state"] = said["found"], "done"
        elif "mistakes" in said:
            view["mistakes"], view["state"] = said["mistakes"], "invalid"
        else:
            self._fail(trial, str(said["trouble"]))

    @staticmethod
    def _fail(trial: _Asked, why: str) -> None:
        trial.view["state"], trial.view["trouble"] = "failed", why
