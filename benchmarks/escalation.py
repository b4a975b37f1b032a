"""Does an alert that nobody answers reach the last step of its ladder, and is it silent after that?

A hub's core (journal, rules, ladders, outbox) lives through a scripted day: thousands of alerts,
people who answer or do not, channels that fail now and then or for minutes, one at a time. It is
killed again and again, at any instruction, and starts again up to fifteen minutes later. At the end
its journal is held against what the channels were handed and when. `--json` prints the figures
alone: `severe_unreached` are severe alerts that nobody had answered and whose last step reached
nobody within a minute; `sent_after_ack` notices of an alert that was already taken on or dismissed;
`verdict_p95_s` how long an answer took to each channel and group of people who had been told.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from hub.testing.alarms.prove import prove

SHOWN = 20


def main() -> int:
    """Run, print, and say by the exit status whether the promise held."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alerts", type=int, default=10_000)
    parser.add_argument("--restarts", type=int, default=None, help="kills; one in 200 alerts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    restarts = options.restarts if options.restarts is not None else max(4, options.alerts // 200)
    began = time.monotonic()
    account = prove(options.alerts, options.seed, restarts, _tell)
    if options.json:
        print(json.dumps(account.figures()))
    else:
        for name, value in account.figures().items():
            print(f"{name:18} {value}")
        print(f"{'notices':18} {account.notices} handed to channels")
        print(f"{'minutes':18} {(time.monotonic() - began) / 60:.1f}")
    for words in account.wrong()[:SHOWN]:
        print(words, file=sys.stderr)
    return 1 if account.wrong() else 0


def _tell(lives: int) -> None:
    if lives % 10 == 0:
        print(f"{lives} lives", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
