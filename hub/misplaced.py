"""Keys that are right, but one level too far in or out: the commonest slip of indentation."""

from __future__ import annotations

from pydantic import BaseModel

from hub.document import KeyPath
from hub.typewords import keys_of, model_at


def belongs(model: type[BaseModel], path: KeyPath) -> str:
    """Where the unknown key at `path`, within a block of this model, would be right; or nothing."""
    key = str(path[-1])
    here = path[:-1]
    owner = model_at(model, here)
    if owner is None:
        return ""
    for sub in keys_of(owner):
        inside = model_at(model, (*here, sub)) or model_at(model, (*here, sub, 0))
        if inside is not None and key in keys_of(inside):
            return f"it belongs under `{sub}:`"
    names = [index for index, part in enumerate(here) if isinstance(part, str)]
    around = model_at(model, here[: names[-1]]) if names else None
    if around is not None and key in keys_of(around):
        return f"it belongs one level further out, beside `{here[names[-1]]}:`"
    return ""
