"""Starting and stopping one hub from the command line: the process around `hub.app.Hub`."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from hub.app import Hub
from hub.chosen import Chosen, choose
from hub.errors import CannotCheck, StateError, VestibuleError
from hub.kept import KeptConfigs
from hub.name_lookups import NamesApart
from hub.output import guard_output
from hub.secrets import Secrets
from hub.storage.folder import StateFolder
from hub.web.connections import more_files
from hub.web_settings import open_trouble

CANNOT_START = 3
log = structlog.get_logger(__name__)

SWITCH_S = 0.001  # so long a thread may keep the others waiting


@dataclass(frozen=True)
class Options:
    """What the command line said. `seconds` None runs until told to stop, `listen` and `port` None
    is where the configuration says.
    """

    config: Path
    state: Path
    listen: str | None = None
    port: int | None = None
    seconds: float | None = None
    summary: Path | None = None


def start(options: Options) -> int:
    """Run a hub to its end and return the exit status. Prints every failure in plain words."""
    secrets = Secrets()
    guard_output(secrets)
    configure_logging()
    folder = StateFolder(options.state)
    kept = KeptConfigs(folder.configs)
    chosen, said = choose(options.config, kept, secrets)
    if isinstance(said, CannotCheck):
        _say(said, 2)
    else:
        for problem in said.problems:
            print(problem)
        for note in said.notes:
            print(f"note: {note}", file=sys.stderr)
    if chosen is None:
        return 2 if isinstance(said, CannotCheck) else 1
    if chosen.trouble:
        _say(f"{chosen.trouble}. Nothing is cleaned up until that is mended.", 0)
    try:
        with folder.lock(), asyncio.Runner(loop_factory=NamesApart) as runner:
            return runner.run(_serve(chosen, options, folder, secrets))
    except StateError as error:
        return _say(error, CANNOT_START)
    except KeyboardInterrupt:
        return 130


def _say(error: VestibuleError | str, code: int) -> int:
    print(f"vestibule: {error}", file=sys.stderr)
    return code


async def _serve(chosen: Chosen, options: Options, folder: StateFolder, secrets: Secrets) -> int:
    config = chosen.examined.config
    assert config is not None, "a hub runs only what is valid"
    settings = config.hub.web
    address = settings.listen if options.listen is None else options.listen
    port = settings.port if options.port is None else options.port
    if trouble := open_trouble(settings, address):
        return _say(trouble, CANNOT_START)
    more_files()
    try:
        listener = listen(address, port)
    except OSError as error:
        return _say(_port_trouble(address, port, error), CANNOT_START)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(in_a_line)
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    hub = Hub(chosen, folder, config_path=options.config, secrets=secrets)
    async with hub:
        loop.add_signal_handler(signal.SIGHUP, hub.configuration.ask)
        await hub.open_pages(listener)
        await announce(hub, listener.getsockname()[1])
        tell_systemd("READY=1")
        steady()
        try:
            async with asyncio.timeout(options.seconds):
                await stop.wait()
        except TimeoutError:
            pass
        tell_systemd("STOPPING=1")
        if options.summary is not None:
            told = secrets.clean_data(await hub.summary())
            text = json.dumps(told, indent=2, ensure_ascii=False)
            await asyncio.to_thread(_write, options.summary, text)
    return 0


def in_a_line(loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """Say what a library let fall on the loop: what it was and where, in one line."""
    error = context.get("exception")
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    reason = f"{type(error).__name__}: {error}" if error is not None else ""
    log.error(
        "a library failed in the background", what=context["message"], reason=reason, at=where
    )


def steady() -> None:
    """Have the interpreter keep nothing waiting for long: threads take short turns, and what is
    there once the hub is up is never gone through for garbage again, which stopped everything for
    more than a tenth of a second each time. While it comes up nothing is gone through at all.
    """
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()
    gc.enable()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")


def listen(address: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 picks a free one. Raises `OSError`."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=128)


def _port_trouble(address: str, port: int, error: OSError) -> str:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return (
        f"cannot listen on {address}:{port}: {reason}. "
        f"To see who holds the port: ss -ltnp 'sport = :{port}'. "
        "Another one can be chosen with --port (0 picks a free one)."
    )


async def announce(hub: Hub, port: int) -> None:
    """Say where the pages are and, before anyone has an account, the link that makes the first."""
    base = hub.served.address
    hub.performer.base_url = base
    config = hub.config
    print(
        f"Vestibule: {config.hub.name}, {len(config.cameras)} cameras, {len(config.doors)} doors, "
        f"{len(config.rules)} rules. Console: {base}"
    )
    if hub.served.fingerprint:
        print(f"Fingerprint of the hub's own certificate (SHA-256): {hub.served.fingerprint}")
    if link := await hub.setup_link():
        print(f"First account (works once, for an hour): {base}/setup/{link}")
        if hub.served.only_here:
            here = f"{port}:localhost:{port}"
            print(f"On another computer first: ssh -N -L {here} USER@THIS_MACHINE")
    sys.stdout.flush()


def tell_systemd(state: str) -> None:
    """Notify a systemd service manager, where one listens (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.connect("\0" + address[1:] if address.startswith("@") else address)
        notify.sendall(state.encode())


def configure_logging() -> None:
    """Plain coloured lines on a terminal, JSON lines under a service manager; always on stderr."""
    service = "JOURNAL_STREAM" in os.environ or "NOTIFY_SOCKET" in os.environ
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if service
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            pad_event_to=28,
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper("iso" if service else "%H:%M:%S", utc=service),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
