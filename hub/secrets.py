"""What must never be shown, and texts cleaned of it.

A value is hidden in the shapes it commonly travels in: as it is, quoted for an address, escaped in
JSON or HTML, in base64 (also together with a user name) and in hexadecimal. Passwords that cannot
be told from ordinary words and numbers are left alone, since hiding them would garble what people
must be able to read: see `worth_hiding`.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, quote_plus

from hub.events import Event

HIDDEN = "(hidden)"
SHORTEST = 4
ENOUGH = 6  # from here on, letters or digits alone will do, and encodings are unmistakable
ANYWHERE = 8  # from here on, a value is hidden inside of words too
CUT_AFTER = 6
CUT_IN_LETTERS_AFTER = 12

_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")
_ESCAPED = re.compile(r"['\"\\]|[^ -~]")
_FIELD = re.compile(r"[a-z_]+")
_BRACKETS = " .…'\")]}>,"


def worth_hiding(value: str) -> bool:
    """Whether a value is hidden at all.

    Fewer than 4 characters never are, nor fewer than 6 that are all letters or all digits: `true`,
    `admin` and `1234` stand in too many texts where they are no secret.
    """
    if len(value) < SHORTEST or not any(each.isalnum() for each in value):
        return False
    return len(value) >= ENOUGH or not (value.isalpha() or value.isdigit())


@dataclass(frozen=True, slots=True)
class _Form:
    """One shape of a secret: `text` must be there, and `pattern`, if any, says what is hidden.

    Where it is `encoded`, the whole run of letters and digits around it goes with it.
    """

    text: str
    pattern: re.Pattern[str] | None = None
    encoded: bool = False

    def hide(self, text: str) -> str:
        if self.pattern is not None:
            return self.pattern.sub(HIDDEN, text)
        return _hide_run(text, self.text) if self.encoded else text.replace(self.text, HIDDEN)


class Secrets:
    """The secret values of a configuration, in this process.

    Values are only ever added: what was secret before a reload stays so until the process ends.
    Cleaning is safe from any thread. Without values everything passes unchanged.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: frozenset[str] = frozenset()
        self._forms: tuple[_Form, ...] = ()
        self._encoded: tuple[_Form, ...] = ()
        self._run = re.compile("")
        self._cuts: tuple[str, ...] = ()
        self._salt = os.urandom(16)
        self.add(values)

    def add(self, values: Iterable[str]) -> None:
        """Hide these values too, from now on, as far as they are worth hiding."""
        pieces = {piece for value in values for piece in _pieces(value)}
        self._values |= frozenset(piece for piece in pieces if worth_hiding(piece))
        forms = {form for value in self._values for form in _forms(value)}
        longest_first = sorted(forms, key=lambda form: (-len(form.text), form.text))
        self._encoded = tuple(form for form in longest_first if form.encoded)
        shortest = min((len(form.text) for form in self._encoded), default=0)
        self._run = re.compile(rf"[A-Za-z0-9+/_-]{{{shortest}}}")
        single = (value for value in self._values if len(value.splitlines()) == 1)
        self._cuts = tuple(value for value in single if len(value) >= ANYWHERE)
        self._forms = tuple(form for form in longest_first if not form.encoded)

    def clean(self, text: str) -> str:
        """The text with `(hidden)` for every secret, also for one cut off at the text's end."""
        if not self._forms:
            return text
        for form in self._encoded if self._run.search(text) else ():
            if form.text in text:
                text = form.hide(text)
        for form in self._forms:
            if form.text in text:
                text = form.hide(text)
        return self._without_cut(text)

    def clean_data(self, value: Any) -> Any:
        """Plain JSON values with every text in them cleaned; what is clean comes back as it was."""
        if not self._forms:
            return value
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, Mapping):
            return {self._key(key): self.clean_data(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.clean_data(each) for each in value]
        if isinstance(value, int) and str(value) in self._values:
            return HIDDEN
        return value

    def clean_event(self, event: Event) -> Event:
        """The event without secrets; the same object where it had none.

        An id that holds a secret becomes another one, the same each time, so that an event sent
        again still counts once.
        """
        if not self._forms:
            return event
        given = (event.type, event.source, event.subject, event.data)
        type_, source, subject, data = cleaned = tuple(self.clean_data(each) for each in given)
        id_ = event.id
        if self.clean(id_) != id_:
            id_ = hashlib.blake2b(id_.encode(), key=self._salt, digest_size=16).hexdigest()
        if cleaned == given and id_ == event.id:
            return event
        return replace(event, type=type_, source=source, subject=subject, data=data, id=id_)

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """The environment for a child process: without variables that hold a secret."""
        return {name: text for name, text in variables.items() if text not in self._values}

    def _key(self, key: Any) -> Any:
        """A field's plain name is no secret, whatever somebody's password is."""
        return self.clean(key) if isinstance(key, str) and not _FIELD.fullmatch(key) else key

    def _without_cut(self, text: str) -> str:
        """What was cut to length may end in the beginning of a secret."""
        end = len(text.rstrip(_BRACKETS))
        for value in self._cuts:
            begin = value[:CUT_AFTER]
            at = text.rfind(begin, max(0, end - len(value)), end)
            part = text[at:end]
            if at < 0 or not value.startswith(part):
                continue
            if len(part) >= CUT_IN_LETTERS_AFTER or not part.isalpha():
                return text[:at] + HIDDEN + text[end:]
        return text


def _pieces(value: str) -> Iterator[str]:
    """The value, and each line of one that has several (a key file): errors quote lines."""
    yield value
    lines = [line.strip() for line in value.splitlines()]
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= ANYWHERE and line[:5] != "-----")


