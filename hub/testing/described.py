"""Promises about what a driver announces and how it is built; the same for every kind."""

from __future__ import annotations

import inspect
import time
import typing
from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import BaseModel, ValidationError

from hub.kinds import Block
from hub.refusals import fault
from hub.testing.contract import CANARY, Contract, Trial, collapse, promise
from hub.typewords import keys_of

BUILT_WITHIN = 1.0  # seconds; no limit of the hub, only far more than building should take


class DescribedContract(Contract):
    """A driver's description. `builds` is how long, in seconds, building an instance may take."""

    builds: ClassVar[float] = BUILT_WITHIN

    def test_the_driver_is_described_soundly(self) -> None:
        """The hub takes the driver: name, API version, models and factory are as it expects."""
        found = fault(self.kind, self.driver)
        promise(not found, f"{self.kind}: {found}", "correct the Driver that the hook returns")
        words = self.driver.summary.strip()
        promise(
            words and len(words) <= 100 and "\n" not in words,
            f"expected a summary of one line of at most 100 characters, found {words!r}",
            "say in one line what the driver is for",
        )

    def test_every_key_is_explained(self) -> None:
        """Each key of the block, of its inner blocks and of a door's device has a description."""
        models = [self.driver.config, self.driver.device]
        bare = [key for model in models if model is not None for key in _unexplained(model, "")]
        promise(
            not bare,
            f"expected a description for every key, found none for {', '.join(bare)}",
            'write `key: str = Field(description="What it is for.")`',
        )

    def test_the_block_is_frozen_and_refuses_unknown_keys(self) -> None:
        """A parsed block cannot be changed, and a misspelt key is an error, not a surprise."""

        async def scenario(trial: Trial) -> None:
            block = self.settings(trial.device)
            for key in type(block).model_fields:
                try:
                    setattr(block, key, getattr(block, key))
                except ValidationError:
                    continue
                promise(False, f"expected `{key}` to be frozen", "let the model be a hub.Block")
            try:
                type(block).model_validate({**self.config, "no_such_key": 1})
            except ValidationError as error:
                refused = any(one["loc"] == ("no_such_key",) for one in error.errors())
            else:
                refused = False
            promise(
                refused,
                "expected an unknown key to be refused, found it taken",
                'leave `extra="forbid"` of hub.Block as it is',
            )

        self.run(scenario)

    def test_it_is_built_with_what_the_kind_promises(self) -> None:
        """The factory is quick and returns an object with all methods, async where they are."""

        async def scenario(trial: Trial) -> None:
            began = time.perf_counter()
            instance = trial.build()
            took = time.perf_counter() - began
            lacking = [name for name in _members(self.protocol) if not hasattr(instance, name)]
            promise(
                not lacking,
                f"expected the {self.protocol.__name__} of hub, found no {', '.join(lacking)}",
                f"add what is missing; hub.{self.protocol.__name__} says what each is for",
            )
            for name in _members(self.protocol):
                kind = _colour(getattr(self.protocol, name))
                found = _colour(getattr(type(instance), name, None))
                promise(
                    kind in ("", found) or found == "",
                    f"expected {name} to be {kind}, found it {found}",
                    f"write it as hub.{self.protocol.__name__} does",
                )
            promise(
                took < self.builds,
                f"expected building to be instant, found {took:.1f} s",
                "leave all that takes time to start()",
            )

        self.run(scenario)

    def test_it_hides_its_secrets_when_shown(self) -> None:
        """Neither the block nor the instance shows a secret when it is printed."""

        async def scenario(trial: Trial) -> None:
            changes = dict.fromkeys(self.secret_keys(), CANARY)
            block = self.settings(trial.device, **changes)
            for what, shown in (("block", block), ("driver", trial.build(**changes))):
                promise(
                    CANARY not in repr(shown) + str(shown),
                    f"expected repr() of the {what} to hide secrets, found {collapse(repr(shown))}",
                    "give secret keys Field(repr=False), and keep them out of __repr__",
                )

        self.run(scenario)


def _members(protocol: type) -> list[str]:
    return [name for name in vars(protocol) if not name.startswith("_")]


def _colour(member: Any) -> str:
    if inspect.iscoroutinefunction(member):
        return "async"
    if inspect.isasyncgenfunction(member) or not inspect.isfunction(member):
        return ""
    returns = str(inspect.signature(member).return_annotation)
    return "" if "Iterator" in returns or "Awaitable" in returns else "plain"


def _unexplained(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for key, each in zip(keys_of(model), model.model_fields.values(), strict=True):
        if not (each.description or "").strip():
            yield f"{prefix}{key}"
        for inner in _blocks(each.annotation):
            yield from _unexplained(inner, f"{prefix}{key}.")


def _blocks(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, Block):
        yield annotation
    for each in typing.get_args(annotation):
        yield from _blocks(each)
