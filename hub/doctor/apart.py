"""Work in a thread or process of its own, so that what blocks or hangs delays nothing else."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from hub.threads import in_thread

T = TypeVar("T")


async def in_loop(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What the coroutine returns, run on an event loop of its own: it may even block it."""
    return await in_thread(lambda: asyncio.run(work()))


async def in_process(
    module: str, question: object, environment: Mapping[str, str] | None = None
) -> Any:
    """The JSON that `python -m MODULE` answers to the JSON `question`.

    Its process gets this environment, else ours, and does not outlive the call. Raises
    `RuntimeError` when it ends without an answer.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", module,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL, env=environment,
    )  # fmt: skip
    try:
        said, _ = await process.communicate(json.dumps(question).encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode or not said:
        raise RuntimeError(f"its process ended with status {process.returncode}")
    return json.loads(said)
