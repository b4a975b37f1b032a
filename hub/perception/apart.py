"""A detector from outside, as a worker asks it: in its own process, every call with a deadline.

Pixels go over in memory that both processes share, questions and answers as JSON over a socket. A
detector that raises, blocks, hangs, floods or dies takes its process, not the worker and not the
other detectors' cameras.
"""

from __future__ import annotations

import json
import logging
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from hub.backoff import Backoff
from hub.clock import Clock
from hub.errors import ModelError, NotReady, PluginError, VestibuleError
from hub.kinds.detectors import Crop, Detection, DetectorInfo
from hub.link import Message
from hub.perception.crossing import SHARED, Build, batches, crops_out, found_in
from hub.plugin_process import FAULTS, SLOW_AFTER_S, WITHIN_S, environment
from hub.procfs import waited_s
from hub.silence import MOST_FORGIVEN_S

log = logging.getLogger(__name__)

MODULE = "hub.perception.detector_host"
BUILT_WITHIN_S = 25.0
ANSWERS_WITHIN_S = 10.0
CLOSED_WITHIN_S = 1.0
MOST_ANSWER = 1 << 20  # bytes

Misbehaved = Callable[[str, str, str], None]  # plugin, what it does, in words; from any thread


class DetectorApart:
    """A detector over all the lives of its process. It starts at once; `wait` says how that went.

    `misbehaved` is told what it does wrong. After five faults in two minutes, or five answers in a
    row that were errors, `quarantine` says so and it is left alone for good.
    """

    def __init__(self, build: Build, clock: Clock, misbehaved: Misbehaved) -> None:
        self.quarantine = ""
        self._build = build
        self._clock = clock
        self._misbehaved = misbehaved
        self._info: DetectorInfo | None = None
        self._refusal: VestibuleError | None = None
        self._known = threading.Event()  # the first life has begun, or cannot
        self._closed = threading.Event()
        self._faults: deque[float] = deque(maxlen=FAULTS)
        self._errors = 0
        self._killed_for: tuple[str, str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._descriptor = os.memfd_create("crops")
        os.ftruncate(self._descriptor, SHARED)
        self._memory = mmap.mmap(self._descriptor, SHARED)
        self._shared = np.frombuffer(self._memory, np.uint8)
        # The process asks Linux to die with the thread that started it: so this one starts it each
        # time and lives as long as the detector.
        self._keeper = threading.Thread(target=self._keep, name=f"keep {build.name}", daemon=True)
        self._keeper.start()

    # ----------------------------------------------------------- the contract

    def wait(self) -> None:
        """Wait until it can say what it is; blocking. Raises what its factory raised."""
        self._known.wait(BUILT_WITHIN_S + CLOSED_WITHIN_S)
        if self._refusal is not None:
            raise self._refusal
        if self._info is None:
            raise PluginError(f"it was not built within {BUILT_WITHIN_S:g} s")

    @property
    def info(self) -> DetectorInfo:
        """What it said of itself. Raises `NotReady` before `wait` has returned."""
        if self._info is None:
            raise NotReady("it has not been built yet")
        return self._info

    def infer(self, crops: Sequence[Crop]) -> list[list[Detection]]:
        """One list for each crop. Raises `NotReady` while its process is away, `PluginError` for an
        answer that is none.
        """
        found: list[list[Detection]] = []
        for some in batches(crops):
            found += self._ask(some)
        return found

    def close(self) -> None:
        """End its process."""
        self._closed.set()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        if threading.current_thread() is not self._keeper:
            self._keeper.join(CLOSED_WITHIN_S)
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()

    # -------------------------------------------------------------- one question

    def _ask(self, crops: Sequence[Crop]) -> list[list[Detection]]:
        connection = self._connection
        if connection is None:
            raise NotReady(self.quarantine or "its process is being started again")
        question = {"crops": crops_out(self._shared, crops)}
        answer = self._talk(connection, question, ANSWERS_WITHIN_S, "a look at pictures")
        if "raised" in answer:
            self._errors += 1
            why = str(answer["raised"])
            if self._errors == 1:
                self._tell("raises", why)
            if self._errors == FAULTS:
                self._leave_alone(f"quarantined after {FAULTS} errors in a row; last: {why}")
            raise PluginError(why)
        try:
            found = found_in(answer["found"], len(crops))
        except (KeyError, TypeError, ValueError) as error:
            self._kill("is not understood", str(error))
            raise PluginError(f"its answer is not understood: {error}") from None
        self._errors = 0
        return found

    def _talk(self, connection: Connection, question: Any, within_s: float, what: str) -> Message:
        """Ask and wait; raises `NotReady` where there is no answer."""
        pid = self._process.pid if self._process is not None else 0
        before = waited_s(pid)
        try:
            connection.send_bytes(json.dumps(question).encode())
            if not connection.poll(SLOW_AFTER_S):
                self._tell("hangs", f"{what} has taken {SLOW_AFTER_S:g} s so far")
                if not (
                    connection.poll(within_s - SLOW_AFTER_S)
                    or connection.poll(min(waited_s(pid) - before, MOST_FORGIVEN_S))
                ):
                    self._kill("hangs", f"{what} did not end within {within_s:g} s")
                    raise NotReady(f"{what} did not end within {within_s:g} s")
            answer: Message = json.loads(connection.recv_bytes(MOST_ANSWER))
        except (OSError, EOFError) as error:
            self._connection = None
            if str(error) == "bad message length":
                self._kill("floods", f"an answer of more than {MOST_ANSWER >> 20} MiB")
            raise NotReady("its process has ended; it is started again") from None
        return answer

    def _tell(self, what: str, why: str) -> None:
        log.error("the detector %s of %s %s: %s", self._build.name, self._build.plugin, what, why)
        self._misbehaved(self._build.plugin, what, f"{self._build.name}: {why}")

    def _kill(self, what: str, why: str) -> None:
        self._killed_for = what, why
        self._connection = None
        if self._process is not None:
            self._process.kill()

    # --------------------------------------------------------------------- lives

    def _keep(self) -> None:
        """Start the process, again whenever it has ended, until closed or given up."""
        backoff = Backoff(0.2, 5.0)
        while not self._closed.is_set() and not self.quarantine:
            try:
                self._begin()
            except (ModelError, PluginError) as error:
                self._refusal = error
                break
            except (NotReady, OSError) as error:
                log.debug("the detector %s did not start: %s", self._build.name, error)
            else:
                self._known.set()
                self._wait_for_its_end()
            self._end()
            if not self._closed.is_set() and not self.quarantine:
                self._died()
            self._closed.wait(backoff.delay())
        self._end()
        self._known.set()
        os.close(self._descriptor)

    def _wait_for_its_end(self) -> None:
        if self._process is not None:
            self._process.wait()

    def _begin(self) -> None:
        """One life: start the process and have the detector built."""
        ours, theirs = socket.socketpair()
        passed = (theirs.fileno(), self._descriptor)
        try:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-P", "-m", MODULE, *map(str, passed)],
                pass_fds=passed,
                stdin=subprocess.DEVNULL,
                env=environment(),
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        connection = Connection(ours.detach())
        answer = self._talk(connection, asdict(self._build), BUILT_WITHIN_S, "building it")
        if "raised" in answer:
            known = ModelError if answer["name"] == "ModelError" else PluginError
            raise known(str(answer["raised"]))
        said = answer["info"]
        lists = {key: tuple(said[key]) for key in ("labels", "input_sizes")}
        self._info = DetectorInfo(**{**said, **lists})
        self._killed_for = None
        if self._closed.is_set():
            connection.close()
        else:
            self._connection = connection

    def _died(self) -> None:
        what, why = self._killed_for or ("dies", f"its process ended ({self._how_it_ended()})")
        self._killed_for = None
        self._fault(what, why)

    def _how_it_ended(self) -> str:
        code = self._process.returncode if self._process is not None else 0
        return signal.Signals(-code).name if code < 0 else f"exit status {code}"

    def _fault(self, what: str, why: str) -> None:
        now = self._clock.monotonic()
        self._faults.append(now)
        self._tell(what, why)
        if len(self._faults) == FAULTS and now - self._faults[0] < WITHIN_S:
            self._leave_alone(f"quarantined after {FAULTS} faults in {WITHIN_S:g} s; last: {why}")

    def _leave_alone(self, why: str) -> None:
        self.quarantine = why
        if self._info is None:
            self._refusal = PluginError(why)
        self._tell("is quarantined", why)
        self._kill("is quarantined", why)

    def _end(self) -> None:
        """Let go of what one life had."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        process = self._process
        if process is not None:
            if process.poll() is None:
                process.kill()
            process.wait()
