"""What pages weigh, and that they leave small."""

import gzip
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from scripted_house import ScriptedHouse

from hub.web.files import load_static
from hub.web.packing import LONGEST_COMMENT, pack

PAGE_KB, STYLE_KB, SCRIPT_KB, WARM_KB, COLD_KB = 40, 40, 60, 40, 250
PAGES = (
    "/", "/doors", "/doors/main", "/incidents", "/incidents/i1", "/incidents/i1/case",
    "/alerts/a1", "/cameras", "/cameras/lobby", "/visitors", "/health", "/protocols", "/audit",
    "/configuration", "/devices", "/me",
)  # fmt: skip


async def _weight(client: TestClient, path: str) -> int:
    """How many bytes of body go over the wire."""
    async with client.session.get(
        client.make_url(path), headers={"Accept-Encoding": "gzip"}, auto_decompress=False
    ) as answer:
        assert answer.status == 200, path
        return len(await answer.read())


@pytest.mark.parametrize("path", PAGES)
async def test_no_page_weighs_more_than_forty_kilobytes(
    client: TestClient, sign_in: Any, path: str
) -> None:
    """Compressed, as browsers get it; so a page that is fetched again keeps to its budget too."""
    await sign_in("admin")
    assert await _weight(client, path) < min(PAGE_KB, WARM_KB) * 1024


async def test_a_board_of_a_hundred_doors_does_too(
    client: TestClient, house: ScriptedHouse, sign_in: Any
) -> None:
    """The largest page of a large school."""
    first = house.door_views[0]
    house.door_views += [
        {**first, "id": f"door_{n}", "name": f"Corridor {n} east"} for n in range(100)
    ]
    await sign_in("admin")
    assert await _weight(client, "/doors") < PAGE_KB * 1024


def _sent(suffix: str) -> int:
    return sum(
        len(file.packed or file.body)
        for name, file in load_static().files.items()
        if name.endswith(suffix)
    )


def test_styles_scripts_and_a_first_visit_keep_to_their_budgets() -> None:
    """All styles, all scripts, and what a browser that knows nothing fetches for its first page
    with a picture of 60 KB.
    """
    files = load_static().files
    assert _sent(".css") < STYLE_KB * 1024
    assert _sent(".js") < SCRIPT_KB * 1024
    first = sum(_sent(each) for each in (".css", ".js", ".woff2")) + len(
        files["icons.svg"].packed or b""
    )
    assert first + PAGE_KB * 1024 + 60 * 1024 < COLD_KB * 1024


async def test_only_who_takes_it_gets_it_packed(client: TestClient, sign_in: Any) -> None:
    """A client that does not unpack gets the same page plain, and what is small stays plain."""
    await sign_in("admin")
    for wanted in ("identity", ""):
        async with client.session.get(
            client.make_url("/doors"), headers={"Accept-Encoding": wanted}, auto_decompress=False
        ) as answer:
            assert "Content-Encoding" not in answer.headers
            assert answer.headers["Vary"] == "Accept-Encoding"
            assert (await answer.text()).startswith("<!doctype html>")
    answer = await client.get("/healthz")
    assert "Content-Encoding" not in answer.headers


def test_how_well_a_page_packs_tells_nobody_its_secret() -> None:
    """The same page has another length each time, and is the same page."""
    page = b"<!doctype html>" + b"secret " * 500
    packs = [pack(page) for _ in range(200)]
    lengths = {len(each) for each in packs}
    assert len(lengths) > 40
    assert max(lengths) - min(lengths) < LONGEST_COMMENT
    assert {gzip.decompress(each) for each in packs} == {page}
