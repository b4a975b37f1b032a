import re
from pathlib import Path

import pytest

from hub.config import RoleBlock
from hub.identity.permissions import PERMISSIONS, ROLES, known_role, may, role_name

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "roles.md"


def test_a_role_nobody_defined_may_nothing() -> None:
    """Deny by default: an unknown role holds no permission at all."""
    assert not any(may("stranger", permission) for permission in PERMISSIONS)


def test_a_permission_nobody_defined_is_held_by_no_role() -> None:
    """A misspelt permission denies everybody, the administrator included."""
    assert not any(may(role, "open.everything") for role in ROLES)


@pytest.mark.parametrize("role", ["nurse", "it", "auditor", "responder", "viewer"])
def test_only_roles_that_work_with_doors_may_command_them(role: str) -> None:
    """Seeing doors, or running the machine, never includes moving them."""
    assert not may(role, "command.doors")


@pytest.mark.parametrize("role", ["it", "auditor", "responder", "viewer"])
def test_only_people_of_the_school_decide_about_alerts(role: str) -> None:
    """People decide, and only those whose work it is."""
    assert not may(role, "give.verdict")


def test_a_list_in_the_configuration_takes_the_place_of_the_built_in_one() -> None:
    """An override can take away, not only add."""
    roles = {"sro": RoleBlock(may=("see.doors",)), "porter": RoleBlock(may=("command.doors",))}
    assert may("sro", "see.doors", roles)
    assert not may("sro", "give.verdict", roles)
    assert may("porter", "command.doors", roles)
    assert not may("porter", "see.doors", roles)


def test_naming_a_built_in_role_leaves_what_it_may_do() -> None:
    """A `roles:` entry without `may:` only gives a name."""
    roles = {"sro": RoleBlock(name="Campus officer")}
    assert may("sro", "give.verdict", roles)
    assert role_name("sro", roles) == "Campus officer"
    assert role_name("sro") == "School resource officer"
    assert known_role("sro", roles)
    assert not known_role("porter", roles)


def test_the_page_about_roles_says_what_the_code_does() -> None:
    """docs/reference/roles.md lists every permission, and a table that matches the code."""
    text = PAGE.read_text()
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in text.splitlines()
        if line.startswith("| `")
    ]
    described = {re.sub("`", "", row[0]): row[1] for row in rows if len(row) == 2}
    assert described == dict(PERMISSIONS)
    head = next(line for line in text.splitlines() if line.startswith("| permission | `"))
    names = [re.sub("[` ]", "", cell) for cell in head.split("|")[2:-1]]
    assert set(names) == set(ROLES)
    table = {
        (name, re.sub("`", "", row[0])): cell
        for row in rows
        if len(row) == len(names) + 1
        for name, cell in zip(names, row[1:], strict=True)
    }
    assert table == {
        (role, permission): "yes" if may(role, permission) else ""
        for role in ROLES
        for permission in PERMISSIONS
    }
