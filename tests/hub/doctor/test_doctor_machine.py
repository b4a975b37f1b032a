"""The machine, the state folder, the files' modes, the port and the clock."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import sqlite3
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.clock import SystemClock
from hub.doctor import machine, pages, permissions, state, timekeeping
from hub.doctor.holder import listens, running
from hub.doctor.run import examine
from hub.doctor.sntp import SINCE_1900, ask
from hub.errors import NotReady
from hub.kernel_clock import kernel_clock
from hub.secrets import Secrets
from hub.storage.folder import StateFolder
from hub.storage.journal import open_engine
from tests.hub.doctor.examined_school import School, by_subject

GIB = 1 << 30


async def test_the_machine_is_described() -> None:
    """Cores, memory, Python, files and room are all there, with numbers of this machine."""
    findings = by_subject(await examine(machine.probes(), SystemClock(), 5, Secrets()))
    assert {"processor", "memory", "Python", "open files", "temporary files", "user"} <= set(
        findings
    )
    assert findings["processor"].found.startswith(f"{len(os.sched_getaffinity(0))} core")
    assert findings["user"].state == ("warn" if os.geteuid() == 0 else "ok")


def test_little_memory_is_a_warning() -> None:
    """Below 1 GB available, whatever the machine has in all."""
    assert machine.memory({"MemAvailable": 2 * GIB, "MemTotal": 4 * GIB}).state == "ok"
    low = machine.memory({"MemAvailable": GIB - 1, "MemTotal": 4 * GIB})
    assert low.state == "warn"
    assert machine.memory({}).state == "warn"


def test_too_few_open_files_are_a_warning() -> None:
    """The limit of this very process is looked at."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        found = machine.open_files()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert found.state == "warn"
    assert "LimitNOFILE=1024" in found.remedy


