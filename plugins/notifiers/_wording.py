"""How a notice reads, the same on every channel: what it is comes before what it says."""

from __future__ import annotations

import unicodedata

from hub import Notice


def headline(notice: Notice, *, deduplicates: bool = True) -> str:
    """The title in one line, led by DRILL for a drill; says when it may be a repeat."""
    drill = "DRILL: " if notice.drill else ""
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


def where(notice: Notice) -> str:
    """The place in one line, unless title or text name it already."""
    place = one_line(notice.place)
    return "" if place in one_line(f"{notice.title} {notice.text}") else place


def one_line(text: str) -> str:
    """Without line breaks or control characters, so that a name cannot forge a line or colours."""
    spaced = " ".join(text.split())
    return "".join(c for c in spaced if unicodedata.category(c) not in ("Cc", "Cf", "Zl", "Zp"))
