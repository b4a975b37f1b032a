"""Work in a thread that is left behind where it hangs, so that it delays nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

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

    threading.Thread(target=run, name="apart", daemon=True).start()
    return await done
