"""A kept picture is shown as it was taken, or not at all."""

import hashlib
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient
from scripted_house import ScriptedHouse


def kept(house: ScriptedHouse) -> Path:
    """A picture of an alert that goes by its SHA-256, as the hub keeps it."""
    file = next((house.folder / "media").glob("*.jpg"))
    taken = file.read_bytes()
    named = file.with_name(f"{hashlib.sha256(taken).hexdigest()}.jpg")
    named.write_bytes(taken)
    house.alert_views["a1"]["picture"] = named.name
    return named


async def test_a_picture_is_sent_as_it_was_taken(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """Byte for byte, and nobody keeps it."""
    file = kept(house)
    await sign_in("sro")
    answer = await client.get(f"/media/{file.name}")
    assert (answer.status, answer.content_type) == (200, "image/jpeg")
    assert answer.headers["Cache-Control"] == "no-store"
    assert await answer.read() == file.read_bytes()


async def test_one_that_was_exchanged_is_not_shown_and_says_so(
    client: TestClient, house: ScriptedHouse, sign_in: Any, token: Any
) -> None:
    """Another picture in its place, or one byte: a picture of words stands there instead, in the
    reader's language; a program gets a problem.
    """
    file = kept(house)
    opened = await sign_in("sro")
    taken = file.read_bytes()
    other = next(each for each in (house.folder / "media").glob("*.jpg") if each != file)
    for changed in (other.read_bytes() + b" ", taken[:-1] + b"\x00", b""):
        file.write_bytes(changed)
        answer = await client.get(f"/media/{file.name}")
        assert (answer.status, answer.content_type) == (410, "image/svg+xml")
        drawn = ET.fromstring(await answer.text())
        assert (drawn.get("width"), drawn.get("height")) == ("640", "360")
        assert "this picture was changed" in "".join(drawn.itertext())
        assert changed == b"" or changed not in await answer.read()
    spoken = await client.get(f"/media/{file.name}", headers={"Accept-Language": "es"})
    assert "esta imagen" in await spoken.text()
    headers = await token("sro")
    problem = await client.get(f"/api/v1/media/{file.name}", headers=headers)
    assert (problem.status, problem.content_type) == (410, "application/problem+json")
    assert opened.identity.role == "sro"
    file.write_bytes(taken)
    assert (await client.get(f"/media/{file.name}")).status == 200


async def test_names_of_older_versions_say_nothing(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """A name of 32 digits is no SHA-256: such a picture is shown as ever."""
    await sign_in("sro")
    file = house.folder / "media" / f"{'a' * 32}.jpg"
    file.write_bytes(b"\xff\xd8 whatever")
    assert (await client.get(f"/media/{file.name}")).status == 200
