"""docs/guide/notifiers.md is held to the drivers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub.check import check
from hub.plugins import load_registry

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
