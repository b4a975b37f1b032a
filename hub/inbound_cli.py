"""`vestibule inbound`: what becomes of a message of another system, without a hub that runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from hub.cli_exit import REFUSED, UNREADABLE, USAGE, fail

LONGEST = 64 * 1024


def inbound(
    config: Annotated[Path, typer.Argument(help="The YAML file.")],
    name: Annotated[str, typer.Argument(help="Which block under `inbound:`.")],
    message: Annotated[Path, typer.Argument(help="A file with one message, or - for stdin.")],
) -> None:
    """Show what event a message of another system becomes, and which rules hear of it."""
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo

    from hub.check import examine
    from hub.errors import CannotCheck
    from hub.inbound.answers import NoAnswer, NotReadable, read_answer
    from hub.inbound.mapping import Unreadable, read

    try:
        examined = examine(config, spare=True)
        body = sys.stdin.buffer.read() if str(message) == "-" else message.read_bytes()
    except (CannotCheck, OSError) as error:
        raise fail(str(error), UNREADABLE) from None
    if examined.config is None:
        for problem in examined.problems:
            print(problem)
        raise typer.Exit(1)
    blocks = examined.config.inbound
    if name not in blocks:
        known = ", ".join(blocks) or "there is none"
        raise fail(
            f"no block {name!r} under `inbound:` of {config}; expected one of {known}", USAGE
        )
    if len(body) > LONGEST:
        raise fail(f"{message} has {len(body)} bytes; the hub takes at most {LONGEST}", REFUSED)
    if blocks[name].answers is not None:
        try:
            answer = read_answer(blocks[name].format, body)
            print(
                f"{answer.by} takes on the alert {answer.alert or f'of the notice {answer.key}'}."
            )
        except NoAnswer as other:
            print(f"Answered and forgotten: {other}.")
        except NotReadable as problem:
            raise fail(f"{message}: {problem}", REFUSED) from None
        return
    if blocks[name].controller is not None:
        print(f"Handed to the driver of {blocks[name].controller}, which reads it itself.")
        return
    now = datetime.now(UTC).astimezone(ZoneInfo(examined.config.hub.timezone))
    try:
        reading = read(blocks[name], name, body, now)
    except Unreadable as problem:
        raise fail(f"{message}: {problem}", REFUSED) from None
    if reading.event is None:
        print(f"Answered and forgotten: {reading.why}.")
        return
    for note in reading.notes:
        print(f"Note: {note}.", file=sys.stderr)
    event = reading.event.to_cloudevent()
    print(json.dumps(event, ensure_ascii=False, indent=2))
    rules = [key for key, rule in examined.config.rules.items() if reading.event.type in rule.when]
    print(f"Rules that look at {reading.event.type}: {', '.join(rules) or 'none yet'}.")
