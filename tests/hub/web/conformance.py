"""Holds every answer of the API against the OpenAPI document, whatever test it was given in.

Objects are closed here: a member that the document does not know is a mistake, though a program
has to bear with new ones.
"""

import copy
import gzip
import json
from functools import cache
from typing import Any

import jsonschema_rs
from aiohttp import web

from hub.web.openapi import document
from hub.web.routes import ROUTES


@cache
def whole() -> dict[str, Any]:
    """The document, made once."""
    return document(ROUTES)


@cache
def _closed() -> dict[str, Any]:
    made = copy.deepcopy(whole())
    for name, schema in made["components"]["schemas"].items():
        if name != "Problem" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return made


@cache
def _validator(path: str, method: str, status: str, media: str) -> Any:
    made = _closed()
    given = made["paths"][path][method]["responses"][status]
    if "$ref" in given:
        given = made["components"]["responses"][given["$ref"].rsplit("/", 1)[1]]
    schema = given["content"][media]["schema"]
    return jsonschema_rs.validator_for({**schema, "components": made["components"]})


def said_otherwise(path: str, method: str, answer: web.StreamResponse) -> str:
    """How an answer differs from what the document says; empty where it does not."""
    at = f"{method} {path} {answer.status}"
    told = whole()["paths"][path][method.lower()]["responses"].get(str(answer.status))
    if told is None:
        return f"{at}: the document does not know this status"
    if "$ref" in told:
        told = whole()["components"]["responses"][told["$ref"].rsplit("/", 1)[1]]
    if "content" not in told:
        empty = not isinstance(answer, web.Response) or not answer.body
        return "" if empty else f"{at}: the document knows no content"
    if answer.content_type not in told["content"]:
        return f"{at}: the document does not know {answer.content_type}"
    if not answer.content_type.endswith("json") or not isinstance(answer, web.Response):
        return ""
    packed = "Content-Encoding" in answer.headers
    body = json.loads(gzip.decompress(answer.body) if packed else answer.body)
    check = _validator(path, method.lower(), str(answer.status), answer.content_type)
    wrong = next(iter(check.iter_errors(body)), None)
    return f"{at}: {wrong.message} at {list(wrong.instance_path)}" if wrong else ""


async def hold(request: web.Request, answer: web.StreamResponse) -> None:
    """A signal of the application: remember what differs, for the end of the test."""
    resource = request.match_info.route.resource
    path = resource.canonical if resource is not None else ""
    if request.method.lower() not in whole()["paths"].get(path, {}):
        return
    if said := said_otherwise(path, request.method, answer):
        request.app[DIFFERS].append(said)


DIFFERS: web.AppKey[list[str]] = web.AppKey("differs", list)


def watch(app: web.Application) -> list[str]:
    """Have every answer of this application held; returns where the differences come to stand."""
    app[DIFFERS] = []
    app.on_response_prepare.append(hold)
    return app[DIFFERS]
