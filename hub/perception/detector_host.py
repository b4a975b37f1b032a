"""The process of a detector from outside: `python -m hub.perception.detector_host FD MEMORY`.

A perception worker starts it. It builds one detector and answers questions, one at a time, until
the worker closes the socket; whatever the detector does to its process happens here.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import logging
import mmap
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hub.clock import SystemClock
from hub.kinds import Context
from hub.kinds.detectors import Detector
from hub.link import Message
from hub.perception.crossing import crops_in
from hub.plugin_process import folder_of, log_plainly
from hub.plugins import load_only
from hub.procfs import die_with_parent

log = logging.getLogger(__name__)

MOST_WORDS = 500


def build(told: Message) -> Detector:
    """The detector that the worker wants. Raises what its factory raises."""
    folder = folder_of(Path(told["file"])) if told["source"] == "file" else None
    driver = load_only(told["plugin"], told["source"], folder).driver("detectors", told["driver"])
    context = Context(
        name=told["name"],
        clock=SystemClock(),
        state=Path(told["state"]),
        cache=Path(told["cache"]),
        config_folder=Path(told["config_folder"]),
    )
    made: Detector = driver.factory(driver.config.model_validate(told["settings"]), context)
    return made


def answer(detector: Detector, memory: memoryview, question: Message) -> Message:
    """What the detector finds in the crops of a question, or what it raised."""
    try:
        found = [
            [(one.label, float(one.score), [float(side) for side in one.box]) for one in part]
            for part in detector.infer(crops_in(memory, question["crops"]))
        ]
    except Exception as error:
        return raised(error)
    return {"found": found}


def raised(error: Exception) -> Message:
    """An exception in words."""
    name = type(error).__name__
    known = type(error).__module__ == "hub.errors"
    words = str(error) if known else f"{name}: {error}"
    return {"raised": words[:MOST_WORDS], "name": name}


def serve(connection: Connection, memory: memoryview) -> None:
    """Build the detector, then answer until the worker is gone."""
    try:
        detector = build(json.loads(connection.recv_bytes()))
        said: Message = {"info": asdict(detector.info)}
    except Exception as error:
        send(connection, raised(error))
        return
    send(connection, said)
    with contextlib.suppress(EOFError):
        while True:
            send(connection, answer(detector, memory, json.loads(connection.recv_bytes())))
    detector.close()


def send(connection: Connection, said: Any) -> None:
    """Send one message."""
    connection.send_bytes(json.dumps(said).encode())


def main(arguments: Sequence[str]) -> None:
    """The process."""
    descriptor, shared = (int(each) for each in arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the end comes with the socket's
    die_with_parent()
    faulthandler.enable()
    log_plainly()
    code = 0
    try:
        serve(Connection(descriptor), memoryview(mmap.mmap(shared, 0)))
    except OSError:
        code = 1  # the worker is gone
    except BaseException:
        log.exception("the process of a detector ended by a fault")
        code = 1
    sys.stderr.flush()
    os._exit(code)  # a detector's threads must not keep the process


if __name__ == "__main__":
    main(sys.argv[1:])
