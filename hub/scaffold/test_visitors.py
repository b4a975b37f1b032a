"""The driver `sample`: what every visitor system promises, and what this one does."""

from __future__ import annotations

from hub.scaffold.visitors import vestibule_visitors
from hub.testing import Trial, VisitorSystemContract


class TestSample(VisitorSystemContract):
    """The promises of a visitor system; a plain list cannot vanish."""

    driver = vestibule_visitors()[0]
    config = {"expected": ["Photographer", "Piano tuner"], "not_admitted": ["Mr Grey"]}
    alone = True

    def test_the_list_is_expected_and_some_are_asked_about(self) -> None:
        """Each name of the list is a visit of today, and only one not admitted is a match."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                visits = await instance.visits()
                assert [each.visitor for each in visits] == ["Photographer", "Piano tuner"]
                assert (await instance.screen(" mr grey")).match
                assert not (await instance.screen("Photographer")).match

        self.run(scenario)
