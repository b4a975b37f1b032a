"""What is wrong with a query or body, in plain words and without what was sent, maybe a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

MOST_TOLD = 10
MOST_NAMED = 80
_WORDS: Mapping[str, str] = {
    "extra_forbidden": "is not known here",
    "missing": "is missing",
    "string_type": "expected text",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "bool_type": "expected true or false",
    "list_type": "expected a list",
    "tuple_type": "expected a list",
    "dict_type": "expected an object",
    "model_type": "expected an object",
    "string_too_short": "expected at least {min_length} characters",
    "string_too_long": "expected at most {max_length} characters",
    "too_short": "expected at least {min_length} items",
    "too_long": "expected at most {max_length} items",
    "string_pattern_mismatch": "expected text of the form {pattern}",
    "greater_than": "expected more than {gt}",
    "greater_than_equal": "expected {ge} or more",
    "less_than": "expected less than {lt}",
    "less_than_equal": "expected {le} or less",
}


def in_words(problem: ValidationError) -> str:
    """Each member or parameter that is at fault, once, and what was expected there."""
    choices: dict[str, list[str]] = {}
    said: dict[str, str] = {}
    for each in problem.errors(include_url=False, include_input=False):
        # the branch of a union stands in the place as `literal['1','true']` or `function-…`
        parts = [str(part) for part in each["loc"] if not re.search(r"[\[(]", str(part))]
        place = short(".".join(parts)) or "body"
        if each["type"] == "literal_error":
            expected = str(each.get("ctx", {}).get("expected", ""))
            choices.setdefault(place, []).extend(re.findall(r"'([^']*)'", expected))
        said.setdefault(place, _said(each["type"], each["msg"], each.get("ctx", {})))
    said |= {place: f"expected one of {', '.join(names)}" for place, names in choices.items()}
    return "; ".join(f"{place}: {words}" for place, words in list(said.items())[:MOST_TOLD])


def short(name: str) -> str:
    """A name that somebody sent, cut where it is very long."""
    return name if len(name) <= MOST_NAMED else f"{name[:MOST_NAMED]}…"


def _said(kind: str, message: str, context: Mapping[str, Any]) -> str:
    if kind not in _WORDS:
        return message.removeprefix("Value error, ")
    return _WORDS[kind].format(**context)
