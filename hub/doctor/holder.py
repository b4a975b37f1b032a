"""Who runs the hub of this state folder, found out without touching its lock."""

from __future__ import annotations

from pathlib import Path

from hub.storage.folder import StateFolder

LISTENING = "0A"  # a socket's state in /proc/net/tcp, see proc(5)


def running(folder: StateFolder) -> int | None:
    """The process id of the hub that holds the folder now; None when none does."""
    pid = folder.holder()
    if pid is None or not Path(f"/proc/{pid}").exists():
        return None
    held = _locked(folder.lock_file)
    return pid if held is None or held else None


def _locked(file: Path) -> bool | None:
    """Whether somebody holds an flock on the file; None where the system does not tell."""
    try:
        number = file.stat().st_ino
        rows = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    except OSError:
        return None
    return any(
        "FLOCK" in row and any(part.endswith(f":{number}") for part in row[3:7]) for row in rows
    )


def listens(pid: int, port: int) -> bool | None:
    """Whether the process listens on the TCP port; None where that cannot be seen."""
    sockets = _listening(port)
    try:
        entries = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return None
    return any(_target(entry) in sockets for entry in entries)


def _target(entry: Path) -> str:
    """Which socket a descriptor is, as an inode number; empty for anything else."""
    try:
        return str(entry.readlink()).removeprefix("socket:[").removesuffix("]")
    except OSError:  # closed meanwhile
        return ""


def _listening(port: int) -> set[str]:
    """The inode numbers of sockets that listen on the port."""
    found: set[str] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii", errors="replace").splitlines()[1:]
        except OSError:
            continue
        for row in map(str.split, lines):
            if row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port:
                found.add(row[9])
    return found
