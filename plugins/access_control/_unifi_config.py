"""What the configuration says of a UniFi Access console and its doors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from hub import Block, Duration, Names
from plugins.access_control._http_device import Sha256


class UnifiConfig(Block):
    """How to reach the console, and how to know that it is the right one."""

    host: str = Field(min_length=1, description="The name or address of the console.")
    port: int = Field(12445, ge=1, le=65535, description="The port of its API.")
    token: str = Field(
        min_length=1, repr=False, description="An API token of UniFi Access, as `!secret NAME`."
    )
    fingerprint: Sha256 | None = Field(
        None,
        description="The SHA-256 of its certificate, which is its own; `vestibule doctor` shows "
        "the one that is presented. Compare it with the console before you write it here.",
    )
    ca_file: Annotated[Path, Names("file")] | None = Field(
        None, description="Whom to trust instead, where the certificate was issued by somebody."
    )
    poll: Duration = Field(5.0, ge=1, le=10, description="How often all doors are read.")


class UnifiDevice(Block):
    """Which door of the console it is."""

    door: str = Field(
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="Its id there; `vestibule doctor` lists those that are not used yet.",
    )
    contact: bool = Field(True, description="Whether a door position sensor is wired to it.")
