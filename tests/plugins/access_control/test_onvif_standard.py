"""What the ONVIF driver sends and its device answers, held to the standard's own WSDL files."""

import asyncio
import os
import warnings
from pathlib import Path
from xml.etree import ElementTree

import pytest

from hub import Context
from plugins.access_control._door_control import DoorControlDevice
from plugins.access_control.onvif import OnvifConfig, OnvifDoors
from tests.plugins.access_control.brokers import until
from tests.plugins.access_control.door_machines import NEEDS, Door
from tests.plugins.access_control.onvif_device import (
    SOAP,
    TAC,
    TDC,
    TDS,
    TEV,
    OnvifController,
)

FILES = {
    TDS: ("devicemgmt.wsdl", "DeviceBinding"),
    TDC: ("doorcontrol.wsdl", "DoorControlBinding"),
    TAC: ("accesscontrol.wsdl", "PACSBinding"),
    TEV: ("events.wsdl", "PullPointSubscriptionBinding"),
}
CALLS = {
    "GetServices": (TDS, {"IncludeCapability": False}),
    "GetDoorInfoList": (TDC, {}),
    "GetDoorState": (TDC, {"Token": "d1"}),
    "GetAccessPointInfoList": (TAC, {}),
    "PullMessages": (TEV, {"Timeout": "PT8S", "MessageLimit": 128}),
} | {operation: (TDC, {"Token": "d1"}) for operation in NEEDS}


@pytest.fixture(scope="module")
def standard():
    """A reader of each WSDL file, by namespace."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        onvif = pytest.importorskip("onvif", reason="needs onvif-zeep-async for its WSDL files")
        import zeep
    folder = Path(os.path.dirname(onvif.__file__)) / "wsdl"  # noqa: PTH120
    return {
        space: zeep.Client(str(folder / file)).create_service(f"{{{space}}}{binding}", "http://x/")
        for space, (file, binding) in FILES.items()
    }


@pytest.fixture(scope="module")
def exchanged():
    """Every call of a driver that does all it can, and its answer: (request, answer) by name."""
    return asyncio.run(_all_that_is_said())


async def _all_that_is_said():
    said = {}
    device = OnvifController(Door("d1", "Front"), page=8)
    take = device._take

    async def noting(request):
        raw = await request.read()
        answer = await take(request)
        body = ElementTree.fromstring(raw).find(f"{{{SOAP}}}Body")[0]
        said.setdefault(body.tag.split("}")[1], (raw, answer.body))
        return answer

    device._take = noting
    await device.start()
    config = OnvifConfig(
        host="127.0.0.1", port=device.port, tls=False, username="hub", password="s3cret"
    )
    found = {"front": DoorControlDevice(door="d1")}
    doors = OnvifDoors(config, Context("here", devices=found))
    await doors.start()
    await until(lambda: device.subscriptions)
    device.doors.swing("d1", "Open")
    await until(lambda: "PullMessages" in said)
    for operation in NEEDS:
        await doors._do(operation, "d1")
    await doors.close()
    await device.stop()
    return said


def body(raw):
    """What is in the envelope, in one canonical form."""
    part = ElementTree.fromstring(raw).find(f"{{{SOAP}}}Body")[0]
    return ElementTree.canonicalize(ElementTree.tostring(part), strip_text=True)


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_request_is_what_the_standard_asks_for(standard, exchanged, name):
    """The body that the driver sends is the one made from the standard's own description."""
    from lxml import etree

    space, values = CALLS[name]
    service = standard[space]
    operation = service._binding.get(name)
    made = operation.create(**values)
    assert body(exchanged[name][0]) == body(etree.tostring(made.content))


@pytest.mark.parametrize("name", sorted(CALLS))
def test_an_answer_of_the_device_of_our_tests_is_what_the_standard_says(standard, exchanged, name):
    """The device that the driver is tried on speaks as the standard describes it."""
    from lxml import etree

    space, _ = CALLS[name]
    operation = standard[space]._binding.get(name)
    envelope = etree.fromstring(exchanged[name][1])
    content = envelope.find(f"{{{SOAP}}}Body")[0]
    assert content.tag == f"{{{space}}}{name}Response"
    operation.output.body.parse(content, operation.output.wsdl.types)
