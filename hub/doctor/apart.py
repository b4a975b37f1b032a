"""Work in a thread or process of its own, so that what blocks or hangs delays nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """What `work()` returns or raises. A thread that hangs is left behind, never waited for."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = work()
        except BaseException as raised:
            error = RuntimeError(repr(raised)) if isinstance(raised, StopIteration) else raised
        with contextlib.suppress(RuntimeError):  # nobody listens any more
            loop.call_soon_threadsafe(tell, result, error)

    threading.Thread(target=run, name="doctor", daemon=True).start()
    return await done


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
