"""What the kernel says of its clock."""

from __future__ import annotations

import ctypes
import struct
from dataclasses import dataclass

UNSYNCHRONISED = 0x40  # STA_UNSYNC of adjtimex(2)
TIMEX = struct.Struct("@Illlli")  # modes, offset, freq, maxerror, esterror, status
TIMEX_BYTES = 512  # more than any struct timex


@dataclass(frozen=True, slots=True)
class Kept:
    """Whether somebody keeps the clock right; the error in seconds is the kernel's own bound."""

    synchronised: bool
    error: float


def clock_is_kept() -> bool:
    """Whether a time server keeps the clock right, as far as the kernel can tell."""
    kept = kernel_clock()
    return kept is not None and kept.synchronised


def kernel_clock() -> Kept | None:
    """What adjtimex(2) says; None where it cannot be asked."""
    state = ctypes.create_string_buffer(TIMEX_BYTES)
    try:
        if ctypes.CDLL(None, use_errno=True).adjtimex(state) < 0:
            return None
    except (OSError, AttributeError):
        return None
    _, _, _, most, _, status = TIMEX.unpack_from(state.raw)
    return Kept(not status & UNSYNCHRONISED, most / 1e6)
