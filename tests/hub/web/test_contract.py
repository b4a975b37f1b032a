"""The API says what it takes and gives, once, and keeps to it."""

import gzip
import json
import re

import jsonschema_rs
import pytest
from aiohttp.test_utils import TestClient
from conformance import said_otherwise, whole
from scripted_house import ScriptedHouse

from hub.web.contract import Contract
from hub.web.openapi import API, PATH, document
from hub.web.routes import ROUTES, Route
from hub.web.security import CSRF_HEADER
from scripts import api_page

PAGES_ONLY = {
    "/signin": "a program has a token; a browser's session begins on a page",
    "/signout": "likewise its end",
    "/setup/{link}": "the link is for a person, once",
    "/signin/code": "likewise its second step",
    "/signin/passkey/ask": "passkeys are a person's, in a browser",
    "/signin/passkey": "likewise",
    "/me/signout-others": "sessions are a person's, in a browser",
    "/me/sessions/{id}/end": "likewise",
    "/me/password": "how somebody signs in is theirs alone, on their own page",
    "/me/authenticator": "likewise",
    "/me/authenticator/confirm": "likewise",
    "/me/authenticator/remove": "likewise",
    "/me/recovery-codes": "likewise",
    "/me/passkeys/ask": "likewise",
    "/me/passkeys": "likewise",
    "/me/passkeys/{id}/remove": "likewise",
    "/me/changes/seen": "that its owner has read what changed in how they sign in",
    "/me/proof/ask": "that it is they, once more: a program has its token alone",
    "/me/proof": "likewise",
    "/guest/{link}": "the link is for a person, who presses",
    "/me/pins": "a PIN is a person's own, given with their password on their own page",
    "/me/reason": "a program sends its reason with what it asks, as the header `Reason`",
    "/me/language": "the language in which somebody reads the pages",
    "/me/browsers": "what is pushed goes to the browser that asks",
    "/me/browsers/{id}/forget": "likewise",
    "/panic/enrol": "it puts the device's token into the browser's cookie",
    "/panic/help/{id}/correct": "for who presses on the device's own page, within seconds",
}
SAME_AS = {
    "/cameras/{id}/masks": "/cameras/{id}/masks/plan",
    "/cameras/{id}/masks/write": "/cameras/{id}/masks",
    "/alerts/{id}/restore-rule": "/rules/{id}/restore",
    "/incidents/{id}/called": "/incidents/{id}/notes",
    "/visitors/{desk}/{id}/in": "/visits/{desk}/{id}/in",
    "/visitors/{desk}/{id}/out": "/visits/{desk}/{id}/out",
    "/visitors/new": "/visits",
    "/protocols/start": "/protocols/{name}/start",
    "/protocols/rearm": "/fire/rearm",
    "/protocols/{id}/stay": "/protocols/{run}/decide-fire",
    "/protocols/{id}/evacuate": "/protocols/{run}/decide-fire",
    "/panic/lockdown": "/panic",
    "/panic/help": "/panic",
}
OF_THE_API = [route for route in ROUTES if route.path.startswith(f"{API}/")]


def _plain(path: str) -> str:
    """An address without the names of its gaps."""
    return re.sub(r"{\w+}", "{}", path)


@pytest.mark.parametrize("route", OF_THE_API, ids=lambda each: f"{each.method} {each.path}")
def test_an_address_of_the_api_says_what_it_takes_and_gives(route: Route) -> None:
    """Each has a contract, and words for the people who read the document."""
    assert isinstance(route.contract, Contract)
    assert (
        route.contract.gives is not None
        or route.contract.status == 204
        or ("application/json" not in route.contract.media or route.contract.takes is not None)
    )
    assert (route.method == "POST") == (route.contract.takes is not None)
    operation = whole()["paths"][route.path][route.method.lower()]
    assert len(operation["summary"]) >= 6
    assert operation["x-permission"] == route.permission


def test_what_a_form_does_a_program_can_do() -> None:
    """Each form has an address of the API that does the same, or a reason why it has none."""
    there = {_plain(route.path) for route in OF_THE_API if route.method == "POST"}
    forms = [
        route.path
        for route in ROUTES
        if route.method == "POST" and not route.path.startswith((f"{API}/", "/inbound/"))
    ]
    without = [
        path
        for path in forms
        if path not in PAGES_ONLY and _plain(f"{API}{SAME_AS.get(path, path)}") not in there
    ]
    assert without == []
    assert set(PAGES_ONLY) | set(SAME_AS) <= set(forms)


