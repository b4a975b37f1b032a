"""The OpenAPI document of the API, made from the route table and the models of its contracts."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any, Protocol

from aiohttp import web
from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from hub.identity.permissions import PERMISSIONS
from hub.web.contract import Contract, Handler, Line
from hub.web.idempotency import HEADER, LONGEST, REPEATED
from hub.web.problems import MEDIA_TYPE, Problem
from hub.web.security import CSRF_HEADER, PUBLIC, SESSION_COOKIE, SIGNED_IN

API = "/api/v1"
PATH = f"{API}/openapi.json"
_AT = "#/components/schemas/"
_GAP = re.compile(r"{(\w+)}")
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": f"{_AT}Problem"}}}
_ABOUT = (
    "Errors are problems of RFC 9457. Times are RFC 3339 in UTC, ages and durations seconds, boxes "
    "`[x1, y1, x2, y2]` in pixels of `frame_size`. Answers may gain members; a query or body with "
    "one that is not known is refused."
)
_SESSION_ASKS = (
    f"The cookie of somebody who signed in at `/signin`; whatever is no GET needs `{CSRF_HEADER}` "
    "with the secret of the session besides."
)


class Answers(Protocol):
    """A line of the route table."""

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def permission(self) -> str: ...

    @property
    def handler(self) -> Handler: ...

    @property
    def contract(self) -> Contract | None: ...


@dataclass(frozen=True, slots=True)
class Told:
    """An address of the API with what it takes and gives."""

    method: str
    path: str
    permission: str
    words: str
    contract: Contract

    @property
    def name(self) -> str:
        """What generated clients call it."""
        parts = self.path.removeprefix(API).strip("/").split("/")
        said = [f"by_{each[1:-1]}" if each.startswith("{") else each for each in parts]
        return "_".join((self.method.lower(), *said)).replace("-", "_").replace(".", "_")

    @property
    def refuses(self) -> tuple[int, ...]:
        """The statuses of all problems that it answers with."""
        found = {422, *self.contract.refuses}
        if self.permission != PUBLIC:
            found |= {401, 403}
        if self.contract.takes is not None:
            found |= {400, 413, 415}
        if self.contract.acts_once:
            found.add(409)
        if "{" in self.path:
            found.add(404)
        return tuple(sorted(found))


def told(routes: Iterable[Answers]) -> Iterator[Told]:
    """Each line of the route table that has a contract."""
    for line in routes:
        if line.contract is not None:
            words = " ".join((line.handler.__doc__ or "").split())
            yield Told(line.method, line.path, line.permission, words, line.contract)


def document(routes: Iterable[Answers]) -> dict[str, Any]:
    """The whole document."""
    every = list(told(routes))
    schemas, shared = _schemas(every)
    paths: dict[str, dict[str, Any]] = {}
    for each in every:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Vestibule",
            "version": "1",
            "summary": "A school's safety hub, for programs.",
            "description": _ABOUT,
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"session": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(_tag(each) for each in every)],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(shared.items())),
            "responses": {
                str(status): {"description": HTTPStatus(status).phrase, "content": _PROBLEM}
                for status in sorted({status for each in every for status in each.refuses})
            },
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Made with `vestibule token create NAME --role ROLE`.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": SESSION_COOKIE,
                    "description": _SESSION_ASKS,
                },
                "device": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The token of an enrolled device.",
                },
            },
        },
    }


Schemas = Mapping[tuple[str, JsonSchemaMode], Mapping[str, Any]]


def _schemas(every: Iterable[Told]) -> tuple[Schemas, dict[str, Any]]:
    """The schema of each thing that is taken or given, by address, and what they share."""
    inputs: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = []
    for each in every:
        if each.contract.takes is not None:
            inputs.append((f"{each.name} body", "validation", TypeAdapter(each.contract.takes)))
        if each.contract.gives is not None:
            inputs.append((each.name, "serialization", TypeAdapter(each.contract.gives)))
    inputs.append(("problem", "serialization", TypeAdapter(Problem)))
    made, whole = TypeAdapter.json_schemas(inputs, ref_template=f"{_AT}{{model}}")
    return made, _without_titles(whole.get("$defs", {}))


def _without_titles(schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Without the titles that only repeat a member's name."""
    for schema in schemas.values():
        for member in schema.get("properties", {}).values():
            member.pop("title", None)
    return dict(schemas)


