"""A notice for a telephone: as a text message of few parts, and as words to be spoken."""

from __future__ import annotations

import re
from math import ceil
from xml.sax.saxutils import escape, quoteattr

from hub import Notice
from plugins.notifiers._wording import clean, cut, headline, largest, one_line, where

# The alphabet of GSM 03.38, whose characters take 7 bits; those of the second line take two.
GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_TWICE = frozenset("^{}\\[~]|€\f")
# What would turn a whole message into the alphabet of 70 characters a part for a mere dash.
PLAIN = str.maketrans(
    {"–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "„": '"', "…": "...",
     "·": "-", "•": "-", "\u00a0": " ", "\u2212": "-", "´": "'", "`": "'"}
)  # fmt: skip
SMS_LIMIT = 1600  # characters of a message, by Twilio's API
SPOKEN_LIMIT = 700  # characters; about 50 s
TWIML_LIMIT = 4000


def parts(text: str) -> int:
    """Into how many parts the network splits a text message."""
    if all(c in GSM or c in GSM_TWICE for c in text):
        units = len(text) + sum(c in GSM_TWICE for c in text)
        return 1 if units <= 160 else ceil(units / 153)
    units = len(text.encode("utf-16-le")) // 2
    return 1 if units <= 70 else ceil(units / 67)


def text_message(notice: Notice, most: int) -> str:
    """The notice in at most so many parts: what it is and the link stay, the words give way."""
    head = one_line(headline(notice, deduplicates=False).translate(PLAIN)) or "Notice"
    lines = [clean(notice.text), where(notice), _moment(notice)]
    words = "\n".join(line for line in lines if line).translate(PLAIN)
    link = notice.link if len(notice.link) <= 200 else ""

    def made(length: int, of_head: int = len(head)) -> str:
        said = [cut(head, of_head, "..."), cut(words, length, "...") if length > 3 else "", link]
        return "\n".join(part for part in said if part)

    def fits(text: str) -> bool:
        return parts(text) <= most and len(text) <= SMS_LIMIT

    if fits(made(len(words))):
        return made(len(words))
    length = largest(min(len(words), SMS_LIMIT), lambda n: fits(made(n)))
    if fits(made(length)):
        return made(length)
    return made(0, largest(min(len(head), SMS_LIMIT), lambda n: fits(made(0, n))))


def twiml(notice: Notice, language: str) -> str:
    """The notice as TwiML that is spoken twice, with a rest before each time."""
    words = re.sub("[\ufffe\uffff]", "", spoken(notice))  # which no XML may hold
    longest = SPOKEN_LIMIT
    while True:  # an escaped character takes up to five
        say = f"<Say language={quoteattr(language)}>{escape(cut(words, longest))}</Say>"
        made = f'<Response><Pause length="1"/>{say}<Pause length="2"/>{say}</Response>'
        if len(made) <= TWIML_LIMIT:
            return made
        longest //= 2


def spoken(notice: Notice) -> str:
    """The notice as sentences: what it is, where, and that more is to be read; no address."""
    drill = "This is a drill." if notice.drill else ""
    lines = [headline(notice, deduplicates=False), drill, *clean(notice.text).split("\n")]
    lines += [where(notice), _moment(notice)]
    sentences = [re.sub(r"https?://\S+", "", line).strip() for line in lines]
    return " ".join(_ended(one) for one in sentences if one)


def _ended(sentence: str) -> str:
    return sentence if sentence[-1] in ".!?:" else f"{sentence}."


def _moment(notice: Notice) -> str:
    clock = f"{notice.time:%H:%M}"
    return "" if clock in notice.text else clock
