"""A look at plugins from outside, in a process of its own, before this one imports them.

`python -m hub.preflight FD` imports each plugin of a list and calls its hooks, one after the other,
and says on the descriptor how far it came. Whoever asks holds the watch: what hangs, ends the
process, takes too much memory, floods its output or starts processes is broken, and the rest is
looked at by a new process. This guards against accidents, not against malice.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Self

from hub.announcements import announced, hooks_of, words
from hub.clock import SystemClock
from hub.discovery import Found
from hub.errors import PluginError
from hub.procfs import die_with_parent

WITHIN_S = 5.0
START_WITHIN_S = 30.0
TICK_S = 0.05
IMPORTING, ANNOUNCING = "importing", "announcing its drivers"
MOST_MEMORY = 1 << 30
MOST_OUTPUT = 1 << 16
READ_AT_ONCE = 1 << 16
REFUSED = frozenset({"os.fork", "os.forkpty", "os.exec"})
BECOME_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, prctl(2)
# What a program needs to run. The rest may hold secrets, whose names nobody knows at this point.
ENVIRONMENT = frozenset({
    "HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "LOGNAME", "NUMBA_CACHE_DIR", "PATH",
    "PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPYCACHEPREFIX", "PYTHONUTF8", "SSL_CERT_DIR",
    "SSL_CERT_FILE", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV", "XDG_CACHE_HOME",
})  # fmt: skip

_clock = SystemClock()
_known: dict[str, str] = {}
_turn = Lock()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look found: why a plugin is broken, empty for a sound one.

    A `lasting` one holds as long as the plugin's code is the same. What an import raised may be
    mended from outside, by installing what it lacks.
    """

    reason: str = ""
    lasting: bool = True


def look(
    plugins: Sequence[Found], within_s: float = WITHIN_S, most_memory: int = MOST_MEMORY
) -> dict[Found, str]:
    """Why each of the plugins is broken, an empty text for a sound one; blocking.

    Each has `within_s` seconds and `most_memory` bytes. What was found is remembered in this
    process until the plugin's code changes.
    """
    with _turn:
        said = {one: Verdict(_known[one.stamp]) for one in plugins if one.stamp in _known}
        waiting = [one for one in plugins if one not in said]
        while waiting:
            told = dict(_looked_at_by_one(waiting, within_s, most_memory))
            said |= told
            waiting = [one for one in waiting if one not in told]
        _known.update({one.stamp: each.reason for one, each in said.items() if each.lasting})
        return {one: said[one].reason for one in plugins}


def looked_at() -> dict[str, str]:
    """What is remembered, for another process to `trust`: by a plugin's stamp why it is broken."""
    return dict(_known)


def trust(known: Mapping[str, str]) -> None:
    """Take over what another process found, so that this one need not look again."""
    _known.update(known)


def _looked_at_by_one(
    plugins: Sequence[Found], within_s: float, most_memory: int
) -> Iterator[tuple[Found, Verdict]]:
    """Verdicts as far as one process comes; at least one."""
    try:
        child = _Child(plugins, most_memory)
    except OSError as error:
        verdict = Verdict(f"could not be looked at: {error.strerror}", lasting=False)
        yield from ((one, verdict) for one in plugins)
        return
    with child:
        if reason := child.until("ready", START_WITHIN_S):
            verdict = Verdict(f"could not be looked at: the process for it {reason}", lasting=False)
            yield from ((one, verdict) for one in plugins)
            return
        for one in plugins:
            verdict, alive = child.verdict(within_s)
            if not alive and not child.hangs and len(plugins) > 1:
                break  # perhaps another one did this
            yield one, verdict
            if not alive:
                return
        else:
            return
    yield from _looked_at_by_one([one], within_s, most_memory)


