"""How a notice reads, the same on every channel: what it is comes before what it says."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import replace

from hub import Notice


def headline(notice: Notice, *, deduplicates: bool = True) -> str:
    """The title in one line, led by DRILL for a drill; says when it may be a repeat."""
    drill = "DRILL: " if notice.drill and not notice.title.startswith("DRILL: ") else ""
    repeat = " (may be a repeat)" if notice.repeat and not deduplicates else ""
    return one_line(f"{drill}{notice.title}{repeat}")


def body(notice: Notice) -> str:
    """The text, with place and time where it does not say them itself, and the link."""
    clock = f"{notice.time:%H:%M}"
    parts = (
        "This is a drill." if notice.drill else "",
        notice.text.strip(),
        where(notice),
        f"{notice.time:%Y-%m-%d %H:%M:%S %Z}" if clock not in notice.text else "",
        notice.link,
    )
    return "\n".join(part for part in parts if part)


def brief(notice: Notice, longest: int) -> str:
    """`body` without the link, in so many characters: the text gives way, place and time stay."""
    text = clean(notice.text)
    whole = clean(body(replace(notice, text=text, link="")))
    if len(whole) <= longest:
        return whole
    drill = "This is a drill." if notice.drill else ""
    rest = clean(body(replace(notice, text="", link="", drill=False)))
    room = longest - sum(len(part) + 1 for part in (drill, rest) if part)
    parts = (drill, cut(text, max(room, 0)), rest)
    return cut("\n".join(part for part in parts if part), longest)


def where(notice: Notice) -> str:
    """The place in one line, unless title or text name it already."""
    place = one_line(notice.place)
    return "" if place in one_line(f"{notice.title} {notice.text}") else place


def links(notice: Notice) -> dict[str, str]:
    """What can be opened, by what it is called."""
    named = {"Open the alert": notice.link, "Picture (after signing in)": notice.picture}
    return {name: address for name, address in named.items() if address}


def one_line(text: str) -> str:
    """Without line breaks or control characters, so that a name cannot forge a line or colours."""
    spaced = " ".join(text.split())
    if spaced.isprintable():
        return spaced
    return "".join(
        c for c in spaced if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
    )


def clean(text: str) -> str:
    """Line by line as `one_line`, without empty lines at the ends."""
    return "\n".join(one_line(line) for line in text.splitlines()).strip()


def cut(text: str, longest: int, mark: str = "…") -> str:
    """At most so many characters; what is left out at the end is marked."""
    return text if len(text) <= longest else text[: max(0, longest - len(mark))].rstrip() + mark


def escaped(text: str, longest: int, escape: Callable[[str], str]) -> str:
    """A text as a channel's markup wants it, cut so that it is at most so long after that."""

    def made(length: int) -> str:
        return escape(cut(text, length))

    return made(largest(min(len(text), longest), lambda length: len(made(length)) <= longest))


def largest(most: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to `most` that fits, where all below one that fits do so; or 0."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
