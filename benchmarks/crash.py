"""Is anything lost when the hub is killed and its disk cut back to what was synced?

A hub's core (journal, rules, outbox) takes load and is killed, at a point of its own work or at any
moment; its files are left as they are, cut back to the last synced byte, or given a random part of
what was not synced; it starts again, comes to rest, and its journal is held against what was
offered to it and what channels and locks received. `--json` prints the five figures alone.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from hub.testing.crash.harness import Account, nursery, prove

SHOWN = 20


def main() -> int:
    """Run, print, and say by the exit status whether the promise held."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=50, help="kills, each with its restart")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    began = time.monotonic()
    with nursery() as lives:
        account = prove(options.runs, options.seed, lives, so_far=_tell)
    if options.json:
        print(json.dumps(account.figures()))
    else:
        _print(account, time.monotonic() - began)
    found = account.findings
    return 1 if found.lost or found.doubled or found.unmarked else 0


def _tell(account: Account) -> None:
    found = account.findings
    wrong = len(found.lost) + len(found.doubled) + len(found.unmarked)
    print(f"{account.runs} runs, {wrong} findings", file=sys.stderr)


def _print(account: Account, seconds: float) -> None:
    for name, value in account.figures().items():
        print(f"{name:18} {value}")
    print(f"{'minutes':18} {seconds / 60:.1f}")
    print(f"{'offered':18} {account.offered} events, verdicts and commands")
    print(f"{'received':18} {account.received} notices and commands")
    print(f"{'interrupted':18} {account.left} actions that a kill left due or under way")
    print(f"{'clocks set':18} {account.clocks}")
    print(f"{'digests':18} {account.digests} received in place of notices that came late")
    print(f"{'unsynced':18} {account.unsynced} pieces of the files that a cut could take")
    print("\nruns by what became of the disk, and how the hub was killed")
    for how, count in sorted(account.kills.items()):
        print(f"{count:6}  {how}")
    found = account.findings
    for words in (*found.lost, *found.doubled, *found.unmarked)[:SHOWN]:
        print(words)


if __name__ == "__main__":
    sys.exit(main())