def _forms(value: str) -> Iterator[_Form]:
    plain = {value, " ".join(value.split()), quote(value, safe=""), quote(value), quote_plus(value)}
    plain |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    plain |= {repr(value)[1:-1], html.escape(value), str(value.encode())[2:-1]}
    whole = len(value) < ANYWHERE
    for text in plain:
        yield _Form(text, re.compile(_as_word(re.escape(text))) if whole else None)
    if _ESCAPED.search(value):
        longest = max(_ESCAPED.split(value), key=len)
        quoting = "".join(_however_often_escaped(each) for each in value)
        yield _Form(longest, re.compile(_as_word(quoting) if whole else quoting))
    if len(value) >= ENOUGH:
        raw = value.encode("utf-8", "surrogatepass")
        yield _Form(raw.hex(), encoded=True)
        yield _Form(raw.hex().upper(), encoded=True)
        for before in range(3):
            inside = _within_base64(raw, before)
            yield _Form(inside, encoded=True)
            yield _Form(inside.replace("+", "-").replace("/", "_"), encoded=True)


def _as_word(pattern: str) -> str:
    return rf"(?<!\w){pattern}(?!\w)"


def _however_often_escaped(character: str) -> str:
    """A text quoted in a quoted text has backslashes upon backslashes."""
    if character == "\\":
        return r"\\+"
    if character in "'\"":
        return r"\\*" + character
    if " " <= character <= "~":
        return re.escape(character)
    shapes = {character, json.dumps(character)[1:-1], ascii(character)[1:-1]}
    shapes.add(repr(character.encode("utf-8", "surrogatepass"))[2:-1])
    return f"(?:{'|'.join(_backslashes(each) for each in sorted(shapes))})"


def _backslashes(text: str) -> str:
    """A pattern for a text whose every backslash may have become several."""
    return r"\\+".join(re.escape(part) for part in text.split("\\"))


def _within_base64(raw: bytes, before: int) -> str:
    """What base64 shows of `raw` when `before` other bytes (modulo 3) stand before it, whichever
    they are and whatever follows: `user:password` holds it for every user.
    """
    encoded = base64.b64encode(bytes(before) + raw).decode()
    return encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]


def _hide_run(text: str, inside: str) -> str:
    """Each run of base64 that holds `inside`, hidden as a whole."""
    kept: list[str] = []
    start = 0
    while (at := text.find(inside, start)) >= 0:
        left, right = at, at + len(inside)
        while left > start and text[left - 1] in _BASE64:
            left -= 1
        while right < len(text) and text[right] in _BASE64:
            right += 1
        kept += [text[start:left], HIDDEN]
        start = right
    return "".join([*kept, text[start:]])
