"""``epochal jenkins check`` prints one line per check. In the last check, the agent itself answers."""

from pathlib import Path

import pytest

from epochal.chains.jenkins import provisioning
from epochal.chains.jenkins.checks import check_all
from epochal.chains.jenkins.client import JenkinsClient
from epochal.folders import resource
from epochal.settings import ServerSettings
from tests.chains.jenkins.standin import StandIn
from tests.jobs.chain import environment_of
from tests.warm import warm_epochal


def _check(client: JenkinsClient, settings: ServerSettings, home: Path) -> tuple[bool, dict[str, str]]:
    lines: list[str] = []
    passed = check_all(client, settings, environment_of(home), (), lines.append)
    parts = [line.split(":", 1) for line in lines]
    return passed, {question: answer.strip() for question, answer in parts}


@pytest.fixture
def ready(client: JenkinsClient, settings: ServerSettings, standin: StandIn, home: Path) -> StandIn:
    """Return a Jenkins that has Epochal's jobs and an agent with Epochal installed."""
    standin.environment |= {
        "EPOCHAL_HOME": str(home),
        "EPOCHAL_SCRIPTS": str(resource("scripts")),
        "EPOCHAL_PYTHON": str(warm_epochal()),
    }
    provisioning.apply(client, settings.model_copy(), (), lambda line: None)
    return standin


@pytest.fixture
def settings(settings: ServerSettings) -> ServerSettings:
    """Return the settings without the variable EPOCHAL_SHOWN, which Epochal would refuse."""
    return settings.model_copy(update={"jenkins": settings.jenkins.model_copy(update={"variables": {}})})


def test_ready_jenkins_passes_every_check(
    client: JenkinsClient, settings: ServerSettings, ready: StandIn, home: Path
) -> None:
    """The temporary job and file that the last check needs are removed afterwards."""
    jobs, files = dict(ready.jobs), set(home.iterdir())
    passed, answers = _check(client, settings, home)
    assert passed, answers
    assert list(answers) == ["reachable", "login", "crumbs", "rights", "plugins", "agent", "jobs", "proof"]
    assert answers["rights"] == "yes  may create, configure and start jobs"
    assert answers["agent"] == "yes  agent-1"
    assert ready.jobs == jobs
    assert set(home.iterdir()) == files


def test_each_failed_check_names_its_cause(
    client: JenkinsClient, settings: ServerSettings, ready: StandIn, home: Path
) -> None:
    """A failed check does not keep the later ones from running."""
    ready.forbidden = {"hudson.model.Item.Build"}
    del ready.plugins["build-timeout"]
    ready.jobs["t-train"] = ready.jobs["t-train"].replace("train.sh", "other.sh")
    ready.agent_online = False
    passed, answers = _check(client, settings, home)
    assert not passed
    assert answers["rights"].startswith("no   epochal lacks permissions: Job/Build")
    assert (
        answers["plugins"]
        == "no   missing: build-timeout:1.38. Install what is missing, or leave it out with --without."
    )
    assert "is offline" in answers["agent"]
    assert answers["jobs"].endswith(": changed outside Epochal. Run epochal jenkins apply.")
    assert answers["login"].startswith("yes")


def test_job_that_epochal_did_not_make_fails_the_check(
    client: JenkinsClient, settings: ServerSettings, ready: StandIn, home: Path
) -> None:
    """The answer does not recommend ``epochal jenkins apply``, which would refuse to change the job."""
    ready.jobs["t-train"] = "<project><description>mine</description></project>"
    passed, answers = _check(client, settings, home)
    assert not passed
    assert answers["jobs"].startswith("no   job t-train: not created by Epochal. ")
    assert "apply" not in answers["jobs"]


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("EPOCHAL_HOME", "/tmp/another-home", "the agent's EPOCHAL_HOME is not the gateway's"),
        ("EPOCHAL_DATABASE", "sqlite:////tmp/another.db", "the agent's database is not the gateway's"),
        ("EPOCHAL_SCRIPTS", "/nowhere", "could not run $EPOCHAL_SCRIPTS/prove.sh"),
    ],
)
def test_agent_with_another_installation_fails_the_check(
    client: JenkinsClient, settings: ServerSettings, ready: StandIn, home: Path, variable: str, value: str, message: str
) -> None:
    """The agent must have the gateway's home, database and job scripts."""
    ready.environment[variable] = value
    passed, answers = _check(client, settings, home)
    assert not passed
    assert message in answers["proof"]


def test_sqlite_is_refused_for_a_remote_agent(
    client: JenkinsClient, settings: ServerSettings, ready: StandIn, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite loses writes on a network file system. A fake boot ID makes the agent seem to be on another machine."""
    boot_id = home / "boot_id"
    boot_id.write_text("another machine")
    monkeypatch.setattr("epochal.jobs.installation._BOOT_ID", boot_id)
    passed, answers = _check(client, settings, home)
    assert not passed
    assert "SQLite would lose writes" in answers["proof"]


def test_unreachable_jenkins_is_the_only_failure_reported(
    client: JenkinsClient, settings: ServerSettings, standin: StandIn, home: Path
) -> None:
    """The other checks would only repeat the same error."""
    standin.stop()
    passed, answers = _check(client, settings, home)
    assert not passed
    assert list(answers) == ["reachable"]
