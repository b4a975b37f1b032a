"""An editor in miniature: it starts the YAML language server and asks what an editor asks."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

SERVER = "yaml-language-server"
FOLDER = "VESTIBULE_LANGUAGE_SERVER"
TAGS = ["!secret scalar", "!env scalar", "!include scalar"]
PATIENCE = 60.0


def server() -> str | None:
    """The server's program: in the folder that the environment names, or on the path."""
    folder = os.environ.get(FOLDER)
    return shutil.which(SERVER, path=folder) if folder else shutil.which(SERVER)


class Editor:
    """One running server; use it as a context."""

    def __init__(self, folder: Path, tags: list[str] | None = None) -> None:
        program = server()
        assert program is not None
        self._folder = folder
        self._settings = {
            "yaml": {
                "customTags": TAGS if tags is None else tags,
                "schemaStore": {"enable": False},
                "validate": True,
                "hover": True,
                "completion": True,
            }
        }
        self._process = subprocess.Popen(
            [program, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder
        )
        self._answers: dict[int, queue.Queue[Any]] = {}
        self._diagnostics: dict[str, queue.Queue[list[dict[str, Any]]]] = {}
        self._configured = threading.Event()
        self._sending = threading.Lock()
        self._next = 0
        self._reader = threading.Thread(target=self._read, name="language server", daemon=True)
        self._reader.start()

    def __enter__(self) -> Editor:
        able: dict[str, Any] = {
            "workspace": {"configuration": True, "workspaceFolders": True},
            "textDocument": {
                "hover": {"contentFormat": ["markdown", "plaintext"]},
                "completion": {
                    "completionItem": {
                        "snippetSupport": True,
                        "documentationFormat": ["markdown", "plaintext"],
                    }
                },
            },
        }
        root = self._folder.as_uri()
        self.ask(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": root,
                "capabilities": able,
                "workspaceFolders": [{"uri": root, "name": "school"}],
            },
        )
        self.tell("initialized", {})
        assert self._configured.wait(PATIENCE), "the language server asked for no settings"
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self.ask("shutdown", None)
            self.tell("exit", None)
            self._process.wait(10)
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join(10)
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()

    def diagnose(self, text: str) -> list[dict[str, Any]]:
        """What the server complains of in a document."""
        said = self._diagnostics[self._open(text)]
        return said.get(timeout=PATIENCE)

    def complete(self, text: str) -> dict[str, dict[str, Any]]:
        """What is offered where `¦` stands in the text, by label."""
        found = self._at("textDocument/completion", text)
        items = found["items"] if isinstance(found, dict) else found or []
        return {item["label"]: item for item in items}

    def hover(self, text: str) -> str:
        """What is shown over the place where `¦` stands in the text."""
        found = self._at("textDocument/hover", text)
        return str(found["contents"]["value"]) if found else ""

    def _open(self, text: str) -> str:
        """A document of its own each time: the server remembers what a name stood for."""
        uri = (self._folder / f"school-{len(self._diagnostics)}.yaml").as_uri()
        self._diagnostics[uri] = queue.Queue()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": document})
        return uri

    def _at(self, method: str, text: str) -> Any:
        before, _, after = text.partition("¦")
        place = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
        uri = self._open(before + after)
        return self.ask(method, {"textDocument": {"uri": uri}, "position": place})

    def ask(self, method: str, params: Any) -> Any:
        """Send a request and wait for its result."""
        self._next += 1
        answer = self._answers[self._next] = queue.Queue()
        self._send({"id": self._next, "method": method, "params": params})
        said = answer.get(timeout=PATIENCE)
        assert "error" not in said, said
        return said["result"]

    def tell(self, method: str, params: Any) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        with self._sending:
            self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
            self._process.stdin.flush()

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while line := stream.readline():
            length = 0
            while line.strip():
                name, _, value = line.decode().partition(":")
                length = int(value) if name.lower() == "content-length" else length
                line = stream.readline()
            self._hear(json.loads(stream.read(length)))

    def _hear(self, message: dict[str, Any]) -> None:
        method = message.get("method")
        if method == "textDocument/publishDiagnostics":
            params = message["params"]
            if params["uri"] in self._diagnostics:
                self._diagnostics[params["uri"]].put(params["diagnostics"])
        elif method == "workspace/configuration":
            wanted = [item.get("section") for item in message["params"]["items"]]
            result = [self._settings.get(section, {}) for section in wanted]
            self._send({"id": message["id"], "result": result})
            self._configured.set()
        elif method is not None and "id" in message:
            self._send({"id": message["id"], "result": None})
        elif "id" in message:
            self._answers[message["id"]].put(message)
