"""Whether a server is reached, whom it is trusted by, and what is wrong with its certificate."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hub import Context, NotReady, Probed
from plugins.notifiers._wording import one_line

SOON = timedelta(days=21)
EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL; the others below likewise
NOT_YET = 9
NAMES = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
LEAVE_WITHIN_S = 1.0


async def reach(url: str, trust: ssl.SSLContext | None = None) -> Mapping[str, Any]:
    """Connect to the server of an `http(s)://` address and leave again; nothing is asked.

    Returns its certificate as `ssl.SSLSocket.getpeercert` does, empty without TLS. Raises
    `NotReady` with the reason; `ssl.SSLError` where TLS failed, see `refused_certificate`.
    """
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if tls else 80)
    if tls and trust is None:
        trust = await asyncio.to_thread(ssl.create_default_context)
    try:
        _, writer = await asyncio.open_connection(host, port, ssl=trust if tls else None)
    except ssl.SSLError:
        raise
    except OSError as error:
        raise NotReady(not_reached(host, port, error)) from error
    certificate = writer.get_extra_info("peercert") or {}
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(LEAVE_WITHIN_S):
            await writer.wait_closed()
    return certificate


async def trusted(context: Context, ca_file: Path | str | None) -> ssl.SSLContext:
    """What a server's certificate is checked by: a file beside the configuration, or whom this
    machine trusts. Raises `NotReady`.
    """
    where = context.config_folder / ca_file if ca_file else None
    try:
        return await asyncio.to_thread(ssl.create_default_context, cafile=where)
    except OSError as error:
        raise NotReady(f"cannot use `ca_file`: {error.strerror or error}") from error


def not_reached(host: str, port: int, error: BaseException) -> str:
    """Why a connection failed, in words: no such name, nothing listening, or no way there."""
    chain = set(causes(error))
    if any(type(each).__name__ == "gaierror" for each in chain):
        return f"no machine is called {host}"
    if any(isinstance(each, ConnectionRefusedError) for each in chain):
        return f"nothing listens at {host}:{port}"
    if any(isinstance(each, TimeoutError) for each in chain):
        return f"no answer from {host}:{port}"
    return f"{host}:{port} is not reached: {one_line(str(error))}"


def causes(error: BaseException | None) -> list[BaseException]:
    """The error and all that led to it."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def refused_certificate(where: str, error: BaseException) -> Probed | None:
    """What is wrong with a server's certificate; None where TLS is not what failed."""
    for each in causes(error):
        if isinstance(each, ssl.SSLError) and getattr(each, "reason", None) is None:
            continue  # made by an HTTP library; the error that it wraps comes next
        if isinstance(each, ssl.SSLCertVerificationError):
            return _bad_certificate(where, each)
        if isinstance(each, ssl.SSLError):
            reason = (each.reason or "unknown").replace("_", " ").lower()
            found = f"{where} does not speak TLS as expected ({reason})"
            return Probed(found, "check the port, and whether TLS is on there", works=False)
    return None


def _bad_certificate(where: str, error: ssl.SSLCertVerificationError) -> Probed:
    if error.verify_code == EXPIRED:
        return Probed(
            f"the certificate of {where} has expired", "renew the certificate there", works=False
        )
    if error.verify_code == NOT_YET:
        remedy = "check this machine's clock, then the certificate there"
        return Probed(f"the certificate of {where} is not valid yet", remedy, works=False)
    if error.verify_code in NAMES:
        remedy = "write the name that stands in the certificate"
        return Probed(f"the certificate of {where} is for another name", remedy, works=False)
    found = f"the certificate of {where} is not trusted here ({one_line(error.verify_message)})"
    remedy = "let this machine trust its issuer, or name the issuer's file where the driver has one"
    return Probed(found, remedy, works=False)


def certified(found: str, certificate: Mapping[str, Any], now: datetime) -> Probed:
    """What was found, with how long the certificate lasts; a warning when it ends soon."""
    ends = certificate.get("notAfter")
    if not ends:
        return Probed(found)
    last = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(ends)), UTC)
    days = (last - now) // timedelta(days=1)
    told = f"{found}, certificate until {last:%Y-%m-%d}"
    if last - now < SOON:
        return Probed(f"{told}, which is in {max(days, 0)} days", "renew the certificate there")
    return Probed(told)
