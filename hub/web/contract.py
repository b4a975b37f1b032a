"""What an API address takes and gives, declared once beside its handler.

The same models check the query and the body before the handler runs, and make the OpenAPI document
and the page about the interface: there is no second truth.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, cast

from aiohttp import web
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    WithJsonSchema,
)

from hub.clock import from_iso, iso
from hub.web.problems import Denied
from hub.web.validation import in_words, short

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_Model = TypeVar("_Model", bound=BaseModel)


def _written(value: str) -> str:
    if not value:
        return ""
    moment = from_iso(value)
    if moment.tzinfo is None:
        raise ValueError("it says no time zone")
    try:
        return iso(moment)
    except OverflowError:
        raise ValueError("it is beyond what the calendar holds") from None


_A_MOMENT = {"anyOf": [{"type": "string", "format": "date-time"}, {"const": ""}]}
# In RFC 3339 with any offset; what the handler gets is in UTC, or empty.
Moment = Annotated[str, AfterValidator(_written), WithJsonSchema(_A_MOMENT)]


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)  # JSON has one kind of number: 25.0 is 25


class Nothing(BaseModel):
    """An empty object, or a query without anything in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Contract:
    """What an address takes and gives. `gives` is the type of its JSON, None where there is none;
    `media` names what is no JSON. `refuses` are the statuses of problems beyond those that follow
    from the rest (see `hub.web.openapi`), `also` those of other answers.

    An address with `takes` acts, and may be sent an `Idempotency-Key`; `once` is False where that
    is of no use, since nothing acts or the act has a guard of its own. `recalled` makes the answer
    from what the act noted of it, and `secret` marks one that is not kept; other acts are told
    again where their answer was lost, and see by themselves that they are one. `not_by_token` says
    why only a person in a session may ask.
    """

    gives: Any = None
    takes: type[BaseModel] | None = None
    asks: type[BaseModel] = Nothing
    status: int = 200
    refuses: tuple[int, ...] = ()
    also: tuple[int, ...] = ()
    media: tuple[str, ...] = ("application/json",)
    once: bool = True
    secret: bool = False
    not_by_token: str = ""
    recalled: Callable[[str], Any] | None = None

    @property
    def acts_once(self) -> bool:
        """Whether an `Idempotency-Key` makes two requests one act."""
        return self.takes is not None and self.once


Line = tuple[str, str, str, Handler] | tuple[str, str, str, Handler, Contract]

KEY: web.RequestKey[str] = web.RequestKey("key", str)
_QUERY: web.RequestKey[BaseModel] = web.RequestKey("query", BaseModel)
_BODY: web.RequestKey[BaseModel] = web.RequestKey("body", BaseModel)


def asked(request: web.Request, model: type[_Model]) -> _Model:
    """The query, as the contract says that it is."""
    return cast(_Model, request[_QUERY])


def taken(request: web.Request, model: type[_Model]) -> _Model:
    """The body, as the contract says that it is."""
    return cast(_Model, request[_BODY])


def key_of(request: web.Request) -> str:
    """The key that makes two of these requests one act, for acts that know such keys; or empty."""
    key: str = request.get(KEY, "")
    return key


async def read(request: web.Request, contract: Contract) -> None:
    """Check query and body against the contract, and keep them for the handler. Raises `Denied`."""
    request[_QUERY] = _query(request, contract.asks)
    if contract.takes is not None:
        request[_BODY] = await _body(request, contract.takes)


def _query(request: web.Request, model: type[BaseModel]) -> BaseModel:
    known = ", ".join(model.model_fields)
    hint = f"What it takes there: {known}." if known else "It takes nothing there."
    given = request.query
    if twice := next((name for name in given if len(given.getall(name)) > 1), None):
        raise Denied(422, f"The query says {short(twice)} more than once.", hint)
    try:
        return model.model_validate(dict(given))
    except ValidationError as problem:
        raise Denied(422, f"The query cannot be used: {in_words(problem)}", hint) from None


async def _body(request: web.Request, model: type[BaseModel]) -> BaseModel:
    fields = ", ".join(model.model_fields)
    hint = f"Send an object with: {fields}." if fields else "Send an empty object: {}."
    if request.content_type != "application/json" or not _utf8(request.charset):
        raise Denied(
            415, "The body must be JSON in UTF-8.", "Send 'Content-Type: application/json'."
        )
    try:
        return model.model_validate_json(await request.read(), strict=True)
    except ValidationError as problem:
        if problem.errors(include_url=False, include_input=False)[0]["type"] == "json_invalid":
            raise Denied(400, "The body is not valid JSON.", hint) from None
        raise Denied(422, in_words(problem), hint) from None


def _utf8(charset: str | None) -> bool:
    return charset is None or charset.lower() in ("utf-8", "utf8")
