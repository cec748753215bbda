"""The display names of builds in Jenkins."""

import pytest

from epochal.chains.jenkins.build_names import name_build
from epochal.chains.jenkins.snapshot import Build, JenkinsSnapshot
from epochal.records import Run
from tests.messages import reports


@pytest.mark.parametrize(
    ("run", "name"),
    [
        (reports.exhausted().run, "0.700 (threshold 0.80) · 20 epochs · 1 trial"),
        (reports.reused_run().run, "0.771 (threshold 0.80) · 30 epochs · 3 trials · reused from run 5"),
    ],
)
def test_train_build_is_named_after_its_trial_or_the_reused_verdict(run: Run, name: str) -> None:
    """Later trials appear in the name of the retrain build. A run that reuses a verdict has no retrain build."""
    build = Build("train", 1, "", 7, False, "UNSTABLE", 1, 1, "", "", False, False)
    assert name_build(build, "train", run, JenkinsSnapshot((build,), (), frozenset()))[0] == name
