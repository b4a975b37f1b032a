"""Which parts this machine has. A test that needs a missing one says how to get it."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from tests.plugins.access_control import zwave_network
from tests.run_order import rank, turned

# A run starts some thousand processes. Where the environment forbids to keep compiled modules each
# of them compiles the hub again, which takes as much of the processors as the tests themselves.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# An example that takes long here has met a busy machine, and is no counterexample.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

TESTS = Path(__file__).resolve().parent
RTSP_PACKAGES = (
    "apt-get install gstreamer1.0-plugins-base gstreamer1.0-plugins-good"
    " gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gir1.2-gst-rtsp-server-1.0 python3-gi"
)


@cache
def missing(part: str) -> str:
    """What would end the lack of a part, or an empty text when it is here."""
    if part == "browser":
        return "" if shutil.which("chromium") else "apt-get install chromium"
    if part == "mosquitto":
        found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        return "" if found else "apt-get install mosquitto"
    if part == "ffmpeg":
        return "" if shutil.which("ffmpeg") else "apt-get install ffmpeg"
    if part == "language_server":
        folder = os.environ.get("VESTIBULE_LANGUAGE_SERVER") or None
        found = shutil.which("yaml-language-server", path=folder)
        return "" if found else "npm install -g yaml-language-server"
    if part == "zwave":
        found = shutil.which("node") and zwave_network.server()
        return "" if found else "npm install -g @zwave-js/server zwave-js (Node.js 20 or later)"
    if part == "rtsp":
        probe = "import gi; gi.require_version('GstRtspServer', '1.0')"
        try:
            done = subprocess.run(
                ["/usr/bin/python3", "-c", probe], capture_output=True, timeout=30, check=False
            )
        except OSError:
            return RTSP_PACKAGES
        return "" if done.returncode == 0 else RTSP_PACKAGES
    folder = os.environ.get("VESTIBULE_MATERIAL")
    if folder and (Path(folder) / "clips").is_dir():
        return ""
    return "set VESTIBULE_MATERIAL to a folder with clips/, truth/ and models/"


def pytest_configure(config: pytest.Config) -> None:
    """Processes that share a run take the files in our order, not by their number of tests, and
    each begins to read them at another place."""
    config.option.loadscopereorder = False
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    if worker and [Path(each).resolve() for each in config.args] == [TESTS]:
        files = sorted(str(path) for path in TESTS.rglob("test_*.py"))
        workers = int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        config.args = turned(files, int(worker), workers)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run, or leave out material tests where no material is named.

    Where several processes share the run they begin with the files that take longest, so that
    none is still busy with one when the others have ended.
    """
    if os.environ.get("PYTEST_XDIST_WORKER"):
        items.sort(key=lambda item: (rank(item.path.name), item.path))
    for item in items:
        for part in (
            "browser",
            "ffmpeg",
            "language_server",
            "mosquitto",
            "rtsp",
            "zwave",
            "material",
        ):
            if item.get_closest_marker(part) and (cure := missing(part)):
                item.add_marker(pytest.mark.skip(reason=f"needs {part}: {cure}"))


@pytest.hookimpl(wrapper=True)
def pytest_collection():  # type: ignore[no-untyped-def]
    """Leave what the modules hold to itself: else each collection walks through all of it, which
    takes long, and stops a loop for longer than the contracts allow a driver."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """Where VESTIBULE_NO_SKIPS is set a skip counts as a failure."""
    report = yield
    if report.skipped and os.environ.get("VESTIBULE_NO_SKIPS") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which is not allowed here: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def material() -> Path:
    """The folder with real clips, truth and models."""
    if cure := missing("material"):
        pytest.skip(cure)
    return Path(os.environ["VESTIBULE_MATERIAL"])


@pytest.fixture(scope="session")
def drawn_cameras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that all hubs of the run share, with the example's cameras drawn in it."""
    from tests.example_cameras import prepare

    if kept := os.environ.get("VESTIBULE_TEST_CACHE"):
        folder = Path(kept)
    elif os.environ.get("PYTEST_XDIST_WORKER"):  # below the folder that the processes share
        folder = tmp_path_factory.getbasetemp().parent / "cache"
    else:
        folder = tmp_path_factory.mktemp("cache")
    prepare(folder)
    return folder
