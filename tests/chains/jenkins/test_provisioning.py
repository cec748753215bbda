"""Creating, updating and deleting the jobs in a stand-in that keeps and drops what a real Jenkins would."""

import pytest

from epochal.chains.jenkins import provisioning
from epochal.chains.jenkins.client import JenkinsClient, JenkinsError
from epochal.chains.jenkins.definitions import OPTIONAL_PLUGINS
from epochal.errors import SettingsError
from epochal.settings import JenkinsSettings, ServerSettings
from tests.chains.jenkins.standin import TOKEN, USER, StandIn
from tests.jobs.chain import environment_of


def _apply(client: JenkinsClient, settings: ServerSettings, *without: str) -> list[str]:
    lines: list[str] = []
    provisioning.apply(client, settings, without, lines.append)
    return lines


def test_second_apply_changes_nothing(client: JenkinsClient, settings: ServerSettings, standin: StandIn) -> None:
    """The second apply reports that everything is up to date, and sends no POST request."""
    assert _apply(client, settings)[:4] == [
        "job t-pull: created",
        "job t-train: created",
        "job t-retrain: created",
        "view t-Epochal: created",
    ]
    standin.requests.clear()
    assert _apply(client, settings)[-1] == "nothing to change: everything is up to date"
    assert [request for request in standin.requests if request[0] == "POST"] == []


def test_changes_in_settings_and_in_jenkins_are_found(
    client: JenkinsClient, settings: ServerSettings, standin: StandIn
) -> None:
    """A change that somebody made in Jenkins is undone. A dry run shows a new setting without applying it."""
    _apply(client, settings)
    other = settings.model_copy(update={"jenkins": settings.jenkins.model_copy(update={"label": "gpu"})})
    lines: list[str] = []
    before = dict(standin.jobs)
    assert provisioning.preview(client, other, (), lines.append) == 3
    assert "  - assignedNode: docker\n  + assignedNode: gpu" in lines
    assert standin.jobs == before
    assert "job t-train: changed" in _apply(client, other)
    standin.jobs["t-train"] = standin.jobs["t-train"].replace("train.sh", "other.sh")
    lines.clear()
    assert provisioning.preview(client, other, (), lines.append) == 1
    assert "job t-train: changed outside Epochal" in lines
    assert "other.sh" in standin.jobs["t-train"]
    assert "job t-train: changed outside Epochal, restored" in _apply(client, other)
    assert "other.sh" not in standin.jobs["t-train"]
    assert _apply(client, other)[-1].startswith("nothing to change")


def test_missing_plugins_are_reported_before_any_change(
    client: JenkinsClient, settings: ServerSettings, standin: StandIn
) -> None:
    """Without this check, Jenkins would answer 200 and silently drop the elements of the missing plugins."""
    del standin.plugins["parameterized-trigger"], standin.plugins["git"]
    with pytest.raises(JenkinsError, match=r"(?s)git:5\.7\.0.*parameterized-trigger:\d+") as error:
        _apply(client, settings)
    assert "timestamper" not in str(error.value)
    assert standin.jobs == {}
    assert _apply(client, settings, "git", "parameterized-trigger")[0] == "job t-pull: created"
    assert "GIT_COMMIT" in standin.jobs["t-pull"]


def test_dropped_elements_are_an_error(client: JenkinsClient, settings: ServerSettings, standin: StandIn) -> None:
    """If a plugin is disabled after the check, reading the job back shows that it is incomplete.

    Applying again once the plugin is enabled completes the job.
    """
    plugins = dict(standin.plugins)
    to_stored_xml = standin.to_stored_xml
    standin.to_stored_xml = lambda xml: (standin.plugins.pop("timestamper", None), to_stored_xml(xml))[1]  # type: ignore[method-assign]
    with pytest.raises(JenkinsError, match=r"dropped parts of the job t-pull: hudson\.plugins\.timestamper"):
        _apply(client, settings)
    standin.to_stored_xml = to_stored_xml  # type: ignore[method-assign]
    standin.plugins = plugins
    assert _apply(client, settings)[-1] == "4 changed"
    assert "hudson.plugins.timestamper" in standin.jobs["t-pull"]


def test_jobs_that_epochal_did_not_make_are_left_alone(
    client: JenkinsClient, settings: ServerSettings, standin: StandIn
) -> None:
    """Even a job with the name of one of Epochal's jobs is neither changed nor deleted."""
    standin.jobs["t-train"] = "<project><description>mine</description></project>"
    lines: list[str] = []
    with pytest.raises(JenkinsError, match="t-train that Epochal did not create"):
        provisioning.preview(client, settings, (), lines.append)
    assert lines[-1] == "job t-train: not created by Epochal"
    with pytest.raises(JenkinsError, match="t-train that Epochal did not create"):
        _apply(client, settings)
    lines.clear()
    provisioning.delete(client, settings, lines.append)
    assert lines == [
        "view t-Epochal: does not exist",
        "job t-pull: deleted",
        "job t-train: left alone, because Epochal did not create it",
        "job t-retrain: does not exist",
    ]
    assert list(standin.jobs) == ["t-train"]


def test_an_old_jenkins_is_refused(
    client: JenkinsClient, settings: ServerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the version found and the version required. The versions are compared as numbers."""
    monkeypatch.setattr(client, "version", lambda: "2.99.1")
    with pytest.raises(JenkinsError, match=r"runs Jenkins 2\.99\.1; Epochal needs 2\.504 or newer"):
        _apply(client, settings)
    monkeypatch.setattr(client, "version", lambda: "2.1000")
    assert _apply(client, settings)[-1] == "4 changed"


def test_jobs_need_no_plugin(client: JenkinsClient, settings: ServerSettings, standin: StandIn) -> None:
    """The jobs can be created in a Jenkins without plugins if all optional plugins are left out."""
    standin.plugins.clear()
    assert _apply(client, settings, *OPTIONAL_PLUGINS)[-1] == "4 changed"


def test_login_comes_from_settings_and_environment(settings: ServerSettings, standin: StandIn) -> None:
    """The error names whichever of address, user and token is missing, and never shows a refused token."""
    environment = environment_of(standin.folder, EPOCHAL_JENKINS_TOKEN=TOKEN)
    assert JenkinsClient.open(environment, settings.jenkins).is_signed_in()
    with pytest.raises(SettingsError, match=r"\[jenkins\] url .*; \[jenkins\] user .*; EPOCHAL_JENKINS_TOKEN"):
        JenkinsClient.open(environment_of(standin.folder), JenkinsSettings())
    wrong = JenkinsClient(standin.url, USER, "wrong")
    with pytest.raises(JenkinsError, match="does not accept epochal's token") as error:
        wrong.version()
    assert error.value.status == 401
    assert "wrong" not in str(error.value)


def test_non_ascii_branch_is_no_change(client: JenkinsClient, settings: ServerSettings) -> None:
    """Jenkins does not declare its XML as UTF-8; decoded wrongly, the branch would look changed at the second apply."""
    watched = settings.repository[0].model_copy(update={"branches": ("größe/中文",)})
    settings = settings.model_copy(update={"repository": (watched,)})
    assert _apply(client, settings)[-1] == "4 changed"
    assert _apply(client, settings)[-1].startswith("nothing to change")
