"""The one shape of an API error: a problem of RFC 9457, with what to do beside what went wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from hub.errors import Refused

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """What went wrong. `detail` says it in words, `hint` says what to do; an address may add what
    belongs to it.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    type: str = Field("about:blank", description="Always `about:blank`: the status says it all.")
    title: str = Field(description="The status in words.")
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="What went wrong here.")
    hint: str = Field(description="What to do about it.")


class Denied(Exception):
    """A request that is answered with a problem; raised by what reads it."""

    def __init__(self, status: int, detail: str, hint: str) -> None:
        super().__init__(detail)
        self.status, self.detail, self.hint = status, detail, hint

    def answer(self) -> web.Response:
        """The answer to give."""
        return denial(self.status, self.detail, self.hint)


def denial(status: int, detail: str, hint: str, **more: Any) -> web.Response:
    """The answer that tells of a problem; `more` are members of its own."""
    said = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, hint=hint, **more)
    return web.Response(
        text=json.dumps(said.model_dump(), ensure_ascii=False),
        status=status,
        content_type=MEDIA_TYPE,
    )


@contextmanager
def turned_down(what: str, lists: str, hint: str = "") -> Iterator[None]:
    """What the house does not know is a 404 that says what lists it; what it refuses is a 409 in
    its own words.
    """
    try:
        yield
    except KeyError:
        raise Denied(404, f"There is no such {what}.", lists) from None
    except Refused as refusal:
        raise Denied(409, str(refusal), hint or lists) from None
