"""Why a device was not reached, in words."""

from __future__ import annotations

import socket


def unreached(error: BaseException) -> str:
    """The reason that stands behind an error of a network library, without its jargon."""
    seen: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and each not in seen:
        seen.append(each)
        each = getattr(each, "os_error", None) or each.__cause__ or each.__context__
    for found in reversed(seen):
        if isinstance(found, socket.gaierror):
            return "no machine has this name"
        if isinstance(found, ConnectionRefusedError):
            return "nothing listens there"
        if isinstance(found, TimeoutError):
            return "no answer"
        if isinstance(found, ConnectionError):
            return "it hung up"
        if isinstance(found, OSError) and found.strerror:
            return found.strerror.lower()
    return type(error).__name__
