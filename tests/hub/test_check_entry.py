"""Where the pages listen and how people come in, as `check` looks at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.check import check
from hub.web_settings import WebSettings, open_trouble


def problems(folder: Path, text: str) -> list[str]:
    """What `check` says of a file, without its place."""
    file = folder / "site.yaml"
    file.write_text(text, encoding="utf-8")
    return [f"{each.path}: {each.message}" for each in check(str(file))]


@pytest.mark.parametrize("listen", ["0.0.0.0", "::", "10.0.0.7", "192.168.1.5", "fe80::1"])
def test_plain_http_stays_on_this_machine(tmp_path: Path, listen: str) -> None:
    """Passwords never cross a network in the open: TLS or a proxy is named, and what to write."""
    (found,) = problems(tmp_path, f'hub: {{web: {{listen: "{listen}"}}}}\n')
    assert found.startswith("hub.web.listen: the pages would be plain HTTP")
    assert "tls: generated" in found
    for more in ("tls: generated", "proxies: [10.0.0.2]"):
        text = f'hub: {{web: {{listen: "{listen}", {more}}}}}\n'
        assert problems(tmp_path, text) == []


@pytest.mark.parametrize("listen", ["127.0.0.1", "::1", "127.0.0.53"])
def test_on_this_machine_plain_http_is_fine(tmp_path: Path, listen: str) -> None:
    """Nobody listens in between."""
    assert problems(tmp_path, f'hub: {{web: {{listen: "{listen}"}}}}\n') == []
    assert open_trouble(WebSettings(), listen) == ""


def test_the_command_line_opens_no_gap() -> None:
    """`--listen` is held to the same."""
    assert "plain HTTP on 0.0.0.0" in open_trouble(WebSettings(), "0.0.0.0")
    assert open_trouble(WebSettings(tls="generated"), "0.0.0.0") == ""


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("web: {listen: localhost}", "expected an address such as 127.0.0.1"),
        ("web: {tls: own}", "expected `certificate` and `certificate_key`"),
        ("web: {certificate: a.pem}", "expected `tls: own`"),
        ("web: {address: http://school.example}", "expected an address such as https"),
        ("web: {address: https://school.example/hub}", "without a path"),
        ("web: {address: https://a:b@school.example}", "expected an address"),
        ("web: {proxies: [proxy.school.example]}", "expected addresses such as"),
        ("sign_in: {second_factor: [teacher]}", "a role under `roles:`"),
        ("sign_in: {idle: {teacher: 30m}}", "a role under `roles:`"),
        ("sign_in: {idle: {sro: 1m}}", "expected 5m or more"),
        ("sign_in: {provider: {issuer: 'https://x', client_id: v, roles: {}}}", "roles"),
        ("sign_in: {provider: {issuer: 'https://x', client_id: v, roles: {a: teacher}}}", "a role"),
        (
            "sign_in: {provider: {issuer: 'https://x', client_id: v, roles: {a: it}, scopes: [x]}}",
            "`openid`",
        ),
    ],
)
def test_each_mistake_is_said_where_it_is(tmp_path: Path, block: str, said: str) -> None:
    """One problem, at its key, with what was expected."""
    found = problems(tmp_path, f"hub: {{{block}}}\n")
    assert len(found) == 1, found
    assert said in found[0]
