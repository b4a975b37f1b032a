"""The contract of a camera."""

from __future__ import annotations

import typing
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from hub.kinds.cameras import Camera, Purpose, VideoSource
from hub.testing.contract import CANARY, Trial, promise
from hub.testing.driven import DrivenContract

PURPOSES: tuple[Purpose, ...] = typing.get_args(Purpose)


class CameraContract(DrivenContract):
    """What the hub relies on in a camera.

    Where `source` does ask the device, say `reaches = frozenset({"source"})`: then it must fail
    while the device is gone.
    """

    kind = "cameras"
    protocol = Camera

    def calls(self, instance: Any) -> Mapping[str, Callable[[], Awaitable[Any]]]:
        return {"source": lambda: instance.source("analysis")}

    async def works(self, trial: Trial, instance: Any) -> None:
        """It says where its video is."""
        __tracebackhide__ = True
        self.is_source(await instance.source("analysis"))

    def is_source(self, found: Any) -> None:
        """Raise unless the hub's decoder can make something of it."""
        __tracebackhide__ = True
        promise(
            isinstance(found, VideoSource),
            f"expected source() to return a hub.VideoSource, found {type(found).__name__}",
            "return VideoSource(url=…, transport=…)",
        )
        scheme = urlsplit(found.url).scheme
        promise(
            found.url and (found.transport == "file") == (scheme not in ("rtsp", "rtsps")),
            f"expected a path with transport `file` or rtsp:// with `tcp` or `udp`, found the "
            f"scheme {scheme!r} with {found.transport!r}",
            "the hub opens files and RTSP",
        )

    def test_every_purpose_has_a_source(self) -> None:
        """Analysis, recording and live view each have a place to look."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                for purpose in PURPOSES:
                    self.is_source(await self.in_time("source", instance.source(purpose)))

        self.run(scenario)

    def test_a_source_hides_its_credentials(self) -> None:
        """Name and password stand beside the address, never in it, and are not shown."""

        async def scenario(trial: Trial) -> None:
            instance = trial.build(**dict.fromkeys(self.secret_keys(), CANARY))
            await self.in_time("start", instance.start())
            found = await self.in_time("source", instance.source("analysis"))
            await self.in_time("close", instance.close())
            promise(
                "@" not in urlsplit(found.url).netloc and CANARY not in repr(found),
                "expected an address without credentials, found some in it",
                "give them as VideoSource(username=…, password=…)",
            )

        self.run(scenario)
