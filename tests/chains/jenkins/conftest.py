"""A stand-in for Jenkins, a client for it, and the settings of a server that uses it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from epochal.chains.jenkins.client import JenkinsClient
from epochal.chains.jenkins.plugins import pinned_plugins
from epochal.settings import ServerSettings, read_server_settings
from tests.chains.jenkins.standin import TOKEN, USER, StandIn
from tests.jobs.chain import environment_of

_SERVER = """\
runtime = "process"
chain = "jenkins"

[jenkins]
url = "{url}"
user = "{user}"
prefix = "t-"

[jenkins.variables]
EPOCHAL_SHOWN = "it's there"

[[repository]]
url = "https://github.com/ada/digits.git"
jenkins_credentials = "deploy-key"
"""


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[StandIn]:
    """Run a stand-in for Jenkins that has all pinned plugins."""
    jenkins = StandIn(tmp_path / "jenkins", dict(pinned_plugins()), {}).start()
    yield jenkins
    jenkins.kill()


@pytest.fixture
def client(standin: StandIn) -> JenkinsClient:
    """Return a client that is signed in to the stand-in."""
    return JenkinsClient(standin.url, USER, TOKEN)


@pytest.fixture
def settings(home: Path, standin: StandIn) -> ServerSettings:
    """Return the settings of a server that watches one repository."""
    (home / "server.toml").write_text(_SERVER.format(url=standin.url, user=USER), encoding="utf-8")
    return read_server_settings(environment_of(home))
