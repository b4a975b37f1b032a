"""What one camera costs on this machine: `python -m hub.doctor.capacity_trial`.

It reads which detector as JSON from standard input, draws a place through which somebody walks,
has the hub's own camera look at it as fast as it can, and answers on standard output with processor
seconds: `decode` for a second of video, `look` and `inference` for each look.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from time import process_time, thread_time
from typing import Any

from hub.clock import SystemClock

SECONDS = 16
WARM_S = 4  # the first seconds are not counted
LOOKS = 5.0
PLACE = "corridor"
AT_ONCE = 3  # pictures that come between two looks


class _FilmClock(SystemClock):
    """Stands where the film is."""

    at = 0.0

    def monotonic(self) -> float:
        return self.at

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.at)


def costs(question: dict[str, Any]) -> dict[str, float]:
    """The answer to the question; raises what the detector raises."""
    import av

    from hub.bench.capacity_scenes import FPS, GOP, clip
    from hub.doctor.trial import built
    from hub.kinds.cameras import VideoSource
    from hub.perception.feed import Feed, Packet, Session
    from hub.perception.live import LiveCamera
    from hub.perception.pictures import Pictures
    from hub.perception.pipeline import CameraPipeline
    from hub.perception.spec import CameraSpec
    from hub.perception.zones import WHOLE, ZoneArea

    instance = built(question)
    source, clock = VideoSource("rtsp://192.0.2.1/trial"), _FilmClock()
    spec = CameraSpec(id="trial", slot=0, place="trial", fps=LOOKS, source=source)
    feed = Feed("trial", source, clock)
    session = Session(1, av.CodecContext.create("h264", "r"))
    session.decoder.thread_count = 1
    whole = [ZoneArea("trial", WHOLE)]
    spent = {"all": 0.0, "decode": 0.0, "inference": 0.0}
    with tempfile.TemporaryDirectory() as folder:
        camera = LiveCamera(
            spec,
            feed,
            Pictures(Path(folder) / "trial.jpg", Path(folder) / "media"),
            clock,
            lambda size: CameraPipeline("trial", size, LOOKS, instance.info, whole),
        )
        for number, content in enumerate(clip("ordinary", PLACE, 1, SECONDS).pictures):
            data = av.Packet(content)
            data.pts = data.dts = number
            data.time_base = Fraction(1, FPS)
            clock.at = number / FPS
            key = number % GOP == 0
            feed.queue.put(Packet(session, data, clock.at, 0.0, len(content), key))
            if number % AT_ONCE != AT_ONCE - 1:
                continue
            before, began = camera.spent.decode, thread_time()
            worked = camera.work()
            took, found = thread_time() - began, process_time()
            if worked.question is not None:
                parts = instance.infer(worked.question.crops)
                camera.answer(worked.question, [one for part in parts for one in part])
            if clock.at >= WARM_S:
                spent["all"] += took
                spent["decode"] += camera.spent.decode - before
                spent["inference"] += process_time() - found
    instance.close()
    if camera.fault:
        raise RuntimeError(camera.fault)
    looks = (SECONDS - WARM_S) * LOOKS
    return {
        "decode": spent["decode"] / (SECONDS - WARM_S),
        "look": (spent["all"] - spent["decode"]) / looks,
        "inference": spent["inference"] / looks,
    }


def main() -> None:
    """Answer the one question. Whatever else is printed goes to standard error."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    said: dict[str, Any]
    try:
        said = dict(costs(json.load(sys.stdin)))
    except Exception as error:  # anybody's detector may raise anything
        said = {"error": (str(error) or type(error).__name__).splitlines()[0]}
    json.dump(said, answer)
    answer.flush()


if __name__ == "__main__":
    main()
