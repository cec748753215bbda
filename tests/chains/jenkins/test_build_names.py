"""What a build is called: the run's outcome."""

import pytest

from epochal.chains.jenkins.build_names import name_build
from epochal.chains.jenkins.world import Build, World
from epochal.records import Run
from tests.messages import reports


@pytest.mark.parametrize(
    ("run", "name"),
    [
        (reports.exhausted().run, "0.700 of 0.80 · epoch 20 · 1 trial"),
        (reports.reused_run().run, "0.771 of 0.80 · epoch 30 · 3 trials · taken over from run 5"),
    ],
)
def test_train_is_called_after_its_own_trial_or_the_verdict_that_it_took_over(run: Run, name: str) -> None:
    """Retrain goes on after the first trial, but nothing follows a verdict that was taken over."""
    build = Build("train", 1, "", 7, False, "UNSTABLE", 1, 1, "", "", False, False)
    assert name_build(build, "train", run, World((build,), (), frozenset()))[0] == name
