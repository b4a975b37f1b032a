"""Runs a contract on a driver and says which of its tests failed."""

from __future__ import annotations

import logging
from typing import Any

from hub.testing import ContractBroken


def failing(contract: type, of: type | None = None) -> set[str]:
    """The names of the tests that a driver fails, without `test_`; other errors are raised.

    With `of` only the tests that this class has of its own are run.
    """
    failed = set()
    for name in dir(contract) if of is None else vars(of):
        if name.startswith("test_") and getattr(contract, name) is not None:
            case: Any = contract()
            case.setup_method()
            logging.disable(logging.CRITICAL)
            try:
                getattr(case, name)()
            except ContractBroken as error:
                if "What to do: " not in str(error):
                    raise
                failed.add(name.removeprefix("test_"))
            finally:
                logging.disable(logging.NOTSET)
                case.teardown_method()
    return failed


def on(contract: type, driver: Any, **more: Any) -> type:
    """A contract for another driver."""
    return type("Tried", (contract,), {"driver": driver, **more})
