"""Real servers that want a password, refuse every one, and repeat in their answer what they got."""

from __future__ import annotations

import base64
import contextlib
import re
import socketserver
import threading
from typing import ClassVar
from urllib.parse import unquote

LONGEST = 65_536
PROTOCOLS = ("http", "smtp", "mqtt", "rtsp")
Heard = dict[str, list[str]]


class Conversation(socketserver.StreamRequestHandler):
    """One connection; what it says is noted under the protocol's name."""

    heard: ClassVar[Heard]
    timeout = 20

    def handle(self) -> None:
        """Talk until the other side has had its answer."""
        with contextlib.suppress(OSError):  # it has gone, having heard enough
            self.talk()

    def talk(self) -> None:
        raise NotImplementedError

    def head(self) -> str:
        """The lines up to an empty one."""
        lines = b""
        while (line := self.rfile.readline(LONGEST)).strip():
            lines += line
        return lines.decode()


class Http(Conversation):
    def talk(self) -> None:
        head = self.head()
        self.heard["http"].append(head)
        found = re.search(r"^authorization: *(.*?)\r?$", head, re.I | re.M)
        said = f"{found[1] if found else 'nothing'} is not what I know".encode()
        length = re.search(r"content-length: *(\d+)", head, re.I)
        self.rfile.read(int(length[1]) if length else 0)
        self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n")
        self.wfile.write(b"Content-Length: %d\r\n\r\n%s" % (len(said), said))


class Smtp(Conversation):
    def talk(self) -> None:
        self.wfile.write(b"220 sink\r\n")
        while line := self.rfile.readline(LONGEST):
            word = line[:4].upper()
            answer = b"530 5.7.0 sign in first"
            if word == b"EHLO":
                answer = b"250-sink\r\n250 AUTH PLAIN"
            if word == b"AUTH":
                said = base64.b64decode(line.split()[2]).split(b"\0")[2]
                self.heard["smtp"].append(said.decode())
                answer = b"535 5.7.8 %s is not the password" % said
            self.wfile.write((b"221 bye" if word == b"QUIT" else answer) + b"\r\n")


class Mqtt(Conversation):
    def talk(self) -> None:
        self.heard["mqtt"].append(self.connection.recv(LONGEST).decode("utf-8", "replace"))
        self.wfile.write(b"\x20\x02\x00\x05")  # CONNACK: not authorised


class Rtsp(Conversation):
    def talk(self) -> None:
        while head := self.head():
            if found := re.search(r"Basic (\S+)", head):
                self.heard["rtsp"].append(unquote(base64.b64decode(found[1]).decode()))
            number = re.search(r"CSeq: *(\d+)", head)
            answer = "RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=camera\r\n"
            self.wfile.write(f"{answer}CSeq: {number[1] if number else 0}\r\n\r\n".encode())


class Rejecting:
    """HTTP, SMTP, MQTT and RTSP on free ports of this machine. Use it as a context manager.

    `heard` is what came, so that a test can tell that a secret did reach the device.
    """

    def __init__(self) -> None:
        self.heard: Heard = {name: [] for name in PROTOCOLS}
        self.ports: dict[str, int] = {}
        self._servers: list[socketserver.ThreadingTCPServer] = []

    def __enter__(self) -> Rejecting:
        for kind in (Http, Smtp, Mqtt, Rtsp):
            bound = type(kind.__name__, (kind,), {"heard": self.heard})
            server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), bound)
            self.ports[kind.__name__.lower()] = server.server_address[1]
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self._servers.append(server)
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