def _tag(told: Told) -> str:
    return told.path.removeprefix(f"{API}/").split("/")[0]


def _operation(told: Told, schemas: Schemas) -> dict[str, Any]:
    contract, first = told.contract, told.words.split(". ")[0].split("; ")[0].rstrip(".")
    made: dict[str, Any] = {
        "operationId": told.name,
        "tags": [_tag(told)],
        "summary": first,
        "description": f"{told.words}\n\n{_needs(told)}",
        "x-permission": told.permission,
    }
    if told.permission == PUBLIC:
        made["security"] = [{"device": []}]
    if parameters := [*_of_path(told), *_of_query(told), *_of_headers(contract)]:
        made["parameters"] = parameters
    if contract.takes is not None:
        schema = schemas[(f"{told.name} body", "validation")]
        made["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    made["responses"] = dict(_responses(told, schemas))
    return made


def _needs(told: Told) -> str:
    permission, not_by_token = told.permission, told.contract.not_by_token
    if not_by_token:
        return f"Needs the permission `{permission}` and a session. {not_by_token}"
    if permission == PUBLIC:
        return "Needs the token of an enrolled device."
    if permission == SIGNED_IN:
        return "Needs any session or token."
    return f"Needs the permission `{permission}`: {PERMISSIONS[permission]}"


def _of_path(told: Told) -> Iterator[dict[str, Any]]:
    for name in _GAP.findall(told.path):
        schema = {"type": "string", "minLength": 1}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _of_query(told: Told) -> Iterator[dict[str, Any]]:
    for name, field in told.contract.asks.model_fields.items():
        made = TypeAdapter(field.rebuild_annotation()).json_schema()
        made.pop("title", None)
        yield {"name": name, "in": "query", "required": field.is_required(), "schema": made}


def _of_headers(contract: Contract) -> Iterator[dict[str, Any]]:
    if contract.acts_once:
        yield {
            "name": HEADER,
            "in": "header",
            "required": False,
            "description": "Makes two of these requests one act: the answer is the same, also "
            "after a restart, for 24 hours.",
            "schema": {"type": "string", "pattern": f"^[!-~]{{1,{LONGEST}}}$"},
        }


def _responses(told: Told, schemas: Schemas) -> Iterator[tuple[str, Any]]:
    contract = told.contract
    good: dict[str, Any] = {"description": HTTPStatus(contract.status).phrase}
    if contract.acts_once:
        about = "`true` where this was done before, under the same key."
        good["headers"] = {REPEATED: {"description": about, "schema": {"type": "string"}}}
    if contract.media and contract.status != 204:
        schema = schemas[(told.name, "serialization")] if contract.gives is not None else {}
        good["content"] = {media: {"schema": schema} for media in contract.media}
    yield str(contract.status), good
    for status in contract.also:
        yield str(status), {"description": HTTPStatus(status).phrase}
    for status in told.refuses:
        yield str(status), {"$ref": f"#/components/responses/{status}"}


@cache
def packed(routes: tuple[Answers, ...]) -> tuple[bytes, bytes, str]:
    """The document as it is sent, plain and compressed, with its tag."""
    body = json.dumps(document(routes), ensure_ascii=False, separators=(",", ":")).encode()
    return body, gzip.compress(body, 9, mtime=0), f'"{hashlib.sha256(body).hexdigest()[:16]}"'


ROUTES_TOLD: web.AppKey[tuple[Answers, ...]] = web.AppKey("routes_told", tuple)


async def show(request: web.Request) -> web.Response:
    """This document."""
    # A third of a second of work, once in the life of the hub: doors do not wait for it.
    body, small, tag = await asyncio.to_thread(packed, request.app[ROUTES_TOLD])
    headers = {"ETag": tag, "Vary": "Accept-Encoding", "Content-Type": "application/json"}
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=headers)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        return web.Response(body=small, headers={**headers, "Content-Encoding": "gzip"})
    return web.Response(body=body, headers=headers)


LINES: tuple[Line, ...] = (("GET", PATH, SIGNED_IN, show, Contract(dict[str, Any], also=(304,))),)
