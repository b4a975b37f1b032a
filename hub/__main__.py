"""`python -m hub` is the same as `vestibule`: run a verb, and end in one clear line."""

from __future__ import annotations

import os
import sys
import traceback

from typer import exceptions

from hub.cli import app
from hub.cli_exit import USAGE
from hub.errors import BadConfig, VestibuleError

FAULT = 70
INTERRUPTED = 130
TRACE = "VESTIBULE_TRACE"


def main() -> None:
    """Run the command line. Every error, ours included, ends in one line, never a traceback."""
    try:
        code = app(standalone_mode=False)
    except exceptions.TyperException as error:
        error.show()  # type: ignore[attr-defined]
        code = USAGE
    except (exceptions.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except exceptions.Exit as error:
        code = error.exit_code
    except BadConfig as error:
        sys.stdout.write(f"{error}\n")
        code = 1
    except VestibuleError as error:
        sys.stderr.write(f"vestibule: {error}\n")
        code = 1
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
        code = 0
    except Exception as error:
        code = _fault(error)
    raise SystemExit(code if isinstance(code, int) else 0)


def _fault(error: Exception) -> int:
    """What nobody foresaw: where it happened, not what it said, since that may hold a secret."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    sys.stderr.write(
        f"vestibule: a fault in Vestibule itself ({type(error).__name__}, line {at.lineno} of "
        f"{at.filename}); nothing was done. {TRACE}=1 shows all of it, for a report.\n"
    )
    if os.environ.get(TRACE):
        traceback.print_exception(error)
    return FAULT


if __name__ == "__main__":
    main()
