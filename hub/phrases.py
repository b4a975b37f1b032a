"""Sentences that can still be said in another language.

What the hub keeps, logs and sends to programs is English. A sentence made here is an English `str`
like any other, and remembers its form and its values, so that a page can say it in the language
of whoever reads it. Put together with other text it is text alone: give one phrase to another as
a value instead.
"""

from __future__ import annotations

from typing import Any


class Phrase(str):
    """An English sentence with the form that it was made from; `many` where a number decides."""

    form: str
    many: str
    number: int
    values: dict[str, Any]

    def __new__(cls, form: str, values: dict[str, Any], many: str = "", count: int = 1) -> Phrase:
        """Say it in English."""
        made = super().__new__(cls, (form if not many or count == 1 else many) % values)
        made.form, made.many, made.number, made.values = form, many, count, values
        return made

    def __str__(self) -> str:
        """Itself: an error that carries a phrase gives it back as one."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Phrase:
        return self

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        """In another process it is its English."""
        return str, (str.__str__(self),)


def phrase(form: str, /, **values: Any) -> Phrase:
    """A sentence with `%(name)s` for each of its values; `%%` is a per cent sign."""
    return Phrase(form, values)


def phrases(one: str, many: str, count: int, /, **values: Any) -> Phrase:
    """A sentence whose form depends on a number."""
    return Phrase(one, values, many, count)


def mark(text: str) -> str:
    """English that is said later in the language of whoever reads it: marked, so that it is among
    what is translated.
    """
    return text
