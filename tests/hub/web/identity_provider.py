"""A real OpenID Connect provider for tests, in a process of its own that can be killed."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def a_provider() -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """A real OpenID Connect provider in a process of its own, with a teacher and a stranger."""
    users = []
    for sub, groups in (("teacher", ["staff", "security"]), ("pupil", ["pupils"])):
        claims = {"sub": sub, "preferred_username": sub.title(), "groups": groups}
        users += ["--user-claims", json.dumps(claims)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "-p", "0", *users),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            while not (found := re.search(rb"http://[\w.]+:\d+", await process.stdout.readline())):
                pass
        yield found[0].decode(), process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