class _Child:
    """The process that looks, as the one that asked sees it."""

    def __init__(self, plugins: Sequence[Found], most_memory: int) -> None:
        self.hangs = False
        self._most_memory = most_memory
        self._lines: list[bytes] = []
        self._half = b""
        self._printed = 0
        self._answers, answers = os.pipe()
        self._output, output = os.pipe()
        try:
            with tempfile.TemporaryFile() as question:
                question.write(json.dumps([asdict(one) for one in plugins]).encode())
                question.seek(0)
                self._process = subprocess.Popen(  # noqa: S603 - our own module
                    [sys.executable, "-P", "-m", "hub.preflight", str(answers)],
                    stdin=question, stdout=output, stderr=output, pass_fds=(answers,),
                    env=_environment(), start_new_session=True,
                )  # fmt: skip
        except OSError:
            os.close(self._answers)
            os.close(self._output)
            raise
        finally:
            os.close(answers)
            os.close(output)
        self._selector = selectors.DefaultSelector()
        for descriptor in (self._output, self._answers):
            os.set_blocking(descriptor, False)
            self._selector.register(descriptor, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()
        self._selector.close()
        os.close(self._answers)
        os.close(self._output)

    def verdict(self, within_s: float) -> tuple[Verdict, bool]:
        """What becomes of the next plugin, and whether the process lives to see another."""
        deadline = _clock.monotonic() + within_s
        doing = IMPORTING
        while True:
            answer = self._next(deadline)
            if isinstance(answer, str):
                self.hangs = not answer
                reason = answer or f"did not finish {doing} within {within_s:g} s"
                return Verdict(_advised(reason, doing)), False
            match answer:
                case ["imported"]:
                    doing = ANNOUNCING
                case ["looked", str(reason), bool(lasting)]:
                    self._printed = 0
                    return Verdict(reason, lasting), True

    def until(self, word: str, within_s: float) -> str:
        """Wait for a word; returns what happened instead."""
        # The first plugin may have printed a lot by the time at which the word is read.
        answer = self._next(_clock.monotonic() + within_s, bounded=False)
        if answer == [word]:
            return ""
        return answer if isinstance(answer, str) and answer else "did not start"

    def _next(self, deadline: float, bounded: bool = True) -> Any:
        """The next answer as JSON; a text says what ended the process, none that time is up."""
        while not self._lines:
            left = deadline - _clock.monotonic()
            if left <= 0:
                return ""
            ended = self._end()
            self._selector.select(0.0 if ended else min(left, TICK_S))
            self._read_output()
            self._read_answers()
            if bounded and self._printed > MOST_OUTPUT:
                return f"printed more than {MOST_OUTPUT >> 10} KiB"
            if not self._lines and ended:
                return ended
            if _memory(self._process.pid) > self._most_memory:
                return f"took more than {self._most_memory >> 20} MiB of memory"
        return json.loads(self._lines.pop(0))

    def _read_output(self) -> None:
        while self._printed <= MOST_OUTPUT and (read := self._read(self._output)):
            self._printed += len(read)

    def _read_answers(self) -> None:
        while read := self._read(self._answers):
            *lines, self._half = (self._half + read).split(b"\n")
            self._lines += lines

    def _read(self, descriptor: int) -> bytes:
        """What is there to be read now."""
        if descriptor not in self._selector.get_map():
            return b""
        try:
            read = os.read(descriptor, READ_AT_ONCE)
        except BlockingIOError:
            return b""
        if not read:
            self._selector.unregister(descriptor)
        return read

    def _end(self) -> str:
        """How it ended, in words; empty while it runs. It stays known to Linux until it is killed,
        so that nobody else gets its number.
        """
        left = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if left is None:
            return ""
        if left.si_code == os.CLD_EXITED:
            return f"ended the process (exit status {left.si_status})"
        with contextlib.suppress(ValueError):
            return f"ended the process ({signal.Signals(left.si_status).name})"
        return f"ended the process (signal {left.si_status})"

    def _kill(self) -> None:
        """End it and what it started."""
        _kill_children(self._process.pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _advised(reason: str, doing: str) -> str:
    while_doing = reason if doing in reason else f"{reason} while {doing}"
    return f"{while_doing}; that should only define, and leave work to a driver that is started"


def _environment() -> dict[str, str]:
    kept = {
        name: text
        for name, text in os.environ.items()
        if name in ENVIRONMENT or name.startswith("LC_")
    }
    return kept | {"PYTHONPATH": os.pathsep.join(each or os.getcwd() for each in sys.path)}  # noqa: PTH109


def _memory(pid: int) -> int:
    """The resident memory of a process in bytes; 0 when it is gone."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * resource.getpagesize()


def _kill_children(pid: int) -> None:
    """End all that a process has started, and what that has started."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            parents.setdefault(parent, []).append(int(stat.parent.name))
    waiting = parents.get(pid, [])
    while waiting:
        child = waiting.pop()
        waiting += parents.get(child, [])
        with contextlib.suppress(OSError):
            os.kill(child, signal.SIGKILL)


# ------------------------------------------------------------------- in the process that looks


class _Watch:
    """What a plugin must not do, noted when it is tried."""

    def __init__(self) -> None:
        self.tried = ""
        sys.addaudithook(self._heard)

    def _heard(self, event: str, _: object) -> None:
        if event in REFUSED:
            self.tried = f"tried to copy or replace the process ({event})"
            raise RuntimeError(f"a plugin may not call {event} while it is imported")

    def found(self) -> str:
        """What was done since the last time, in words."""
        tried, self.tried = self.tried, ""
        return tried or ("left a process running" if _left_a_process() else "")


def _left_a_process() -> bool:
    """Whether there is a child that nobody has waited for; it is ended. One that has ended by
    itself counts: a copy of this process, which has nothing to say, may be quicker than we are.
    """
    ended = False
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            ended = True
    except ChildProcessError:
        return ended
    _kill_children(os.getpid())
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    return True


def _prepare() -> None:
    """Be the first to go, leave no core, and become the parent of what is left behind."""
    die_with_parent()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    with contextlib.suppress(OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(BECOME_SUBREAPER, 1)


def _looked(one: Found, watch: _Watch, say: Callable[..., None]) -> Verdict:
    """Import it and call its hooks."""
    raised = ""
    doing = IMPORTING
    try:
        plugin = one.load()
        if not (done := watch.found()):
            say("imported")
            doing = ANNOUNCING
            _call_hooks(plugin)
            done = watch.found()
    except BaseException as error:  # anybody's code
        raised, done = words(error), watch.found()
    return Verdict(_advised(done, doing)) if done else Verdict(raised, lasting=not raised)


def _call_hooks(plugin: object) -> None:
    """Call each; what is raised, and what the hub refuses about them, it says itself later."""
    with contextlib.suppress(PluginError):
        for hook in hooks_of(plugin).values():
            with contextlib.suppress(Exception, SystemExit):
                announced(hook)


def main() -> None:
    """The process."""
    descriptor = int(sys.argv[1])
    os.set_inheritable(descriptor, False)
    me = os.getpid()

    def say(*message: object) -> None:
        if os.getpid() != me:
            os._exit(1)  # a copy that native code has made has nothing to say
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(descriptor, json.dumps(message).encode() + b"\n")

    plugins = [Found(**each) for each in json.load(sys.stdin)]
    _prepare()
    watch = _Watch()
    say("ready")
    for one in plugins:
        verdict = _looked(one, watch, say)
        say("looked", verdict.reason, verdict.lasting)
    os._exit(0)  # a plugin's threads and last wishes must not keep the process


if __name__ == "__main__":
    main()
