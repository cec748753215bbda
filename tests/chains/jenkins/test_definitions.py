"""The jobs and the view that Job Builder renders from jobs/*.yaml: golden files, and what must match other files.

UPDATE_GOLDEN=1 pytest tests/chains/jenkins/test_definitions.py rewrites the golden files; review the diff.
"""

import os
import re
from pathlib import Path

import pytest

from epochal.chains.jenkins.config_xml import parse_config
from epochal.chains.jenkins.definitions import OPTIONAL_PLUGINS, PLUGIN_PREFIXES, job_names, pull_job_name, render
from epochal.chains.jenkins.plugins import pinned_plugins
from epochal.chains.job_scripts import JobScripts
from epochal.errors import SettingsError
from epochal.folders import resource
from epochal.settings import JenkinsSettings, ServerSettings, WatchedRepository

_GOLDEN = Path(__file__).parent / "golden"
_DIGITS = WatchedRepository(
    url="https://github.com/ada/digits.git", branches=("main",), jenkins_credentials="deploy-key"
)
_SETTINGS = ServerSettings(repository=(_DIGITS,), jenkins=JenkinsSettings(github_push=True))


@pytest.mark.parametrize(("folder", "without"), [("plugins", ()), ("core", OPTIONAL_PLUGINS)])
def test_rendered_jobs_match_the_golden_files(folder: str, without: tuple[str, ...]) -> None:
    """The jobs are rendered with all plugins, and without the optional ones."""
    settings = _SETTINGS if not without else _SETTINGS.model_copy(update={"jenkins": JenkinsSettings(prefix="t-")})
    for definition in render(settings, without):
        golden = _GOLDEN / folder / f"{definition.name}.xml"
        if os.environ.get("UPDATE_GOLDEN"):
            golden.parent.mkdir(parents=True, exist_ok=True)
            golden.write_text(definition.xml, encoding="utf-8")
        assert definition.xml == golden.read_text(encoding="utf-8"), definition.name


def test_each_job_starts_the_next_one() -> None:
    """train starts retrain only if its own result is UNSTABLE, and retrain starts nothing, so the jobs form no cycle."""
    roots = {definition.name: parse_config(definition.xml) for definition in render(_SETTINGS)}
    config = "publishers/hudson.plugins.parameterizedtrigger.BuildTrigger/configs/*"
    started = {
        name: [(each.findtext("projects"), each.findtext("condition")) for each in root.findall(config)]
        for name, root in roots.items()
    }
    assert started == {"pull": [("train", "SUCCESS")], "train": [("retrain", "UNSTABLE")], "retrain": [], "Epochal": []}
    for name in ("pull", "train", "retrain"):
        assert roots[name].findtext("quietPeriod") == "0"
        assert roots[name].findtext("concurrentBuild") == "true"
        assert roots[name].findtext("assignedNode") == "docker"
    assert [each.text for each in roots["Epochal"].findall("jobNames/string")] == ["pull", "retrain", "train"]


def test_each_repository_has_a_pull_job() -> None:
    """The second repository's name is in the job's name; two repositories with the same name are refused."""
    strange = WatchedRepository(url="/srv/git/{odd} $name's\"", branches=("release/2",))
    settings = ServerSettings(repository=(_DIGITS, strange), jenkins=JenkinsSettings(prefix="ml-", label=""))
    assert job_names(settings) == ["ml-pull", "ml-pull-odd-name-s", "ml-train", "ml-retrain"]
    second = next(each for each in render(settings) if each.name == "ml-pull-odd-name-s")
    assert next(parse_config(second.xml).iter("url")).text == strange.url
    assert "refs/heads/release/2" in second.xml
    assert parse_config(second.xml).findtext("canRoam") == "true"
    core = next(each for each in render(settings, OPTIONAL_PLUGINS) if each.name == "ml-pull-odd-name-s")
    command = next(parse_config(core.xml).iter("command")).text or ""
    assert "GIT_URL='/srv/git/{odd} $name'\"'\"'s\"'" in command
    with pytest.raises(SettingsError, match="not watched"):
        pull_job_name(settings, "https://github.com/ada/other.git")
    twice = ServerSettings(repository=(_DIGITS, strange, strange.model_copy(update={"url": "/srv/x/{odd} $name's\""})))
    with pytest.raises(SettingsError, match="same name"):
        render(twice)


def test_unusable_settings_are_refused() -> None:
    """Settings are refused if no repository is watched or if a required plugin is to be left out."""
    with pytest.raises(SettingsError, match="epochal watch"):
        render(ServerSettings())
    with pytest.raises(SettingsError, match="--without does not accept github"):
        render(_SETTINGS, ("github",))


def test_variables_that_may_hold_a_secret_are_refused() -> None:
    """Anyone could read a secret in the job's configuration. Other variables are quoted for the shell."""
    variables = {"EPOCHAL_HOME": "/srv/it's $HOME", "EPOCHAL_DATABASE_FILE": "/run/secrets/database"}
    settings = _SETTINGS.model_copy(update={"jenkins": JenkinsSettings(variables=variables)})
    train = next(each for each in render(settings) if each.name == "train")
    lines = (next(parse_config(train.xml).iter("command")).text or "").splitlines()
    assert lines == [
        "export EPOCHAL_DATABASE_FILE=/run/secrets/database",
        "export EPOCHAL_HOME='/srv/it'\"'\"'s $HOME'",
        '"$EPOCHAL_SCRIPTS/train.sh"',
    ]
    for name in ("EPOCHAL_MAIL_PASSWORD", "EPOCHAL_DATABASE", "not a name"):
        with pytest.raises(ValueError, match="variables"):
            JenkinsSettings(variables={name: "x"})


def test_jobs_scripts_and_plugins_match() -> None:
    """The scripts exist and read the jobs' parameters, the embedded chain passes the same ones, and all plugins are pinned."""
    definitions = render(_SETTINGS)
    parameters = {
        each.name: {
            parameter.text
            for parameter in parse_config(each.xml).iterfind(".//hudson.model.StringParameterDefinition/name")
        }
        for each in definitions
        if each.kind == "job"
    }
    assert parameters == {
        "pull": {"commit", "EPOCHAL_BRANCH", "EPOCHAL_RUN"},
        "train": {"EPOCHAL_RUN"},
        "retrain": {"EPOCHAL_RUN"},
    }
    embedded = Path(JobScripts.__init__.__code__.co_filename).read_text(encoding="utf-8")
    for each in definitions:
        for script in re.findall(r"\$EPOCHAL_SCRIPTS/([\w.]+)", each.xml):
            path = resource("scripts") / script
            assert os.access(path, os.X_OK), script
            names = {name for name in parameters[each.name] if name and name.startswith("EPOCHAL_")}
            assert all(name in path.read_text(encoding="utf-8") for name in names), script
            assert all(f'"{name}"' in embedded for name in names)
    used = set().union(*(each.plugins for each in definitions))
    assert used == set(PLUGIN_PREFIXES)
    assert used <= set(pinned_plugins())
