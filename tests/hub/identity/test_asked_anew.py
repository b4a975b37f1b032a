"""When the identity provider has asked somebody last who they are."""

from test_openid import (  # noqa: F401  # its fixtures
    School,
    clock,
    come,
    hub,
    school,
)

from hub.identity.openid import Provider


async def test_when_they_were_asked_is_known_where_it_is_told(
    school: School,  # noqa: F811
    hub: Provider,  # noqa: F811
) -> None:
    """A moment, or nothing: what is no number counts as not told."""
    assert (await come(school, hub, auth_time=1_700_000_000)).asked == 1_700_000_000
    for odd in (..., None, "1700000000", True, []):
        assert (await come(school, hub, auth_time=odd)).asked is None
