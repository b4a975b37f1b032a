#!/bin/sh
# Writes requirements.lock and requirements-test.lock anew from pyproject.toml (needs `uv`), with
# hashes, wheels only, for every supported Python, and notes how much a first set-up fetches.
set -eu
cd "$(dirname "$0")/.."
uv=${UV:-uv}

lock() { # FILE ARGS...: compile, then put the measured size of the wheels on the first line
	file=$1
	shift
	"$uv" pip compile pyproject.toml --quiet --universal --generate-hashes --python-version 3.11 \
		--only-binary :all: --no-emit-index-url --no-header --no-annotate "$@" -o "$file"
	wheels=$(mktemp -d)
	python3 -m pip download --quiet --no-cache-dir --only-binary :all: --require-hashes -r "$file" -d "$wheels" >&2
	size=$(du -sm "$wheels" | cut -f1)
	rm -rf "$wheels"
	{ echo "# download: $size MB in $(grep -c '==' "$file") wheels (measured on Linux x86-64)" && cat "$file"; } >"$file.new"
	mv "$file.new" "$file"
}

rm -f requirements.lock requirements-test.lock requirements-training.lock
lock requirements.lock --group build
lock requirements-test.lock --group build --group test --group bench -c requirements.lock
lock requirements-training.lock --group build --group training -c requirements-test.lock
