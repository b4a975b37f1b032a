"""The machine: cores, memory, load, Python, the processor, open files, room for temporary files."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from hub.doctor.finding import Finding, Probe, bad, ok, warn

MIB, GIB = 1 << 20, 1 << 30
LEAST_MEMORY = 1 * GIB
LEAST_TEMPORARY = 500 * MIB
LEAST_FILES = 1024
PYTHONS = ((3, 11), (3, 14))
CGROUP_MEMORY = Path("/sys/fs/cgroup/memory.max")


def probes() -> list[Probe]:
    """One probe for all of it: nothing here takes time."""
    return [Probe("machine", "", _look)]


async def _look() -> AsyncIterator[Finding]:
    for finding in (*_processor(), memory(_meminfo()), _python(), open_files(), _temporary()):
        yield finding
    yield _user()


def _processor() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[1]
    told = f"{cores} {'core' if cores == 1 else 'cores'}, load {load:.1f} over five minutes"
    if load > 2 * cores:
        yield warn(told, "see with `top` what else keeps this machine busy", "processor")
    elif cores == 1:
        yield warn(told, "give it two cores: pictures and doors then never wait for each other",
                   "processor")  # fmt: skip
    else:
        yield ok(told, "processor")
    if platform.machine() == "x86_64" and (flags := _flags()) and "avx2" not in flags:
        remedy = "count on fewer cameras, or use a machine with AVX2 (most made since 2014)"
        yield warn("has no AVX2: detectors run slower", remedy, "processor")


def _flags() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    line = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return set(line.partition(":")[2].split())


def _meminfo() -> dict[str, int]:
    """/proc/meminfo in bytes (proc(5)); empty where there is none."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="utf-8")
    except OSError:
        return {}
    rows = (line.split() for line in text.splitlines())
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if len(row) == 3}


def memory(info: dict[str, int]) -> Finding:
    """Whether there is enough memory left, within the limit set for this service."""
    if "MemAvailable" not in info:
        return warn("how much memory is free is not known", "look with `free`", "memory")
    available, total = info["MemAvailable"], info["MemTotal"]
    told = f"{available / GIB:.1f} GB of {total / GIB:.1f} GB free"
    try:
        limit = int(CGROUP_MEMORY.read_text())
    except (OSError, ValueError):
        limit = total
    if limit < total:
        told += f", limited to {limit / GIB:.1f} GB"
    if min(available, limit) < LEAST_MEMORY:
        return warn(told, "free or add memory: below 1 GB the hub may be killed", "memory")
    return ok(told, "memory")


def _python() -> Finding:
    version = sys.version_info[:2]
    told = f"{platform.python_version()} on {platform.system()} {platform.release()}"
    if PYTHONS[0] <= version <= PYTHONS[1]:
        return ok(told, "Python")
    known = " to ".join(".".join(map(str, each)) for each in PYTHONS)
    return warn(told, f"use Python {known}, with which Vestibule is tested", "Python")


def open_files() -> Finding:
    """Whether this process may open as many files as a hub with many cameras needs."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft == resource.RLIM_INFINITY or soft >= LEAST_FILES:
        number = "any number of" if soft == resource.RLIM_INFINITY else str(soft)
        return ok(f"{number} at once", "open files")
    remedy = f"raise the limit: LimitNOFILE={LEAST_FILES} in the unit, or `ulimit -n {LEAST_FILES}`"
    return warn(f"{soft} at once", remedy, "open files")


def _temporary() -> Finding:
    folder = tempfile.gettempdir()
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return bad(f"{folder}: {error.strerror}", f"make {folder} usable", "temporary files")
    told = f"{free / GIB:.1f} GB free in {folder}"
    if free < LEAST_TEMPORARY:
        return warn(told, f"make room in {folder}", "temporary files")
    return ok(told, "temporary files")


def _user() -> Finding:
    if os.geteuid() == 0:
        remedy = "run Vestibule as a user of its own, see docs/guide/service.md"
        return warn("this is root, who may do anything", remedy, "user")
    return ok(f"user number {os.geteuid()}, not root", "user")
