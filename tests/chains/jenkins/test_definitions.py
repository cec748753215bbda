"""The jobs and the view that Job Builder makes of jobs/*.yaml: golden files, and what has to agree with what.

To write the golden files anew, after a change that is meant: UPDATE_GOLDEN=1 pytest tests/chains/jenkins/test_definitions.py
"""

import os
import re
from pathlib import Path

import pytest

from epochal.chains.jenkins.definitions import OPTIONAL, PLUGINS, job_names, pull_job, render
from epochal.chains.jenkins.markup import parsed
from epochal.chains.jenkins.plugins import pinned_plugins
from epochal.chains.job_scripts import JobScripts
from epochal.errors import SettingsError
from epochal.resources import resource
from epochal.settings import JenkinsSettings, ServerSettings, WatchedRepository

_GOLDEN = Path(__file__).parent / "golden"
_DIGITS = WatchedRepository(
    url="https://github.com/ada/digits.git", branches=("main",), jenkins_credentials="deploy-key"
)
_SETTINGS = ServerSettings(repository=(_DIGITS,), jenkins=JenkinsSettings(github_push=True))


@pytest.mark.parametrize(("folder", "left_out"), [("plugins", ()), ("core", OPTIONAL)])
def test_the_jobs_are_as_they_were_agreed_on(folder: str, left_out: tuple[str, ...]) -> None:
    """With all plugins and with none that can be left out: each job's XML, and the view's, is the golden one."""
    settings = _SETTINGS if not left_out else _SETTINGS.model_copy(update={"jenkins": JenkinsSettings(prefix="t-")})
    for definition in render(settings, left_out):
        golden = _GOLDEN / folder / f"{definition.name}.xml"
        if os.environ.get("UPDATE_GOLDEN"):
            golden.parent.mkdir(parents=True, exist_ok=True)
            golden.write_text(definition.xml, encoding="utf-8")
        assert definition.xml == golden.read_text(encoding="utf-8"), definition.name


def test_names_and_what_they_start() -> None:
    """pull starts train, train starts retrain where it is UNSTABLE, and retrain starts nothing: no circle."""
    found = {definition.name: parsed(definition.xml) for definition in render(_SETTINGS)}
    config = "publishers/hudson.plugins.parameterizedtrigger.BuildTrigger/configs/*"
    started = {
        name: [(each.findtext("projects"), each.findtext("condition")) for each in root.findall(config)]
        for name, root in found.items()
    }
    assert started == {"pull": [("train", "SUCCESS")], "train": [("retrain", "UNSTABLE")], "retrain": [], "Epochal": []}
    for name in ("pull", "train", "retrain"):
        assert found[name].findtext("quietPeriod") == "0"
        assert found[name].findtext("concurrentBuild") == "true"
        assert found[name].findtext("assignedNode") == "docker"
    assert [each.text for each in found["Epochal"].findall("jobNames/string")] == ["pull", "retrain", "train"]


def test_each_repository_has_its_pull() -> None:
    """A further repository's job is named after it; prefix and odd characters are no trouble, the same name twice is."""
    strange = WatchedRepository(url="/srv/git/{odd} $name's\"", branches=("release/2",))
    settings = ServerSettings(repository=(_DIGITS, strange), jenkins=JenkinsSettings(prefix="ml-", label=""))
    assert job_names(settings) == ["ml-pull", "ml-pull-odd-name-s", "ml-train", "ml-retrain"]
    second = next(each for each in render(settings) if each.name == "ml-pull-odd-name-s")
    assert next(parsed(second.xml).iter("url")).text == strange.url
    assert "refs/heads/release/2" in second.xml
    assert parsed(second.xml).findtext("canRoam") == "true"
    core = next(each for each in render(settings, OPTIONAL) if each.name == "ml-pull-odd-name-s")
    command = next(parsed(core.xml).iter("command")).text or ""
    assert "GIT_URL='/srv/git/{odd} $name'\"'\"'s\"'" in command
    with pytest.raises(SettingsError, match="not watched"):
        pull_job(settings, "https://github.com/ada/other.git")
    twice = ServerSettings(repository=(_DIGITS, strange, strange.model_copy(update={"url": "/srv/x/{odd} $name's\""})))
    with pytest.raises(SettingsError, match="same name"):
        render(twice)


def test_what_cannot_be_rendered() -> None:
    """Nothing watched, and a plugin that is none of those that can be left out."""
    with pytest.raises(SettingsError, match="epochal watch"):
        render(ServerSettings())
    with pytest.raises(SettingsError, match="github cannot be left out"):
        render(_SETTINGS, ("github",))


def test_what_is_exported_is_no_secret() -> None:
    """Variables are quoted for the shell; what may hold a secret is refused, for everybody could read it in Jenkins."""
    variables = {"EPOCHAL_HOME": "/srv/it's $HOME", "EPOCHAL_DATABASE_FILE": "/run/secrets/database"}
    settings = _SETTINGS.model_copy(update={"jenkins": JenkinsSettings(variables=variables)})
    train = next(each for each in render(settings) if each.name == "train")
    lines = (next(parsed(train.xml).iter("command")).text or "").splitlines()
    assert lines == [
        "export EPOCHAL_DATABASE_FILE=/run/secrets/database",
        "export EPOCHAL_HOME='/srv/it'\"'\"'s $HOME'",
        '"$EPOCHAL_SCRIPTS/train.sh"',
    ]
    for name in ("EPOCHAL_MAIL_PASSWORD", "EPOCHAL_DATABASE", "not a name"):
        with pytest.raises(ValueError, match="variables"):
            JenkinsSettings(variables={name: "x"})


def test_nothing_drifts_apart() -> None:
    """Scripts that the jobs name exist and read what the jobs give; both chains give the same; plugins are pinned."""
    definitions = render(_SETTINGS)
    given = {
        each.name: {
            parameter.text for parameter in parsed(each.xml).iterfind(".//hudson.model.StringParameterDefinition/name")
        }
        for each in definitions
        if each.kind == "job"
    }
    assert given == {
        "pull": {"commit", "EPOCHAL_BRANCH", "EPOCHAL_RUN"},
        "train": {"EPOCHAL_RUN"},
        "retrain": {"EPOCHAL_RUN"},
    }
    embedded = Path(JobScripts.__init__.__code__.co_filename).read_text(encoding="utf-8")
    for each in definitions:
        for script in re.findall(r"\$EPOCHAL_SCRIPTS/([\w.]+)", each.xml):
            path = resource("scripts") / script
            assert os.access(path, os.X_OK), script
            names = {name for name in given[each.name] if name and name.startswith("EPOCHAL_")}
            assert all(name in path.read_text(encoding="utf-8") for name in names), script
            assert all(f'"{name}"' in embedded for name in names)
    used = set().union(*(each.plugins for each in definitions))
    assert used == set(PLUGINS)
    assert used <= set(pinned_plugins())
