"""A real hub in a process of its own, for tests that talk to it as its users do."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

START_WITHIN_S = 60.0


class RunningHub:
    """`vestibule run CONFIG` on a free port. Use it as a context manager, or `start` and `stop`.

    `python` is the interpreter of the environment that the hub is installed in, this one unless
    said otherwise.
    """

    def __init__(
        self,
        config: Path,
        state: Path,
        cache: Path | None = None,
        arguments: tuple[str, ...] = (),
        python: Path | str = sys.executable,
    ) -> None:
        self.config = config
        self.state = state
        self.arguments = arguments
        self.address = ""
        self.printed: list[str] = []
        self.python = str(python)
        self._env = dict(os.environ) | ({"CACHE_DIRECTORY": str(cache)} if cache else {})
        self._process: subprocess.Popen[str] | None = None
        self._token = ""

    def __enter__(self) -> RunningHub:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()

    @property
    def pid(self) -> int:
        """The hub's process id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it has said where its pages are."""
        self.state.mkdir(parents=True, exist_ok=True)
        log = (self.state / "stderr.txt").open("a", encoding="utf-8")
        self._process = subprocess.Popen(
            [
                self.python, "-m", "hub", "run", str(self.config),
                "--state", str(self.state), "--port", "0", *self.arguments,
            ],
            stdout=subprocess.PIPE, stderr=log, text=True, env=self._env,
        )  # fmt: skip
        log.close()
        assert self._process.stdout is not None
        deadline = time.monotonic() + START_WITHIN_S
        while time.monotonic() < deadline:
            line = self._process.stdout.readline()
            if not line:
                break
            self.printed.append(line.rstrip())
            if found := re.search(r"Console: (http://\S+)", line):
                self.address = found[1]
                return
        raise RuntimeError(f"the hub did not start: {self.printed} {self.errors()[-2000:]}")

    def stop(self, within_s: float = 30.0) -> tuple[int, float]:
        """Ask it to stop as Ctrl-C does; returns its exit status and the seconds it took."""
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(signal.SIGINT)
        return self.wait(within_s), time.monotonic() - began

    def wait(self, within_s: float) -> int:
        """Wait for it to end by itself; returns its exit status."""
        assert self._process is not None
        rest, _ = self._process.communicate(timeout=within_s)
        self.printed.extend(rest.splitlines())
        return self._process.returncode

    def kill(self) -> None:
        """`kill -9`: no time for a last word."""
        assert self._process is not None
        self._process.kill()
        self._process.communicate(timeout=30)

    def errors(self) -> str:
        """What it has written to stderr, over all its starts."""
        file = self.state / "stderr.txt"
        return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""

    def vestibule(self, *arguments: str, stdin: str = "") -> str:
        """Run another `vestibule` command on the same state and return what it prints."""
        done = subprocess.run(
            [self.python, "-m", "hub", *arguments, "--state", str(self.state)],
            input=stdin, capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        return done.stdout.strip()

    @property
    def token(self) -> str:
        """An administrator's token, made on first use by `vestibule token create`."""
        if not self._token:
            self._token = self.vestibule("token", "create", "tests", "--role", "admin")
        return self._token

    def get(self, path: str) -> Any:
        """GET from the API, as an administrator. Raises `urllib.error.HTTPError`."""
        return self._ask(urllib.request.Request(f"{self.address}/api/v1/{path}"))

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """POST JSON to the API, as an administrator. Raises `urllib.error.HTTPError`."""
        request = urllib.request.Request(
            f"{self.address}/api/v1/{path}", json.dumps(body).encode(), method="POST"
        )
        request.add_header("Content-Type", "application/json")
        return self._ask(request)

    def _ask(self, request: urllib.request.Request) -> Any:
        request.add_header("Authorization", f"Bearer {self.token}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def until(self, path: str, holds: Any, within_s: float, every_s: float = 0.25) -> Any:
        """GET again and again until `holds(answer)` is true; else `TimeoutError` with the last."""
        deadline = time.monotonic() + within_s
        while True:
            try:
                answer = self.get(path)
            except (OSError, http.client.HTTPException) as error:  # it may end as it answers
                answer = error
            else:
                if holds(answer):
                    return answer
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path} after {within_s} s: {answer}")
            time.sleep(every_s)


@contextlib.contextmanager
def running_hub(
    config: Path | str,
    folder: Path | None = None,
    *,
    arguments: tuple[str, ...] = (),
    python: Path | str = sys.executable,
) -> Iterator[RunningHub]:
    """Run a hub while the block runs, on a configuration file or the text of one.

    `folder` holds its state, and the file when `config` is text; without one it is a temporary
    folder that goes with the block. `arguments` go to `vestibule run` as they are, which
    `python` runs.
    """
    with tempfile.TemporaryDirectory(prefix="vestibule-hub-") as temporary:
        place = folder or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        if isinstance(config, str):
            file = place / "config.yaml"
            file.write_text(textwrap.dedent(config), encoding="utf-8")
        else:
            file = config
        with RunningHub(file, place / "state", arguments=arguments, python=python) as hub:
            yield hub
