"""A Z-Wave network of two locks: the real driver and server of Z-Wave JS, on a pretended stick."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_suffix(".cjs")
SECURED, UNSECURED = 255, 0


def server() -> Path | None:
    """The package @zwave-js/server: below VESTIBULE_ZWAVE, or where `zwave-server` leads."""
    named = os.environ.get("VESTIBULE_ZWAVE")
    if named:
        found = Path(named).resolve() / "node_modules/@zwave-js/server"
        return found if found.is_dir() else None
    program = shutil.which("zwave-server")
    above = Path(program).resolve().parents if program else ()
    return next((each for each in above if (each / "package.json").is_file()), None)


class Network:
    """The network, in a process of its own. Nodes 2 and 3 are locks.

    `faults`: `jam` (the bolt stays, and the lock says so; with `quiet` it does not), `lag` (it
    moves at `catch_up`), `dead` (it acknowledges nothing).
    """

    def __init__(self) -> None:
        self.port = 0
        self._folder = tempfile.TemporaryDirectory(prefix="vestibule-zwave-")
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Bring it up; it takes some seconds."""
        found = server()
        assert found is not None
        node = shutil.which("node") or "node"
        self._process = subprocess.Popen(
            [node, str(SCRIPT), str(found), self._folder.name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        word, _, port = self._line().partition(" ")
        assert word == "ready", f"{word} {port}"
        self.port = int(port)

    def stop(self) -> None:
        """Take it down."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            process.wait(20)
            process.stdout.close()
        self._folder.cleanup()

    def do(self, what: str, node: int = 2, **about: Any) -> Any:
        """Have something happen at a lock."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what, "node": node, **about}) + "\n")
        self._process.stdin.flush()
        word, _, found = self._line().partition(" ")
        assert word == "done", found
        return json.loads(found)

    def faults(self, *names: str, node: int = 2) -> None:
        """Let a lock have these faults from now on, and no others."""
        self.do("faults", node, faults=names)

    def calm(self) -> None:
        """Both locks without faults, locked, and nothing asked of them yet."""
        for node in (2, 3):
            self.faults(node=node)
            self.do("notify", node, event=1)  # locked by hand: whatever was stuck is free
            self.do("turn", node, mode=SECURED)
            self.do("asked", node)

    def _line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()
