"""Every text that pages, scripts and sentences say, for translating: `make words`.

Reads the code and brings each catalogue under hub/web/locale up to it. What is new stands there
untranslated, what nobody says any more is gone. `make words ARGS=fr` begins a language.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from babel.core import Locale  # noqa: E402
from babel.messages.catalog import Catalog, Message  # noqa: E402
from babel.messages.extract import extract_from_dir  # noqa: E402
from babel.messages.pofile import read_po, write_po  # noqa: E402

from hub.events import EVENT_TYPES  # noqa: E402
from hub.identity.permissions import PERMISSIONS, ROLE_NAMES  # noqa: E402
from hub.incident_settings import CASE_ROLES, KIND_NAMES  # noqa: E402
from hub.safety.protocols.wording import attribution, wordings  # noqa: E402
from hub.storage.audit_acts import ACTS  # noqa: E402
from hub.web.language import LOCALE, po_file  # noqa: E402

# What only commands and tests say, on a terminal, stays English.
IGNORED = ("*_cli.py", "migrate.py", "rewriting.py", "redrawing.py", "calls.py", "control.py",
           "hosts.py", "broker.py", "doctor/**.py", "bench/**.py", "scaffold/**.py",
           "testing/**.py")  # fmt: skip
METHODS = [
    *((f"hub/{files}", "ignore") for files in IGNORED),
    ("hub/web/templates/**.html", "jinja2"),
    ("hub/web/static/**.js", "javascript"),
    ("hub/**.py", "python"),
    ("plugins/**.py", "python"),
]
OPTIONS = {
    "hub/web/templates/**.html": {
        "encoding": "utf-8",
        "extensions": "jinja2.ext.i18n",
        "newstyle_gettext": "true",
        "trimmed": "true",
        "trim_blocks": "true",
        "lstrip_blocks": "true",
        "silent": "false",
    },
    "hub/web/static/**.js": {"encoding": "utf-8"},
}
KEYWORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "mark": None,
    "phrase": None,
    "Refused": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "phrases": (1, 2),
}


HEADER = """\
# What the console of Vestibule says. `make words` keeps the texts to the code.
msgid ""
msgstr ""
"Language: {code}\\n"
"Plural-Forms: {forms}\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def extracted() -> Catalog:
    """Every text of the code, with the files that say it."""
    found = Catalog()
    for folder in ("hub", "plugins"):
        methods = [(path.removeprefix(f"{folder}/"), how) for path, how in METHODS]
        options = {path.removeprefix(f"{folder}/"): each for path, each in OPTIONS.items()}
        methods = [each for each, whole in zip(methods, METHODS, strict=True) if each != whole]
        for file, line, text, comments, context in extract_from_dir(
            ROOT / folder, methods, options, KEYWORDS, ("Translators:",), strip_comment_tags=True
        ):
            found.add(
                text, None, [(f"{folder}/{file}", line)], auto_comments=comments, context=context
            )
    for file, text in tables():
        found.add(text, None, [(file, 1)])
    return found


def tables() -> Iterator[tuple[str, str]]:
    """The words of tables that pages show, each with its file."""
    for file, table in (
        ("hub/incident_settings.py", KIND_NAMES),
        ("hub/incident_settings.py", CASE_ROLES),
        ("hub/identity/permissions.py", PERMISSIONS),
        ("hub/identity/permissions.py", ROLE_NAMES),
        ("hub/storage/audit_acts.py", ACTS),
        ("hub/events.py", EVENT_TYPES),
    ):
        for text in table.values():
            yield file, text
    for each in wordings().values():
        if "{" not in each.directive:
            yield "hub/safety/protocols/wording.yaml", each.directive
    yield "hub/safety/protocols/wording.yaml", attribution()


def brought_forward(code: str, texts: Catalog) -> bytes:
    """The catalogue of a language with exactly these texts; what was translated stays."""
    file = po_file(code)
    known = Catalog(locale=Locale.parse(code, sep="-"))
    if file.exists():
        with file.open("rb") as text:
            known = read_po(text)
    fresh = Catalog()
    for each in sorted((m for m in texts if m.id), key=_where):
        before = known.get(each.id, each.context)
        said = before.string if before is not None and before.id == each.id else None
        files = [(file, 0) for file in sorted({file for file, _line in each.locations})]
        fresh.add(each.id, said, files, auto_comments=each.auto_comments, context=each.context)
    written = BytesIO()
    write_po(written, fresh, width=100, include_lineno=False, omit_header=True)
    return HEADER.format(code=code, forms=known.plural_forms).encode() + written.getvalue()


def _where(message: Message) -> tuple[str, int]:
    return min((file, line or 0) for file, line in message.locations)


def main(languages: list[str]) -> None:
    """Bring every catalogue up to the code, and begin those that are named."""
    texts = extracted()
    codes = {each.name for each in LOCALE.iterdir() if po_file(each.name).is_file()}
    for code in sorted(codes | set(languages)):
        file = po_file(code)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(brought_forward(code, texts))
        with file.open("rb") as text:
            missing = [each.id for each in read_po(text) if each.id and not all_said(each.string)]
        sys.stdout.write(f"{file.relative_to(ROOT)}: {len(missing)} of {len(texts)} to translate\n")


def all_said(string: object) -> bool:
    """Whether every form of a text has words."""
    return all(string) if isinstance(string, tuple | list) else bool(string)


if __name__ == "__main__":
    main(sys.argv[1:])