def test_each_schema_is_json_schema() -> None:
    """Every schema of the document is valid, every reference leads somewhere, every name is one."""
    made = whole()
    for schema in made["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema)
    text = json.dumps(made)
    for kind, name in re.findall(r'"#/components/(\w+)/([^"]+)"', text):
        assert name in made["components"][kind]
    names = [each["operationId"] for path in made["paths"].values() for each in path.values()]
    assert len(names) == len(set(names))
    assert all(name.isidentifier() for name in names)


def test_the_document_is_made_of_the_models() -> None:
    """Another table gives another document: nothing of it is written by hand."""
    one = [route for route in ROUTES if route.path == f"{API}/doors/{{id}}/commands"]
    made = document(one)
    assert list(made["paths"]) == [one[0].path]
    body = made["components"]["schemas"]["CommandBody"]
    assert set(body["properties"]) == {"verb", "reason", "lasts_s"}
    assert "AlertView" not in made["components"]["schemas"]


def test_the_page_about_the_interface_is_made_of_the_code() -> None:
    """docs/reference/api.md is as `make reference` writes it, and its links lead somewhere."""
    text = api_page.page()
    assert api_page.PAGE.read_text(encoding="utf-8") == text
    titles = {line.lstrip("# ").lower() for line in text.splitlines() if line.startswith("#")}
    assert set(re.findall(r"\]\(#(\w+)\)", text)) <= titles


async def test_the_document_is_read_by_whoever_is_signed_in(
    client: TestClient, token: object
) -> None:
    """A stranger is not told what there is; others get it small, and not twice."""
    assert (await client.get(PATH)).status == 401
    headers = await token("nurse")  # type: ignore[operator]
    answer = await client.get(PATH, headers={**headers, "Accept-Encoding": "gzip"})
    assert await answer.json() == json.loads(json.dumps(whole()))
    raw = {**headers, "Accept-Encoding": "gzip"}
    async with client.session.get(
        client.make_url(PATH), headers=raw, auto_decompress=False
    ) as packed:
        small = await packed.read()
    assert len(small) < 30_000
    assert gzip.decompress(small) == await answer.read()
    again = {**headers, "If-None-Match": answer.headers["ETag"]}
    assert (await client.get(PATH, headers=again)).status == 304


async def test_every_failure_is_a_problem(client: TestClient, token: object) -> None:
    """401, 403, 404, 405, 413, 415, 422 alike: what went wrong, what to do, and no page."""
    headers = await token("viewer")  # type: ignore[operator]
    sro = await token("sro")  # type: ignore[operator]
    verdict = f"{API}/alerts/a1/verdict"
    asked = [
        (401, client.get(f"{API}/doors")),
        (403, client.get(f"{API}/audit", headers=headers)),
        (404, client.get(f"{API}/nothing", headers=headers)),
        (404, client.get(f"{API}/doors/none", headers=headers)),
        (405, client.delete(f"{API}/doors", headers=headers)),
        (413, client.post(verdict, headers=sro, json={"note": "x" * 70_000})),
        (415, client.post(verdict, headers=sro, data=b"{}")),
        (422, client.post(verdict, headers=sro, json={})),
        (422, client.get(f"{API}/alerts?opne=1", headers=headers)),
        (422, client.get(f"{API}/alerts?open=1&open=0", headers=headers)),
        (422, client.get(f"{API}/doors?x=1", headers=headers)),
    ]
    for number, (status, answer) in enumerate(asked):
        said = await answer
        assert said.status == status, (number, await said.text())
        assert said.content_type == "application/problem+json", status
        problem = await said.json()
        assert problem["status"] == status
        assert problem["type"] == "about:blank"
        assert problem["title"]
        assert problem["detail"]
        assert problem["hint"]


async def test_a_form_without_its_secret_is_a_problem_too(
    client: TestClient, sign_in: object
) -> None:
    """A session that sends no secret is told so in the same shape."""
    opened = await sign_in("sro")  # type: ignore[operator]
    path = f"{API}/alerts/a1/acknowledge"
    refused = await client.post(path, json={})
    assert (refused.status, refused.content_type) == (403, "application/problem+json")
    good = await client.post(path, json={}, headers={CSRF_HEADER: opened.identity.csrf})
    assert good.status == 200


@pytest.mark.parametrize(
    "body",
    [
        '{"verb": "lock", "lasts_s": "600"}',
        '{"verb": "lock", "lasts_s": true}',
        '{"verb": "lock", "lasts_s": NaN}',
        '{"verb": "lock", "lasts_s": Infinity}',
        '{"verb": "lock", "lasts_s": 1e999}',
        '{"verb": ["lock"]}',
        '{"verb": "lock", "reason": null}',
    ],
)
async def test_nothing_is_read_into_a_body(
    client: TestClient, house: ScriptedHouse, token: object, body: str
) -> None:
    """What the document calls a number is one, and no text, flag or nonsense passes for it."""
    headers = {**await token("sro"), "Content-Type": "application/json"}  # type: ignore[operator]
    answer = await client.post(f"{API}/doors/main/commands", data=body, headers=headers)
    assert answer.status in (400, 422)
    assert house.commands == []


async def test_json_is_utf8(client: TestClient, token: object) -> None:
    """A body in another charset is refused, not guessed."""
    headers = await token("sro")  # type: ignore[operator]
    path = f"{API}/alerts/a1/acknowledge"
    for charset, status in (("utf-16", 415), ("latin-1", 415), ("x\\y", 415), ("UTF-8", 200)):
        sent = {**headers, "Content-Type": f"application/json; charset={charset}"}
        assert (await client.post(path, data=b"{}", headers=sent)).status == status


async def test_what_the_document_does_not_know_is_noticed(
    client: TestClient, house: ScriptedHouse, token: object
) -> None:
    """The check that stands behind every test of the API finds a member too many, one too few."""
    from aiohttp import web

    view = house.door_views[0]
    path = f"{API}/doors/{{id}}"
    assert said_otherwise(path, "GET", web.json_response(view)) == ""
    assert "surprise" in said_otherwise(path, "GET", web.json_response({**view, "surprise": 1}))
    short = {key: value for key, value in view.items() if key != "reported"}
    assert "reported" in said_otherwise(path, "GET", web.json_response(short))
    assert "status" in said_otherwise(path, "GET", web.json_response(view, status=418))
    assert "text/plain" in said_otherwise(path, "GET", web.Response(text="door"))
