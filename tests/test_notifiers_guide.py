"""docs/guide/notifiers.md is held to the drivers."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub import Context, Notice
from hub.check import check
from hub.plugins import load_registry
from hub.start import listen
from hub.testing import FakeClock
from plugins.notifiers.webhook import Webhook, WebhookConfig

ROOT = Path(__file__).resolve().parents[1]
GUIDE = (ROOT / "docs/guide/notifiers.md").read_text(encoding="utf-8")
DRIVERS = ("pushover", "twilio", "pagerduty", "slack", "teams", "discord", "signage", "apprise")
SECRETS = """\
pushover: azGDORePK8gMaC0QOYAMyEEuzJnyUi
pushover_group: uQiRzpo4DXghDmr9QzzfQu27cmVRsG
twilio: 0123456789abcdef0123456789abcdef
twilio_key: 0123456789abcdef0123456789abcdef
pagerduty: R0123456789ABCDEFGHIJKLMNOPQRSTU
slack_hook: https://hooks.slack.com/services/T0/B0/x
slack_bot: xoxb-1234567890-abcdefghij
teams: https://example.logic.azure.com/workflows/1?sig=2
discord: https://discord.com/api/webhooks/1/2
airtame: abcdefghijkl
telegram: tgram://123456789:abcdefg_hijklmnop/12315544/
matrix: matrixs://user:pass@matrix.example/#room
"""
PATHS = {"internet": "wan", "mobile network": "cellular", "as you say": "wan"}


def test_every_recipe_is_valid_as_it_stands(tmp_path: Path) -> None:
    """The blocks can be copied; only the secrets are one's own."""
    every = re.findall(r"```yaml\nnotifiers:\n(.*?)```", GUIDE, re.DOTALL)
    blocks = [each for each in every if set(re.findall(r"driver: (\w+)", each)) <= set(DRIVERS)]
    file = tmp_path / "school.yaml"
    head = "hub: {name: Example school, timezone: America/Chicago}\nnotifiers:\n"
    file.write_text(head + "".join(blocks), encoding="utf-8")
    secrets = tmp_path / "secrets.yaml"
    secrets.write_text(SECRETS, encoding="utf-8")
    secrets.chmod(0o600)
    registry = load_registry()
    assert [str(each) for each in check(file, registry)] == []
    used = set(re.findall(r"driver: (\w+)", "".join(blocks)))
    assert used == set(DRIVERS)


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_table_says_what_the_driver_says_of_itself(driver: str) -> None:
    """What must work for it, and whether a repeat is shown, are the driver's own answers."""
    rows = re.findall(rf"^\| `{driver}`[^|]*\|(.*)\|$", GUIDE, re.MULTILINE)
    channel = load_registry().drivers("notifiers")[driver].factory.channel  # type: ignore[attr-defined]
    assert rows
    for row in rows:
        _, tells, path, repeats, _ = (cell.strip() for cell in row.split("|"))
        assert PATHS[path] == channel.path
        assert repeats.startswith("merged") == channel.deduplicates
        assert tells


SECRET = "a-secret-of-decent-length"
NOTICE = Notice(
    key="notice-1", about="alert", severity="severe", title="Door forced", text="Now",
    time=datetime(2026, 3, 2, 22, 15, tzinfo=UTC), to=(),
)  # fmt: skip


async def sent(port: int, folder: Path, secret: str = SECRET, ago: float = 0.0) -> str:
    """What becomes of a notice that the hub's own webhook sends to the page's receiver."""
    clock = FakeClock(datetime.now(UTC) - timedelta(seconds=ago))
    config = WebhookConfig(url=f"http://127.0.0.1:{port}/", secret=secret)
    hook = Webhook(config, Context("hook", clock=clock, state=folder, config_folder=folder))
    await hook.start()
    try:
        return (await hook.send(NOTICE)).state
    finally:
        await hook.close()


async def test_the_receiver_of_the_page_takes_what_is_genuine_once(tmp_path: Path) -> None:
    """Copied as it stands, it takes what is signed and fresh, and nothing else."""
    (program,) = re.findall(r"```python\n(# receiver\.py\n.*?)```", GUIDE, re.DOTALL)
    free = listen("127.0.0.1", 0)
    port = free.getsockname()[1]
    free.close()
    file = tmp_path / "receiver.py"
    file.write_text(program.replace("8099", str(port)), encoding="utf-8")
    receiver = await asyncio.create_subprocess_exec(
        sys.executable, str(file), stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL, env={**os.environ, "SHARED_SECRET": SECRET},
    )  # fmt: skip
    try:
        assert receiver.stdout is not None
        assert await asyncio.wait_for(receiver.stdout.readline(), 30) == b"ready\n"
        for secret, ago, becomes in (
            (SECRET, 0.0, "accepted"),
            (SECRET, 0.0, "accepted"),
            ("another-secret-of-some-length", 0.0, "failed"),
            (SECRET, 3600.0, "failed"),
        ):
            assert await sent(port, tmp_path, secret, ago) == becomes
    finally:
        receiver.terminate()
        told = (await receiver.communicate())[0]
    assert told == b"severe Door forced\n", "done once"
