#!/bin/sh
# Makes .venv ready for `run` (the hub), `test` (the hub and its tests) or `model` (training, beside
# the tests). Needs no root, touches nothing outside this folder, does nothing when nothing changed.
#
#   scripts/setup.sh [run|test|model]        PYTHON=python3.12 scripts/setup.sh   to choose an interpreter
set -eu
cd "$(dirname "$0")/.."
what=${1:-run}
case "$what" in
run) lock=requirements.lock ;;
test) lock=requirements-test.lock ;;
model) lock=requirements-training.lock ;;
*)
	echo "usage: scripts/setup.sh [run|test|model]" >&2
	exit 64
	;;
esac

say() { printf '%s\n' "$*" >&2; }

supported() {
	command -v "$1" >/dev/null 2>&1 &&
		"$1" -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info[:2] <= (3, 14)))' 2>/dev/null
}

find_python() {
	for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14}; do
		if supported "$candidate"; then
			command -v "$candidate"
			return
		fi
	done
	say "Vestibule needs Python 3.11, 3.12, 3.13 or 3.14; found: $(python3 --version 2>&1 || echo none)."
	say "Install one (on Debian 12 or 13 and Ubuntu 24.04: apt-get install python3 python3-venv),"
	say "or name one: PYTHON=/path/to/python3.12 make run"
	exit 69
}

fingerprint() { # of all that decides what .venv must hold
	{ cat "$1" pyproject.toml scripts/setup.sh && pwd && .venv/bin/python --version; } 2>/dev/null |
		cksum
}

ready() { [ -x .venv/bin/python ] && [ "$(cat ".venv/ready-$1" 2>/dev/null)" = "$(fingerprint "$1")" ]; }

if ready "$lock" || { [ "$what" = run ] && ready requirements-test.lock; }; then
	exit 0
fi

python=$(find_python)
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
	version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
	say "This Python has no ensurepip, so it cannot make a virtual environment."
	say "As root: apt-get install python$version-venv     then run this again."
	exit 69
fi
if [ -e .venv ] && { ! .venv/bin/python -c 'import pip' 2>/dev/null || ! supported .venv/bin/python ||
	[ "$(cat .venv/made-in 2>/dev/null)" != "$(pwd)" ]; }; then
	say "Making .venv anew (it was damaged, moved or made by an unsupported Python)."
	rm -rf .venv
fi
[ -e .venv ] || "$python" -m venv .venv
pwd >.venv/made-in

say "Setting up .venv for '$what' with $(.venv/bin/python --version)."
say "Libraries to fetch: $(sed -n 's/^# download: //p' "$lock"), less what pip has cached; some minutes on a slow line."
PIP_DISABLE_PIP_VERSION_CHECK=1
export PIP_DISABLE_PIP_VERSION_CHECK
if ! .venv/bin/python -m pip install --quiet --progress-bar on --compile --only-binary :all: --require-hashes -r "$lock" >&2; then
	say ""
	say "The libraries could not be installed (see above). A first set-up needs a way to fetch"
	say "Python packages; after that no network is needed. Nothing outside .venv was changed."
	exit 69
fi
.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable . >&2
.venv/bin/python -m compileall -q hub plugins
say "Compiling the motion gate (once, some 20 seconds)."
.venv/bin/python -c 'import hub.perception.motion_kernels' ||
	say "It does not compile here; the gate will run on NumPy, more slowly."
fingerprint "$lock" >".venv/ready-$lock"
say "Ready."
