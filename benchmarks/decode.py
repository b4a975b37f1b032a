"""What decoding costs, alone and with the gate, in one interleaved run.

    python benchmarks/decode.py [--json] [--rounds N] [--sizes 640x360,...]

The figures are those of `hub.bench.decode`: CPU microseconds a frame. `ffmpeg_pipe` needs an
`ffmpeg` command, or: pip install imageio-ffmpeg. `by_command` is a camera with `decoder: ffmpeg`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from hub.bench.decode import SIZES, decode_table, table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="one object on stdout")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--sizes", default=",".join(SIZES))
    options = parser.parse_args()
    found = decode_table(options.sizes.split(","), options.rounds)
    print(json.dumps(found) if options.json else "\n".join(table(found)))


if __name__ == "__main__":
    main()
