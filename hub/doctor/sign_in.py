"""How people come in: the certificate, the school's identity provider, the list of passwords."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial

from hub import certificate
from hub.doctor.finding import Finding, Probe, bad, ok, warn
from hub.doctor.given import Given
from hub.errors import NotReady, StateError
from hub.identity.guessable import trouble_with
from hub.identity.openid import Provider
from hub.threads import in_thread

SOON = timedelta(days=21)


def probes(given: Given) -> list[Probe]:
    """A probe for each of these that the configuration names."""
    if given.config is None:
        return []
    web, sign_in = given.config.hub.web, given.config.hub.sign_in
    found = []
    if web.tls == "own":
        found.append(Probe("sign-in", "certificate", partial(_certificate, given)))
    if sign_in.provider is not None:
        found.append(Probe("sign-in", sign_in.provider.issuer, partial(_provider, given)))
    if sign_in.breached is not None:
        found.append(Probe("sign-in", "breached passwords", partial(_list, given)))
    return found


async def _certificate(given: Given) -> AsyncIterator[Finding]:
    assert given.config is not None
    web = given.config.hub.web
    assert web.certificate is not None
    assert web.certificate_key is not None
    file = given.config_folder / web.certificate
    key = given.config_folder / web.certificate_key
    try:
        found = await in_thread(lambda: certificate.pair(file, key))
    except StateError as error:
        remedy = "until then the hub shows a certificate of its own, and browsers warn"
        yield bad(str(error), remedy)
        return
    left = found.until - given.clock.now()
    said = f"good until {found.until:%Y-%m-%d}, for {', '.join(sorted(found.names)) or 'no name'}"
    if left < timedelta():
        yield bad(f"ran out on {found.until:%Y-%m-%d}", f"renew {file}")
    elif left < SOON:
        yield warn(said, f"renew {file}")
    else:
        yield ok(said)


async def _provider(given: Given) -> AsyncIterator[Finding]:
    assert given.config is not None
    settings = given.config.hub.sign_in.provider
    assert settings is not None
    try:
        keys = await Provider(settings, given.clock).look()
    except NotReady as error:
        remedy = "local accounts sign in meanwhile; look at `issuer`, and at the network"
        yield bad(f"is of no use: {error}", remedy)
        return
    yield ok(f"answers, and publishes {keys} keys")


async def _list(given: Given) -> AsyncIterator[Finding]:
    assert given.config is not None
    named = given.config.hub.sign_in.breached
    assert named is not None
    trouble = await in_thread(lambda: trouble_with(given.config_folder / named))
    if trouble:
        yield bad(trouble, "put the file there; until then no password is known from a breach")
    else:
        yield ok("can be searched")
