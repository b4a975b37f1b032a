"""Make docs/reference/api.md from the OpenAPI document and the route table: `make reference`.

The prose stands in api_page.template.md beside this script; every table comes from the code.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from hub.web.openapi import API, document  # noqa: E402
from hub.web.routes import ROUTES, Route  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "api.md"
TEMPLATE = Path(__file__).with_name("api_page.template.md")
ANSWERED = {"/healthz", "/inbound/{name}"}


def page() -> str:
    """The whole page."""
    made = document(ROUTES)
    parts = {
        "addresses": table((route for route in ROUTES if of_the_api(route)), made["paths"]),
        "bodies": "\n\n".join(schemas(made, sent=True)),
        "shapes": "\n\n".join(schemas(made, sent=False)),
        "pages": table(route for route in ROUTES if not of_the_api(route)),
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for name, part in parts.items():
        text = text.replace(f"{{{{ {name} }}}}", part)
    return text


def of_the_api(route: Route) -> bool:
    """Whether programs ask for it."""
    return route.path.startswith(f"{API}/") or route.path in ANSWERED


def table(routes: Iterable[Route], told: Mapping[str, Any] | None = None) -> str:
    """Each address with what it needs, does, takes and, where that is told, gives."""
    rows = ["| method | path | needs | what it does |", "|---|---|---|---|"]
    for route in routes:
        about = " ".join((route.handler.__doc__ or "").split()).rstrip(".").replace("|", "\\|")
        said = f"{about}{takes(route)}{gives(route, told or {})}"
        rows.append(f"| {route.method} | `{route.path}` | {route.permission} | {said} |")
    return "\n".join(rows)


def gives(route: Route, told: Mapping[str, Any]) -> str:
    """What comes back from an address of the API."""
    if route.path not in told:
        return ""
    good = next(iter(told[route.path][route.method.lower()]["responses"].values()))
    content = good.get("content", {})
    json = content.get("application/json", {}).get("schema")
    said = [words(json)] if json else [f"`{each}`" for each in content]
    return f". Gives {' or '.join(said)}" if said else ""


def takes(route: Route) -> str:
    """The body and the query of an address of the API, and its status if it is not 200."""
    contract = route.contract
    if contract is None:
        return ""
    said = []
    if contract.takes is not None and contract.takes.model_fields:
        said.append(f"[{contract.takes.__name__}](#{contract.takes.__name__.lower()})")
    if contract.asks.model_fields:
        said.append(", ".join(f"`?{name}=`" for name in contract.asks.model_fields))
    if contract.status != 200:
        said.append(str(contract.status))
    return f" ({'; '.join(said)})" if said else ""


def schemas(made: dict[str, Any], *, sent: bool) -> Iterator[str]:
    """Each shape that is sent, or that comes back, with its members."""
    for name, schema in made["components"]["schemas"].items():
        if name.endswith("Body") != sent or not schema.get("properties"):
            continue
        yield f"### {name}"
        if about := schema.get("description"):
            yield " ".join(about.split())
        needed = schema.get("required", [])
        rows = ["| member | what it is |", "|---|---|"]
        for member, kind in schema["properties"].items():
            optional = "" if member in needed or not sent else ", optional"
            rows.append(f"| `{member}` | {words(kind)}{optional} |")
        yield "\n".join(rows)


def words(kind: dict[str, Any]) -> str:
    """A JSON Schema in a few words."""
    if "$ref" in kind:
        name = kind["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in kind:
        return " or ".join(words(each) for each in kind["anyOf"])
    if "enum" in kind:
        return ", ".join(f"`{each}`" for each in kind["enum"])
    if "const" in kind:
        return f"`{kind['const']}`".replace("True", "true")
    if kind.get("type") == "array":
        if "prefixItems" in kind:
            return f"[{', '.join(words(each) for each in kind['prefixItems'])}]"
        inside = kind.get("items", {})
        return f"list of {words(inside)}" if inside else "list"
    if kind.get("type") == "object":
        values = kind.get("additionalProperties")
        return f"object of {words(values)}" if isinstance(values, dict) and values else "object"
    if kind.get("type") == "null":
        return "null"
    return f"{_NAMES.get(kind.get('type', ''), 'anything')}{_bounds(kind)}"


_NAMES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
}


def _bounds(kind: dict[str, Any]) -> str:
    said = []
    if "maxLength" in kind:
        said.append(f"at most {kind['maxLength']} characters")
    if "exclusiveMinimum" in kind:
        said.append(f"more than {kind['exclusiveMinimum']:g}")
    if "maximum" in kind:
        said.append(f"at most {kind['maximum']:g}")
    return f" ({', '.join(said)})" if said else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
