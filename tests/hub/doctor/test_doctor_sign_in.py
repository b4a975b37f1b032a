"""How people come in, as doctor looks at it: a certificate, a provider, a list of passwords."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from examined_school import School, by_subject
from joserfc.jwk import RSAKey

from hub import certificate
from hub.doctor import sign_in


@pytest.fixture
def school(tmp_path: Path) -> School:
    return School(tmp_path)


async def test_nothing_is_asked_where_nothing_is_named(school: School) -> None:
    """Without TLS, provider and list there is nothing to say."""
    assert await school.look(sign_in.probes) == []


@pytest.mark.parametrize(("days", "state"), [(90, "ok"), (10, "warn"), (-1, "bad")])
async def test_a_certificate_is_held_against_its_key_and_the_calendar(
    school: School, days: int, state: str
) -> None:
    """Good, soon over, over: with the file to renew."""
    now = datetime.now(UTC) - certificate.GOOD_FOR + timedelta(days=days)
    made = certificate.own(school.folder, ["hub.school.example"], now)
    block = f"tls: own, certificate: {made.file}, certificate_key: {made.file}"
    school.write(raw=f"hub: {{web: {{{block}}}}}\n")
    finding = await school.one(sign_in.probes)
    assert finding.state == state
    assert state == "bad" or "hub.school.example" in finding.found


async def test_a_certificate_without_its_key_is_bad(school: School) -> None:
    """Two files that are no pair are named, and what the hub does meanwhile."""
    folders = [school.folder / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    one, two = (certificate.own(each, ["a.example"], datetime.now(UTC)).file for each in folders)
    block = f"tls: own, certificate: {one}, certificate_key: {two}"
    school.write(raw=f"hub: {{web: {{{block}}}}}\n")
    finding = await school.one(sign_in.probes)
    assert (finding.state, "one pair" in finding.found) == ("bad", True)


@pytest.fixture
async def issuer() -> AsyncIterator[str]:
    """An identity provider that says what it is, and shows one key."""
    key = RSAKey.generate_key(2048, {"kid": "one"}, auto_kid=False)
    app = web.Application()

    async def about(request: web.Request) -> web.Response:
        here = f"http://{request.host}"
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        return web.json_response({"issuer": here, **dict.fromkeys(names, f"{here}/keys")})

    async def keys(request: web.Request) -> web.Response:
        return web.json_response({"keys": [key.as_dict(private=False)]})

    app.router.add_get("/.well-known/openid-configuration", about)
    app.router.add_get("/keys", keys)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def naming(issuer: str) -> str:
    """A configuration that names a provider and a list."""
    provider = f"{{issuer: '{issuer}', client_id: v, roles: {{a: it}}}}"
    return f"hub: {{sign_in: {{breached: list.txt, provider: {provider}}}}}\n"


async def test_a_provider_and_a_list_are_tried(school: School, issuer: str) -> None:
    """What answers is ok; what does not is bad, with what goes on meanwhile."""
    school.write(raw=naming(issuer))
    (school.folder / "list.txt").write_text(f"{'A' * 40}:3\n")
    found = by_subject(await school.look(sign_in.probes))
    assert {each.state for each in found.values()} == {"ok"}
    assert found[issuer].found == "answers, and publishes 1 keys"
    (school.folder / "list.txt").unlink()
    school.write(raw=naming("http://127.0.0.1:1"))
    found = by_subject(await school.look(sign_in.probes))
    assert {each.state for each in found.values()} == {"bad"}
    assert "local accounts" in found["http://127.0.0.1:1"].remedy


async def test_a_provider_that_calls_itself_something_else_is_said(
    school: School, issuer: str
) -> None:
    """A slash too many in the configuration is found here, not by the first teacher."""
    school.write(raw=naming(issuer + "/"))
    found = by_subject(await school.look(sign_in.probes))
    assert f"it calls itself {issuer}, not {issuer}/" in found[f"{issuer}/"].found
