"""epochal jenkins check: one line a question, and the agent's own word for what it works with."""

from pathlib import Path

import pytest

from epochal.chains.jenkins import provisioning
from epochal.chains.jenkins.checks import check_all
from epochal.chains.jenkins.client import JenkinsClient
from epochal.resources import resource
from epochal.settings import ServerSettings
from tests.chains.jenkins.standin import StandIn
from tests.jobs.chain import environment_of
from tests.warm import warm_epochal


def _check(client: JenkinsClient, settings: ServerSettings, home: Path) -> tuple[bool, dict[str, str]]:
    lines: list[str] = []
    good = check_all(client, settings, environment_of(home), (), lines.append)
    parts = [line.split(":", 1) for line in lines]
    return good, {question: answer.strip() for question, answer in parts}


@pytest.fixture
def ready(client: JenkinsClient, settings: ServerSettings, standin: StandIn, home: Path) -> StandIn:
    """A Jenkins with the jobs, whose agent has Epochal."""
    standin.environment |= {
        "EPOCHAL_HOME": str(home),
        "EPOCHAL_SCRIPTS": str(resource("scripts")),
        "EPOCHAL_PYTHON": str(warm_epochal()),
    }
    provisioning.apply(client, settings.model_copy(), (), lambda line: None)
    return standin


@pytest.fixture
def settings(settings: ServerSettings) -> ServerSettings:
    """Without a variable that only Epochal refuses."""
    return settings.model_copy(update={"jenkins": settings.jenkins.model_copy(update={"variables": {}})})


def test_all_is_well(client: JenkinsClient, settings: ServerSettings, ready: StandIn, home: Path) -> None:
    """Every question is answered with yes, and nothing is left of the asking."""
    jobs = dict(ready.jobs)
    good, told = _check(client, settings, home)
    assert good, told
    assert list(told) == ["reachable", "login", "crumbs", "rights", "plugins", "agent", "jobs", "proof"]
    assert told["rights"] == "yes  may make, configure and start jobs"
    assert told["agent"] == "yes  agent-1"
    assert ready.jobs == jobs
    assert list(home.glob(".question*")) == []


def test_each_no_has_its_remedy(client: JenkinsClient, settings: ServerSettings, ready: StandIn, home: Path) -> None:
    """Missing rights, plugins, agents, and jobs that somebody changed are told apart; the rest is still asked."""
    ready.forbidden = {"hudson.model.Item.Build"}
    del ready.plugins["build-timeout"]
    ready.jobs["t-train"] = ready.jobs["t-train"].replace("train.sh", "other.sh")
    ready.agent_online = False
    good, told = _check(client, settings, home)
    assert not good
    assert told["rights"].startswith("no   epochal lacks Job/Build")
    assert told["plugins"] == "no   missing: build-timeout:1.38"
    assert "is offline" in told["agent"]
    assert "job t-train is changed in Jenkins" in told["jobs"]
    assert told["login"].startswith("yes")


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("EPOCHAL_HOME", "/tmp/another-home", "EPOCHAL_HOME is another folder there"),
        ("EPOCHAL_DATABASE", "sqlite:////tmp/another.db", "the database is another one there"),
        ("EPOCHAL_SCRIPTS", "/nowhere", "could not run $EPOCHAL_SCRIPTS/prove.sh"),
    ],
)
def test_an_agent_that_works_with_something_else(
    client: JenkinsClient, settings: ServerSettings, ready: StandIn, home: Path, variable: str, value: str, told: str
) -> None:
    """Another home, database or script on the agent is told, and no value of either side is printed in Jenkins."""
    ready.environment[variable] = value
    good, answers = _check(client, settings, home)
    assert not good
    assert told in answers["proof"]


def test_sqlite_is_refused_for_a_remote_agent(
    client: JenkinsClient, settings: ServerSettings, ready: StandIn, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent on another machine (here: the gateway takes itself for one) needs a database that a network can share."""
    other = home / "boot_id"
    other.write_text("another machine")
    monkeypatch.setattr("epochal.jobs.installation._BOOT", other)
    good, told = _check(client, settings, home)
    assert not good
    assert "where SQLite loses writes" in told["proof"]


def test_nobody_answers(client: JenkinsClient, settings: ServerSettings, standin: StandIn, home: Path) -> None:
    """Where Jenkins is not to be reached there is one line, and no more."""
    standin.stop()
    good, told = _check(client, settings, home)
    assert not good
    assert list(told) == ["reachable"]
