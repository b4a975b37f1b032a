"""A camera's usual scene, kept on disk: after a restart another view is told, not learned.

Addresses are given anew when the power comes back, so that two cameras answer for each other, and a
camera may be turned while nobody watches. What is kept is the gate's grid of grey levels, averaged
over minutes and with masks painted in: it shows no person.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from hub.perception.pictures import replace_file
from hub.perception.tamper import TamperWatch
from hub.perception.zones import Polygon

log = logging.getLogger(__name__)

GOOD_FOR_S = 24 * 3600.0  # a scene of longer ago may rightly be another
FORM = 1

View: TypeAlias = tuple[tuple[int, int], tuple[Polygon, ...]]  # size in pixels, and masks


class KeptScene:
    """The file of one camera's scene. `address` is where its pictures come from: those from another
    one, by the configuration, may show what they like.
    """

    def __init__(self, file: Path, address: str) -> None:
        self._file = file
        self._of = hashlib.sha256(address.encode("utf-8", "replace")).hexdigest()

    def keep(self, watch: TamperWatch, view: View, now: datetime) -> None:
        """Write what a watch remembers; one that has learned nothing yet leaves what is there."""
        memory = watch.memory()
        if memory is None:
            return
        out = io.BytesIO()
        about = json.dumps({"form": FORM, "of": self._of, "view": view, "time": now.timestamp()})
        arrays: dict[str, Any] = {**memory, "about": np.array(about)}
        np.savez(out, **arrays)
        try:
            replace_file(self._file, out.getvalue(), durable=False)
        except OSError as error:
            log.warning("a camera's scene could not be kept: %s", error.strerror)

    def forget(self) -> None:
        """Nothing of the scene stays: its place is private now, or more of it is masked."""
        try:
            self._file.unlink(missing_ok=True)
        except OSError as error:
            log.warning("a camera's scene could not be deleted: %s", error.strerror)

    def recall(self, watch: TamperWatch, view: View, now: datetime) -> str:
        """Have a fresh watch remember the scene; what is another now, in words, where that cannot
        be: pictures of another size.
        """
        try:
            with np.load(io.BytesIO(self._file.read_bytes()), allow_pickle=False) as kept:
                about = json.loads(str(kept["about"]))
                old = now.timestamp() - about["time"] > GOOD_FOR_S  # a clock may also be behind
                (size, masks), (its_size, its_masks) = json.loads(json.dumps(view)), about["view"]
                if old or (about["form"], about["of"], its_masks) != (FORM, self._of, masks):
                    self.forget()
                    return ""
                if size != its_size:
                    return another_size((int(its_size[0]), int(its_size[1])), view[0])
                watch.remember({name: kept[name] for name in kept.files if name != "about"})
        except FileNotFoundError:
            pass
        except Exception as error:  # whatever a damaged file makes of it: the scene is learned anew
            log.warning("a camera's scene is learned anew: %s", type(error).__name__)
        return ""


def another_size(before: tuple[int, int], now: tuple[int, int]) -> str:
    """What to say where the pictures have another size than those whose scene is known."""
    was, is_ = ("x".join(map(str, size)) for size in (before, now))
    return (
        f"its pictures have {is_} pixels and had {was}; its settings were changed, or another "
        "camera answers at its address"
    )
