"""Real brokers, a cable that can be cut, and a wait with a deadline."""

import asyncio
import contextlib
import shutil
import time

from hub import BrokerAddress, Context
from tests.kept_port import kept_port


class Mosquitto:
    """A mosquitto of our own on the loopback address."""

    def __init__(self, folder):
        self._kept = kept_port()
        port = self._kept.getsockname()[1]
        self.address = BrokerAddress("127.0.0.1", port)
        self._settings = folder / "mosquitto.conf"
        self._settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        self._process = None

    async def start(self):
        """Start it and wait until it takes connections."""
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self._process = await asyncio.create_subprocess_exec(
            program, "-c", str(self._settings), stderr=asyncio.subprocess.DEVNULL
        )
        for _ in range(600):  # a busy machine takes its time over it
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.address.port)
                writer.close()
                await writer.wait_closed()
                return self.address
            await asyncio.sleep(0.05)
        raise AssertionError("mosquitto did not start")

    async def stop(self):
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
        self._kept.close()


class Cable:
    """A TCP line to a broker that can be cut and mended."""

    def __init__(self, target):
        self._target = target
        self._server = None
        self._writers = set()
        self._tasks = set()
        self.whole = True

    async def start(self):
        """Listen, and say where."""
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        target = self._target
        return BrokerAddress("127.0.0.1", port, target.username, target.password)

    def cut(self):
        """Drop every connection and take none."""
        self.whole = False
        for writer in self._writers:
            writer.transport.abort()

    def mend(self):
        """Take connections again."""
        self.whole = True

    async def stop(self):
        """Close the line."""
        self.cut()
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _join(self, reader, writer):
        if not self.whole:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        far_reader, far_writer = await asyncio.open_connection(self._target.host, self._target.port)
        self._writers |= {writer, far_writer}
        await asyncio.gather(_pour(reader, far_writer), _pour(far_reader, writer))
        self._writers -= {writer, far_writer}


async def _pour(reader, writer):
    with contextlib.suppress(ConnectionError):
        while block := await reader.read(4096):
            writer.write(block)
            await writer.drain()
    writer.close()


def context(address, devices, **more):
    """What the hub hands a controller, with a broker at `address`."""

    async def broker():
        return address

    return Context("locks", devices=devices, broker=broker, **more)


async def until(found, seconds=30.0):
    """What `found()` returns once it is true; fails when that takes too long."""
    deadline = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.01)
    return result


class Listener:
    """Everything a controller reports, as it comes."""

    def __init__(self, controller):
        self.heard = []
        self._task = asyncio.create_task(self._listen(controller))

    async def _listen(self, controller):
        async for report in controller.reports():
            self.heard.append(report)

    async def hears(self, **facts):
        """The first report, from now or before, with these facts."""

        def found():
            for report in self.heard:
                if all(getattr(report, name) == value for name, value in facts.items()):
                    return report
            return None

        return await until(found)

    def forget(self, report):
        """All that was heard up to this report, and nothing that came after it."""
        del self.heard[: self.heard.index(report) + 1]

    def done(self):
        """Whether the controller ended its reports."""
        return self._task.done()

    async def stop(self):
        """Stop listening."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
