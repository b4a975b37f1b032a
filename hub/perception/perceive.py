"""`vestibule perceive`: the cameras' own pipeline over clips, frame by frame, nothing dropped.

Time is the clip's own and inference waits for nobody, so the same clip gives the same lines on
every machine.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import IO, Any

from hub.errors import ModelError, VestibuleError
from hub.kinds import Context
from hub.kinds.detectors import Detection, Detector
from hub.perception.annotate import Annotator, Seen
from hub.perception.decode import Clip
from hub.perception.frames import Frame
from hub.perception.pipeline import CameraPipeline, Look

Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class Totals:
    """What a run came to; `seconds` by stage."""

    frames: int = 0
    damaged: int = 0
    triggered: int = 0
    inferences: int = 0
    seconds: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(("decode", "gate", "inference", "tracking"), 0.0)
    )

    def line(self) -> str:
        """The closing line."""
        share = 100.0 * self.triggered / self.frames if self.frames else 0.0
        stages = ", ".join(f"{name} {spent:.2f} s" for name, spent in self.seconds.items())
        damaged = f", {self.damaged} damaged" if self.damaged else ""
        return (
            f"{self.frames} frames{damaged}, {share:.1f} % triggered, "
            f"{self.inferences} inferences, {stages}"
        )


def perceive(
    clips: Sequence[Path],
    model: str = "auto",
    fps: float | None = None,
    json_out: str | None = None,
    annotate_out: Path | None = None,
    progress: bool = True,
    models: Path | None = None,
) -> int:
    """Run over clips; returns the exit code: 0, or 2 with the reason on stderr.

    `json_out` is a file or "-" for stdout, `fps` samples that many frames a second, `models` is the
    folder of installed models.
    """
    totals = Totals()
    try:
        with contextlib.ExitStack() as stack:
            for path in clips:
                Clip(path).close()  # a wrong name at the end of the list should fail now
            detector = _detector(model, models)
            stack.callback(detector.close)
            _say_what_is_used(detector)
            out = _opened(json_out, stack)
            draw = _annotator(annotate_out, clips, stack)
            show = stack.enter_context(_progress(progress))
            for path in clips:
                clip = stack.enter_context(Clip(path))
                for seen in run(clip, detector, fps, totals, show):
                    if out:
                        out.write(json.dumps(line_of(path.stem, seen)) + "\n")
                    if draw:
                        draw.add(seen)
    except VestibuleError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    except OSError as error:
        print(f"{error.filename or json_out}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 2
    print(totals.line(), file=sys.stderr)  # noqa: T201
    return 0


def run(
    clip: Clip,
    detector: Detector,
    fps: float | None,
    totals: Totals,
    progress: Progress = lambda label, done, total: None,
) -> Iterator[Seen]:
    """Each analysed frame of a clip, in order; adds to `totals`.

    With `fps`, those between are looked at where somebody is new, as live, and not passed on.
    """
    pipeline = CameraPipeline(clip.path.stem, clip.size, fps or clip.fps, detector.info)
    seconds = totals.seconds
    mark = perf_counter()
    for frame, due in paced(clip, fps):
        if not due and (frame.size != pipeline.size or not pipeline.hurries(frame.time)):
            continue
        if frame.size != pipeline.size:  # a recording of a camera that was set up anew meanwhile
            pipeline = CameraPipeline(clip.path.stem, frame.size, fps or clip.fps, detector.info)
        decoded = perf_counter()
        look = pipeline.look(frame) if due else pipeline.look_early(frame)
        gated = perf_counter()
        found = _inferred(pipeline, detector, frame, look)
        inferred = perf_counter()
        tracks = pipeline.settle(frame, look, found)
        for stage, spent in (
            ("decode", decoded - mark),
            ("gate", gated - decoded),
            ("inference", inferred - gated),
            ("tracking", perf_counter() - inferred),
        ):
            seconds[stage] += spent
        totals.inferences += len(look.crops)
        if not due:
            continue
        totals.frames += 1
        totals.triggered += look.gate.triggered
        yield Seen(frame, look, found, tracks)
        progress(clip.path.name, frame.index + 1, clip.length)
        mark = perf_counter()
    totals.damaged += clip.counts.damaged


def _inferred(
    pipeline: CameraPipeline, detector: Detector, frame: Frame, look: Look
) -> list[Detection] | None:
    if not look.crops:
        return None
    return [found for part in detector.infer(pipeline.cut(frame, look)) for found in part]


def sampled(clip: Clip, fps: float | None) -> Iterator[Frame]:
    """Every frame, or the first one at or after each tick of 1 / fps seconds."""
    return (frame for frame, due in paced(clip, fps) if due)


def paced(clip: Clip, fps: float | None) -> Iterator[tuple[Frame, bool]]:
    """Every frame, and whether `sampled` gives it."""
    following: float | None = None
    for frame in clip:
        if fps is None:
            yield frame, True
            continue
        if following is None:
            following = frame.time
        due = frame.time >= following - 1e-6
        yield frame, due
        while due and following <= frame.time + 1e-6:
            following += 1.0 / fps


def line_of(clip: str, seen: Seen) -> dict[str, Any]:
    """The JSON line of one analysed frame."""
    gate = seen.look.gate
    return {
        "clip": clip,
        "frame": seen.frame.index,
        "time": round(seen.frame.time, 4),
        "gate": {
            "triggered": bool(gate.triggered),
            "reason": gate.reason,
            "regions": gate.regions.tolist(),
        },
        "inferences": len(seen.look.crops),
        "detections": [
            {"label": found.label, "score": found.score, "box": list(found.box)}
            for found in seen.detections or ()
        ],
        "tracks": [
            {
                "id": track.id,
                "label": track.label,
                "score": track.score,
                "state": track.state,
                "age": track.age,
                "box": list(track.box),
            }
            for track in seen.tracks
        ],
    }


def _detector(model: str, models: Path | None) -> Detector:
    """The `onnx` driver's detector for a model by name or path, as cameras get it."""
    from hub.plugins import load_registry

    driver = load_registry().driver("detectors", "onnx")
    state = models.parent if models is not None else Path(".vestibule")
    context = Context(name="perceive", state=state)
    detector: Detector = driver.factory(driver.config.model_validate({"model": model}), context)
    if detector.info.biometric:
        raise ModelError(f"{detector.info.name} recognises people; that is not used here")
    return detector


def _say_what_is_used(detector: Detector) -> None:
    print(f"detector: {detector.info.name}", file=sys.stderr)  # noqa: T201


def _opened(json_out: str | None, stack: contextlib.ExitStack) -> IO[str] | None:
    if json_out is None:
        return None
    if json_out == "-":
        return sys.stdout
    return stack.enter_context(Path(json_out).open("w", encoding="utf-8"))


def _annotator(
    path: Path | None, clips: Sequence[Path], stack: contextlib.ExitStack
) -> Annotator | None:
    if path is None:
        return None
    with Clip(clips[0]) as first:
        return stack.enter_context(Annotator(path, first.size, first.fps))


@contextlib.contextmanager
def _progress(wanted: bool) -> Iterator[Progress]:
    """A bar on stderr where that is a terminal."""
    if not wanted or not sys.stderr.isatty():
        yield lambda label, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, Any] = {}

        def show(label: str, done: int, total: int) -> None:
            if label not in tasks:
                tasks[label] = bar.add_task(label, total=total or None)
            bar.update(tasks[label], completed=done)

        yield show
