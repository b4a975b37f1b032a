"""A real broker, the hub's own and then mosquitto, and a cable to it."""

import pytest

from hub.broker import EmbeddedBroker
from tests.plugins.access_control.brokers import Cable, Mosquitto


@pytest.fixture(params=["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
async def address(request, tmp_path):
    """Where a real broker listens: the hub's own, then mosquitto."""
    broker = EmbeddedBroker() if request.param == "embedded" else Mosquitto(tmp_path)
    yield await broker.start()
    await broker.stop()


@pytest.fixture
async def cable(address):
    """A line to the broker that can be cut."""
    made = Cable(address)
    made.address = await made.start()
    yield made
    await made.stop()