@pytest.mark.parametrize(
    ("free", "total", "expected"),
    [
        (6 * GIB, 50 * GIB, "ok"),
        (6 * GIB, 100 * GIB, "warn"),
        (4 * GIB, 8 * GIB, "warn"),
        (GIB // 4, GIB, "bad"),
    ],
)
def test_room_is_judged_by_size_and_share(free: int, total: int, expected: str) -> None:
    """Warn under 5 GB or a tenth, bad under 500 MB."""
    assert state.room(free, total).state == expected


MOUNTS = (
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "30 22 0:45 / /srv rw,relatime - nfs4 server:/x rw\n"
    "31 30 0:46 / /srv/a\\040b rw - tmpfs tmpfs rw\n"
)


@pytest.mark.parametrize(
    ("folder", "kind", "expected"),
    [
        ("/var/lib/vestibule", "ext4", "ok"),
        ("/srv/vestibule", "nfs4", "warn"),
        ("/srv/a b/state", "tmpfs", "warn"),
        ("/srvother", "ext4", "ok"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(
    folder: str, kind: str, expected: str
) -> None:
    """The longest mount point wins; network and memory do not keep what was written."""
    assert state.mount_type(MOUNTS, Path(folder)) == kind
    assert state.disk(kind).state == expected
    assert state.disk("overlay").state == "warn"


async def test_a_folder_that_is_not_there_is_not_made(school: School) -> None:
    """It says that it could be, and leaves nothing behind."""
    findings = by_subject(await school.look(state.probes))
    assert findings["writing"].state == "ok"
    assert "can be made" in findings["writing"].found
    assert "ms" in findings["writing"].found
    assert findings["journal"].found.startswith("none yet")
    assert sorted(each.name for each in school.folder.iterdir()) == ["school.yaml"]


async def test_a_file_in_the_place_of_the_folder_is_bad(school: School) -> None:
    """Nothing can be written there, and the remedy names --state."""
    school.state.write_text("in the way")
    finding = by_subject(await school.look(state.probes))["writing"]
    assert finding.state == "bad"
    assert "--state" in finding.remedy


async def test_an_open_folder_is_a_warning(school: School) -> None:
    """Others must not look at what a school remembers."""
    school.state.mkdir(mode=0o755)
    school.state.chmod(0o755)
    finding = by_subject(await school.look(state.probes))["access"]
    assert (finding.state, "chmod 700" in finding.remedy) == ("warn", True)
    school.state.chmod(0o700)
    assert by_subject(await school.look(state.probes))["access"].state == "ok"


async def test_a_sound_journal_is_looked_at_without_a_trace(school: School) -> None:
    """No log, no lock, no changed byte: the file is as it was."""
    folder = StateFolder(school.state)
    folder.open()
    open_engine(folder.journal).dispose()
    before = {each: each.stat().st_mtime_ns for each in school.state.rglob("*")}
    finding = by_subject(await school.look(state.probes))["journal"]
    assert (finding.state, "sound" in finding.found) == ("ok", True)
    after = {each: each.stat().st_mtime_ns for each in school.state.rglob("*")}
    assert before == after
    assert not folder.lock_file.exists()


async def test_a_damaged_journal_is_bad(school: School) -> None:
    """Pages overwritten in the middle are found by SQLite's own check."""
    folder = StateFolder(school.state)
    folder.open()
    open_engine(folder.journal).dispose()
    with folder.journal.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096 * 3)
    finding = by_subject(await school.look(state.probes))["journal"]
    assert finding.state == "bad"
    assert "vestibule backup restore" in finding.remedy
    folder.journal.write_bytes(b"this is no database at all" * 400)
    assert by_subject(await school.look(state.probes))["journal"].state == "bad"


async def test_a_journal_too_large_for_the_deadline_is_a_warning(school: School) -> None:
    """The check gives up in time instead of saying what it does not know."""
    folder = StateFolder(school.state)
    folder.open()
    with closing(sqlite3.connect(folder.journal)) as journal:
        journal.execute("CREATE TABLE t (x)")
        journal.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
            " INSERT INTO t SELECT i FROM n"
        )
        journal.commit()
    assert state.quick_check(folder.journal, beside=False, within=-1.0) == ""
    assert state.quick_check(folder.journal, beside=False, within=30.0) == "ok"


async def test_who_holds_the_folder_is_seen_without_touching_its_lock(school: School) -> None:
    """While it is held the holder is named; afterwards its old number means nothing."""
    folder = StateFolder(school.state)
    assert running(folder) is None
    with folder.lock():
        assert running(folder) == os.getpid()
    assert running(folder) is None


async def test_a_free_port_a_foreign_one_and_our_own(school: School, free_port: int) -> None:
    """Another program on the port is bad; the hub of this very folder is not."""
    assert (await school.one(pages.probes, port=free_port)).state == "ok"
    with socket.create_server(("127.0.0.1", free_port)):
        taken = await school.one(pages.probes, port=free_port)
        assert taken.state == "bad"
        assert f"sport = :{free_port}" in taken.remedy
        with StateFolder(school.state).lock():
            ours = await school.one(pages.probes, port=free_port)
            assert ours.state == "ok"
            assert f"process {os.getpid()}" in ours.found
            assert listens(os.getpid(), free_port)
    assert not listens(os.getpid(), free_port)


async def test_an_address_that_is_not_this_machines_is_bad(school: School) -> None:
    """192.0.2.1 is nobody's; and to be open to the whole network without TLS is as bad."""
    finding = await school.one(pages.probes, listen="192.0.2.1", port=0)
    assert (finding.state, "--listen" in finding.remedy) == ("bad", True)
    findings = await school.look(pages.probes, listen="0.0.0.0", port=0)
    assert [each.state for each in findings] == ["ok", "bad"]
    assert "tls: generated" in findings[1].remedy
    school.write(raw="hub: {web: {listen: 0.0.0.0, tls: generated, port: 0}}\n")
    assert [each.state for each in await school.look(pages.probes)] == ["ok"]


async def test_readable_secrets_are_bad_and_private_ones_are_not(school: School) -> None:
    """Every user of the machine could read the passwords."""
    school.write(raw="hub: {mqtt: {host: broker, password: !secret mqtt}}\n")
    secrets = school.folder / "secrets.yaml"
    secrets.write_text("mqtt: canary-9f3\n")
    secrets.chmod(0o644)
    finding = by_subject(await school.look(permissions.probes))["secrets.yaml"]
    assert (finding.state, finding.remedy) == ("bad", f"chmod 600 {secrets}")
    secrets.chmod(0o600)
    findings = by_subject(await school.look(permissions.probes))
    assert findings["secrets.yaml"].state == "ok"
    assert findings["school.yaml"].state == "ok"
    secrets.chmod(0o602)
    assert any(
        each.state == "bad" and "change" in each.found
        for each in await school.look(permissions.probes)
    )


async def test_a_password_in_the_file_is_named_by_its_path_never_its_value(school: School) -> None:
    """Under its key, within an address, and in a file that is not even valid."""
    place = {"place": "site", "driver": "rtsp"}
    school.write(
        hub={"mqtt": {"host": "broker", "password": "canary-1"}},
        cameras={
            "gate": {**place, "url": "rtsp://u:canary-2@192.0.2.7/a"},
            "yard": {**place, "url": "rtsp://192.0.2.8/a"},
        },
    )
    school.file.chmod(0o644)
    findings = await school.look(permissions.probes)
    subjects = [each.subject for each in findings]
    assert "hub.mqtt.password" in subjects
    assert "cameras.gate.url" in subjects
    assert "cameras.yard.url" not in subjects
    assert findings[-1].state == "warn"
    assert "chmod 600" in findings[-1].remedy
    assert not any("canary" in each.found + each.remedy for each in findings)
    school.write(raw="notifiers: {push: {driver: nfty, token: canary-3}}\n")
    assert "notifiers.push.token" in [
        each.subject for each in await school.look(permissions.probes)
    ]


async def test_the_kernels_word_on_its_clock_and_the_zone(school: School) -> None:
    """Whether it is kept right is asked of the kernel; the offset is never invented."""
    school.write(hub={"timezone": "Asia/Kolkata"})
    findings = by_subject(await school.look(timekeeping.probes))
    kept = kernel_clock()
    expected = "ok" if kept is not None and kept.synchronised else "warn"
    assert findings["synchronisation"].state == expected
    assert "not measured" in findings["synchronisation"].found
    assert "UTC+05:30" in findings["time zone"].found


class TimeServer(asyncio.DatagramProtocol):
    """Answers as a server of RFC 5905 whose clock is `ahead` seconds before ours."""

    def __init__(self, ahead: float, change: Callable[[bytearray], None]) -> None:
        self.ahead = ahead
        self.change = change
        self.asked = 0

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.asked += 1
        now = datetime.now(UTC) + timedelta(seconds=self.ahead) - SINCE_1900
        seconds = int(now.total_seconds())
        stamp = struct.pack("!II", seconds % (1 << 32), now.microseconds * (1 << 32) // 1_000_000)
        packet = bytearray(struct.pack("!BBbb", 4 << 3 | 4, 2, 0, -20) + bytes(20))
        packet += data[40:48] + stamp + stamp
        self.change(packet)
        self.transport.sendto(bytes(packet), address)


@asynccontextmanager
async def time_server(
    ahead: float, change: Callable[[bytearray], None] = lambda packet: None
) -> AsyncIterator[str]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: TimeServer(ahead, change), local_addr=("127.0.0.1", 0)
    )
    yield f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    transport.close()


@pytest.mark.parametrize(
    ("ahead", "expected", "side"),
    [(0.0, "ok", ""), (4.0, "warn", "behind"), (-45.0, "bad", "ahead of")],
)
async def test_the_offset_is_measured(
    school: School, ahead: float, expected: str, side: str
) -> None:
    """More than a second is a warning, more than half a minute is bad."""
    async with time_server(ahead) as server:
        answer = await ask(server, SystemClock())
        assert answer.offset == pytest.approx(ahead, abs=0.3)
        finding = by_subject(await school.look(timekeeping.probes, ntp=server))["offset"]
    assert finding.state == expected
    assert side in finding.found


def forget_who_asked(packet: bytearray) -> None:
    packet[24:32] = bytes(8)


def kiss(packet: bytearray) -> None:
    packet[1] = 0
    packet[12:16] = b"RATE"


def lost(packet: bytearray) -> None:
    packet[0] |= 0xC0


@pytest.mark.parametrize(("change", "reason"), [(kiss, "RATE"), (lost, "does not know")])
async def test_a_server_that_refuses_or_does_not_know_is_no_measure(
    change: Callable[[bytearray], None], reason: str
) -> None:
    """Its numbers are not taken for the time."""
    async with time_server(0.0, change) as server:
        with pytest.raises(NotReady, match=reason):
            await ask(server, SystemClock())


async def test_a_forged_answer_and_silence_are_not_measured(school: School, free_port: int) -> None:
    """Only an answer to our own question counts; the deadline holds."""
    async with time_server(0.0, forget_who_asked) as server:
        began = time.monotonic()
        findings = by_subject(await school.look(timekeeping.probes, ntp=server, limit=0.5))
        assert time.monotonic() - began < 10
    assert findings["offset"].state == "warn"
    assert "not measured" in findings["offset"].found
    closed = await school.look(timekeeping.probes, ntp=f"127.0.0.1:{free_port}", limit=1.0)
    assert "nothing listens" in by_subject(closed)["offset"].found
