"""The driver `syslog`: what every notifier promises, and what this one does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from vestibule_syslog import SyslogConfig, message, vestibule_notifiers

from hub import NotReady
from hub.testing import CabledDevice, NotifierContract, Trial


class SyslogServer(CabledDevice):
    """A server that reads messages by their length and keeps them, as rsyslog does."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.messages: list[bytes] = []

    async def serve(self) -> int:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Say where the near end of the line is."""
        await super().start()
        self.settings = {"host": "127.0.0.1", "port": self.port}

    async def end(self) -> None:
        """Listen no more."""
        self._server.close()
        await self._server.wait_closed()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                length = int((await reader.readuntil(b" ")).decode("ascii"))
                self.messages.append(await reader.readexactly(length))
        except asyncio.IncompleteReadError as ended:
            if ended.partial:
                self.messages.append(b"cut short: " + ended.partial)
        writer.close()


class TestSyslog(NotifierContract):
    """The promises of a notifier."""

    driver = vestibule_notifiers()[0]
    device = SyslogServer

    def test_a_notice_arrives_as_one_message(self) -> None:
        """The server reads priority, time, application, kind, data and words of a notice."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                notice = self.notice(key="n-1", title="Door forced", text="Now", place="Lobby")
                receipt = await instance.send(notice)
            assert (receipt.state, receipt.id) == ("accepted", "n-1")
            (arrived,) = server(trial).messages
            head, _, rest = arrived.decode().partition(" vestibule - ")
            assert head.startswith("<129>1 2026-03-02T22:15:00.000Z ")
            assert rest == (
                'alert [vestibule@32473 key="n-1" severity="severe" place="Lobby" alert="alert-1"'
                ' incident="incident-1" drill="no"] \ufeffDoor forced: Lobby: Now:'
                " http://hub.example/alerts/alert-1"
            )

        self.run(scenario)

    def test_many_notices_at_once_arrive_whole(self) -> None:
        """Twenty notices sent together are twenty messages, each with its own key."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                notices = [self.notice(key=f"n-{number}") for number in range(20)]
                await asyncio.gather(*(instance.send(notice) for notice in notices))
            arrived = {text.split(b'key="')[1].split(b'"')[0] for text in server(trial).messages}
            assert arrived == {f"n-{number}".encode() for number in range(20)}

        self.run(scenario)

    def test_a_probe_sends_no_message(self) -> None:
        """A probe reaches the server and leaves nothing there; without one it says so."""

        async def scenario(trial: Trial) -> None:
            instance = trial.build()
            assert "takes connections" in await instance.probe()
            assert server(trial).messages == []
            await trial.device.vanish()
            with pytest.raises(NotReady, match="is not reached: nothing listens there"):
                await instance.probe()

        self.run(scenario)

    @pytest.mark.parametrize(
        ("severity", "priority"), [("severe", 185), ("high", 186), ("check", 188), ("note", 189)]
    )
    def test_severity_and_facility_are_the_priority(self, severity: str, priority: int) -> None:
        """Facility 23 (local7) times eight, plus the code of RFC 5424 for the severity."""
        content = message(self.notice(severity=severity), config(facility=23), "hub")
        assert content.startswith(b"<%d>1 " % priority)

    def test_a_drill_says_so_first(self) -> None:
        """A drill is marked in the words and in the data, whoever reads only one of them."""
        content = message(self.notice(drill=True), config(), "hub").decode()
        assert "\ufeffDRILL: Person in the closed science wing" in content
        assert 'drill="yes"' in content

    def test_words_cannot_forge_a_message(self) -> None:
        """Line breaks, quotes, brackets and control characters stay within their place."""
        forged = 'a"] \\ b\n99 <0>1 - - - - - -\x1b[31m'
        content = message(
            self.notice(title=forged, text="", place=forged), config(), "my hub"
        ).decode()
        assert "\n" not in content
        assert "\x1b" not in content
        assert r'place="a\"\] \\ b 99 <0>1 - - - - - - [31m"' in content
        assert " myhub vestibule - alert " in content

    def test_a_long_notice_is_cut_between_characters(self) -> None:
        """At most 2048 octets are sent, and they are still UTF-8."""
        content = message(self.notice(text="前" * 5000), config(), "hub")
        assert 2045 < len(content) <= 2048
        assert content.decode().endswith("前")


def server(trial: Trial) -> SyslogServer:
    """The server of a trial."""
    assert isinstance(trial.device, SyslogServer)
    return trial.device


def config(**keys: int) -> SyslogConfig:
    """A block for some server."""
    return SyslogConfig(host="syslog.school.example", **keys)
