"""What schemathesis is told beside the document, and what it writes down of each answer."""

import itertools
import os
from pathlib import Path
from typing import Any

import schemathesis

_NUMBERS = itertools.count()


@schemathesis.hook
def before_call(context: Any, case: Any, **kwargs: Any) -> None:
    """Each act has a key of its own, which a generator of values cannot know."""
    if "Idempotency-Key" in case.headers and case.meta.generation.mode.is_positive:
        case.headers["Idempotency-Key"] = f"{os.getpid()}-{next(_NUMBERS)}"


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """One line for each answer: how, where, which status."""
    line = f"{case.operation.method.upper()} {case.operation.path} {response.status_code}\n"
    with Path(os.environ["ANSWERS"]).open("a", encoding="utf-8") as file:
        file.write(line)
