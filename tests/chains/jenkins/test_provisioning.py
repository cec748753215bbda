"""Making, keeping and taking away the jobs, against a stand-in that keeps and drops what a genuine Jenkins was seen to."""

import pytest

from epochal.chains.jenkins import provisioning
from epochal.chains.jenkins.client import JenkinsClient, JenkinsError
from epochal.chains.jenkins.definitions import OPTIONAL
from epochal.errors import SettingsError
from epochal.settings import JenkinsSettings, ServerSettings
from tests.chains.jenkins.standin import TOKEN, USER, StandIn
from tests.jobs.chain import environment_of


def _apply(client: JenkinsClient, settings: ServerSettings, *left_out: str) -> list[str]:
    lines: list[str] = []
    provisioning.apply(client, settings, left_out, lines.append)
    return lines


def test_made_once_and_then_left_alone(client: JenkinsClient, settings: ServerSettings, standin: StandIn) -> None:
    """The first apply makes jobs and view, the second one changes nothing, says so, and sends nothing that would."""
    assert _apply(client, settings)[:4] == [
        "job t-pull: made",
        "job t-train: made",
        "job t-retrain: made",
        "view t-Epochal: made",
    ]
    standin.requests.clear()
    assert _apply(client, settings)[-1] == "nothing to change: everything is as it should be"
    assert [request for request in standin.requests if request[0] == "POST"] == []


def test_what_is_changed_is_seen_from_both_sides(
    client: JenkinsClient, settings: ServerSettings, standin: StandIn
) -> None:
    """A new setting is applied; what somebody changed in Jenkins is set right; a dry run shows either, and changes nothing."""
    _apply(client, settings)
    other = settings.model_copy(update={"jenkins": settings.jenkins.model_copy(update={"label": "gpu"})})
    lines: list[str] = []
    before = dict(standin.jobs)
    assert provisioning.preview(client, other, (), lines.append) == 3
    assert "  - assignedNode: docker\n  + assignedNode: gpu" in lines
    assert standin.jobs == before
    assert "job t-train: changed" in _apply(client, other)
    standin.jobs["t-train"] = standin.jobs["t-train"].replace("train.sh", "other.sh")
    assert "job t-train: changed in Jenkins by somebody else, and set right" in _apply(client, other)
    assert "other.sh" not in standin.jobs["t-train"]
    assert _apply(client, other)[-1].startswith("nothing to change")


def test_missing_plugins_are_named_before_anything_is_touched(
    client: JenkinsClient, settings: ServerSettings, standin: StandIn
) -> None:
    """Jenkins would drop their elements and answer 200: so it is not asked to."""
    del standin.plugins["parameterized-trigger"], standin.plugins["git"]
    with pytest.raises(JenkinsError, match=r"(?s)git:5\.7\.0.*parameterized-trigger:\d+") as told:
        _apply(client, settings)
    assert "timestamper" not in str(told.value)
    assert standin.jobs == {}
    assert _apply(client, settings, "git", "parameterized-trigger")[0] == "job t-pull: made"
    assert "GIT_COMMIT" in standin.jobs["t-pull"]


def test_what_was_lost_is_an_error(client: JenkinsClient, settings: ServerSettings, standin: StandIn) -> None:
    """A plugin that is listed but disabled at the last moment: the read-back finds what is missing."""
    plugins = dict(standin.plugins)
    keep = standin.keep
    standin.keep = lambda xml: (standin.plugins.pop("timestamper", None), keep(xml))[1]  # type: ignore[method-assign]
    with pytest.raises(JenkinsError, match=r"lost parts of the job t-pull: hudson\.plugins\.timestamper"):
        _apply(client, settings)
    assert plugins["timestamper"]


def test_only_its_own_is_changed_and_deleted(client: JenkinsClient, settings: ServerSettings, standin: StandIn) -> None:
    """A job of the same name that somebody else made is neither changed nor deleted."""
    standin.jobs["t-train"] = "<project><description>mine</description></project>"
    with pytest.raises(JenkinsError, match="t-train that Epochal did not make"):
        _apply(client, settings)
    lines: list[str] = []
    provisioning.delete(client, settings, lines.append)
    assert lines == [
        "view t-Epochal: not there",
        "job t-pull: deleted",
        "job t-train: left alone, for Epochal did not make it",
        "job t-retrain: not there",
    ]
    assert list(standin.jobs) == ["t-train"]


def test_an_old_jenkins_is_refused(
    client: JenkinsClient, settings: ServerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version is asked for with the login, and compared as a version."""
    monkeypatch.setattr(client, "version", lambda: "2.479.3")
    with pytest.raises(JenkinsError, match=r"is Jenkins 2\.479\.3; Epochal wants 2\.504 or newer"):
        _apply(client, settings)


def test_nothing_is_needed_of_plugins(client: JenkinsClient, settings: ServerSettings, standin: StandIn) -> None:
    """Without any plugin the jobs can be made all the same."""
    standin.plugins.clear()
    assert _apply(client, settings, *OPTIONAL)[-1] == "4 changed"


def test_the_login_comes_from_settings_and_environment(settings: ServerSettings, standin: StandIn) -> None:
    """What is missing of address, user and token is said by name."""
    environment = environment_of(standin.folder, EPOCHAL_JENKINS_TOKEN=TOKEN)
    assert JenkinsClient.open(environment, settings.jenkins).is_signed_in()
    with pytest.raises(SettingsError, match=r"\[jenkins\] url .*; \[jenkins\] user .*; EPOCHAL_JENKINS_TOKEN"):
        JenkinsClient.open(environment_of(standin.folder), JenkinsSettings())
    wrong = JenkinsClient(standin.url, USER, "wrong")
    with pytest.raises(JenkinsError, match="does not accept epochal's token") as told:
        wrong.version()
    assert told.value.status == 401
    assert "wrong" not in str(told.value)


def test_names_beyond_ascii_are_no_change(client: JenkinsClient, settings: ServerSettings) -> None:
    """Jenkins sends XML without saying that it is UTF-8; a branch called größe is the same at the second apply."""
    watched = settings.repository[0].model_copy(update={"branches": ("größe/中文",)})
    settings = settings.model_copy(update={"repository": (watched,)})
    assert _apply(client, settings)[-1] == "4 changed"
    assert _apply(client, settings)[-1].startswith("nothing to change")
