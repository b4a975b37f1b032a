"""`vestibule bench`: the hub's parts measured on this machine, against rivals and goals."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli_exit import UNREADABLE, fail
from hub.cli_options import AsJson

bench = typer.Typer(
    help="What parts of the hub cost and miss on this machine.", no_args_is_help=True
)


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar on standard error where that is a terminal; call what it yields after every step."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    errors = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        console=errors, transient=True, disable=not errors.is_terminal,
    )  # fmt: skip
    with bar:
        task = bar.add_task(label, total=total)
        yield lambda: bar.update(task, advance=1)


@bench.command("prefilter")
def prefilter(
    clips: Annotated[
        list[Path] | None, typer.Argument(help="Clips with truth, beside the drawn scenes.")
    ] = None,
    speed: Annotated[bool, typer.Option(help="Measure what a frame costs.")] = True,
    recall: Annotated[bool, typer.Option(help="Measure what is seen and missed.")] = True,
    scene: Annotated[list[str] | None, typer.Option(help="Only this scene or clip.")] = None,
    stress: Annotated[list[str] | None, typer.Option(help="Only under this stress.")] = None,
    size: Annotated[list[str] | None, typer.Option(help="Only this size, for speed.")] = None,
    rounds: Annotated[int, typer.Option(help="Rounds of the speed run.", min=1)] = 25,
    pictures: Annotated[
        Path | None, typer.Option(help="Write what the gate sees into this folder, and no table.")
    ] = None,
    json_: AsJson = False,
) -> None:
    """Measure the motion gate: speed, and recall and quiet on drawn scenes and clips with truth."""
    from hub.bench import pictures as drawing
    from hub.bench.prefilter import footage, stresses
    from hub.errors import VestibuleError

    try:
        under = stresses(stress or [])
        places = footage(clips or [], scene or []) if recall or pictures else []
        if pictures is not None:
            with progress("Drawing", len(places) * len(under)) as step:
                count = drawing.draw(places, under, pictures, step)
            sys.stdout.write(f"{count} pictures in {pictures}\n")
            return
        told: dict[str, Any] = {}
        if speed:
            told["speed"] = _speed(size or [], rounds, json_)
        if recall:
            told["recall"] = _recall(places, under, json_)
    except (VestibuleError, OSError) as error:
        raise fail(str(error), UNREADABLE) from None
    if json_:
        sys.stdout.write(json.dumps(told) + "\n")


def _speed(sizes: list[str], rounds: int, quiet: bool) -> dict[str, dict[str, float]]:
    from hub.bench.prefilter import speed_lines
    from hub.bench.rivals import MISSING, opencv
    from hub.bench.speed import SIZES, WARM_UP, checked, medians, timed

    if opencv() is None:
        sys.stderr.write(f"{MISSING}\n")
    asked = [checked(size) for size in sizes] or list(SIZES)
    with progress("Timing", len(asked) * (rounds + WARM_UP)) as step:
        found = {size: timed(size, None, rounds, step) for size in asked}
    if not quiet:
        sys.stdout.write("\n".join(speed_lines(found)) + "\n")
    return {size: medians(times) for size, times in found.items()}


def _recall(places: list[Any], under: list[str], quiet: bool) -> dict[str, Any]:
    from hub.bench.prefilter import measure, recall_lines
    from hub.bench.rivals import makers

    with progress("Looking", len(places) * len(under)) as step:
        table = measure(places, under, makers(), step)
    if not quiet:
        crowds = {place.name for place in places if place.crowd}
        sys.stdout.write("\n".join(recall_lines(table, crowds)) + "\n")
    return {
        place: {
            stress: {name: found.as_dict() for name, found in scores.items()}
            for stress, scores in rows.items()
        }
        for place, rows in table.items()
    }


@bench.command("capacity")
def capacity(
    load: Annotated[
        list[str] | None,
        typer.Option(help='Only this load: "quiet, asleep", quiet, ordinary, busy.'),
    ] = None,
    start: Annotated[int, typer.Option(help="Cameras to begin with.", min=1)] = 8,
    most: Annotated[int, typer.Option(help="No more cameras than this.", min=1)] = 256,
    at: Annotated[
        list[int] | None, typer.Option(help="Only this number of cameras; may be repeated.", min=1)
    ] = None,
    fps: Annotated[float, typer.Option(help="Looks a second at each.", min=1, max=15)] = 5.0,
    seconds: Annotated[float, typer.Option(help="How long each is measured.", min=10)] = 60.0,
    settle: Annotated[float, typer.Option(help="Seconds before that.", min=0)] = 25.0,
    model: Annotated[str, typer.Option(help="An installed model, or a file.")] = "auto",
    state: Annotated[Path, typer.Option(help="Where models are installed.")] = Path(".vestibule"),
    plot: Annotated[
        Path | None, typer.Option(help="Draw what a camera costs by their number (PNG).")
    ] = None,
    json_: AsJson = False,
) -> None:
    """Measure how many cameras this machine carries, with a whole hub on cameras that it draws."""
    import tempfile

    from hub.bench import capacity as measuring
    from hub.bench.capacity_hub import settings
    from hub.bench.capacity_plot import draw
    from hub.errors import VestibuleError

    def told(doing: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{doing}")
            sys.stderr.flush()

    try:
        asked = settings(load or [], fps, (settle, seconds), model, state)
        with tempfile.TemporaryDirectory(prefix="vestibule-capacity-") as folder:
            found = [
                measuring.measured_at(name, each, at, Path(folder), told)
                if at
                else measuring.capacity(name, each, start, most, Path(folder), told)
                for name, each in asked.items()
            ]
        told("")
        if plot is not None:
            draw(found, plot)
    except (VestibuleError, OSError) as error:
        raise fail(str(error), UNREADABLE) from None
    table = {each.load: each.as_dict() for each in found}
    text = json.dumps(table) if json_ else "\n".join(measuring.lines(found))
    sys.stdout.write(text + "\n")


@bench.command("decode")
def decode(
    size: Annotated[list[str] | None, typer.Option(help="Only this size.")] = None,
    rounds: Annotated[int, typer.Option(help="Rounds of the run.", min=1)] = 12,
    json_: AsJson = False,
) -> None:
    """Measure decoding: alone, with the motion gate, and with the colour of one crop."""
    from hub.bench.decode import SIZES, decode_table, table
    from hub.bench.speed import checked
    from hub.errors import VestibuleError

    try:
        sizes = [checked(each) for each in size or SIZES]
    except VestibuleError as error:
        raise fail(str(error), UNREADABLE) from None
    found: dict[str, Any] = {}
    with progress("Decoding", len(sizes)) as step:
        for each in sizes:
            found |= decode_table([each], rounds)
            step()
    sys.stdout.write((json.dumps(found) if json_ else "\n".join(table(found))) + "\n")


@bench.command("inference")
def inference(
    clips: Annotated[
        list[Path] | None, typer.Argument(help="Clips with truth, beside the drawn scenes.")
    ] = None,
    model: Annotated[list[str] | None, typer.Option(help="A model by name or file.")] = None,
    fps: Annotated[float, typer.Option(help="Looks a second; 0 is every frame.", min=0)] = 5.0,
    scenes: Annotated[bool, typer.Option(help="Draw the simulated cameras' scenes too.")] = True,
    plot: Annotated[
        Path | None, typer.Option(help="Draw recall kept against time spent, by clip (PNG).")
    ] = None,
    json_: AsJson = False,
) -> None:
    """Measure recall and time of inference against running the whole frame every time."""
    from hub.bench import inference as measured
    from hub.bench.inference_plot import draw
    from hub.errors import VestibuleError

    cache = Path(".vestibule/cache")
    names = model or measured.models()
    found = {}
    try:
        with progress("Drawing", measured.drawings() if scenes else 0) as step:
            paths = measured.clips(clips or [], scenes, cache, step)
        with progress("Looking", len(names) * len(paths)) as step:
            for name in names:
                detector = measured.detector(name)
                found[detector.info.name] = measured.table(paths, detector, fps or None, step)
                detector.close()
        if plot is not None:
            draw(found, plot)
    except (VestibuleError, OSError) as error:
        raise fail(str(error), UNREADABLE) from None
    if json_:
        sys.stdout.write(json.dumps(measured.as_json(found)) + "\n")
        return
    told = [line for name, rows in found.items() for line in measured.lines(name, rows)]
    sys.stdout.write("\n".join(told) + "\n")
