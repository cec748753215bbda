"""Render the Jenkins jobs and their view as XML with Jenkins Job Builder, from ``jobs/*.yaml`` and the settings."""

import json
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from epochal.chains.jenkins.config_xml import class_names, parse_config
from epochal.commit import repository_name, safe_url
from epochal.errors import EpochalError, SettingsError
from epochal.folders import resource
from epochal.settings import JenkinsSettings, ServerSettings, child_environment

PLUGIN_PREFIXES = {
    "git": "hudson.plugins.git.",
    "parameterized-trigger": "hudson.plugins.parameterizedtrigger.",
    "timestamper": "hudson.plugins.timestamper.",
    "build-timeout": "hudson.plugins.build__timeout.",
    "github": "com.cloudbees.jenkins.",
}
"""The plugins that the jobs may use, each with the prefix of its class names in a job's XML."""

OPTIONAL_PLUGINS = ("git", "parameterized-trigger", "timestamper", "build-timeout")
"""The plugins that can be left out.

Without git, the pull job fetches the commit itself; without parameterized-trigger, the gateway starts the next job.
"""


@dataclass(frozen=True)
class Definition:
    """A job or a view in Jenkins. ``xml`` is its configuration as Jenkins Job Builder rendered it."""

    kind: Literal["job", "view"]
    name: str
    xml: str

    @property
    def plugins(self) -> set[str]:
        """The plugins (keys of ``PLUGIN_PREFIXES``) that the definition uses."""
        names = class_names(parse_config(self.xml))
        return {plugin for plugin, prefix in PLUGIN_PREFIXES.items() if any(name.startswith(prefix) for name in names)}


def pull_job_name(settings: ServerSettings, repository: str) -> str:
    """Return the name of the Jenkins job that pulls the watched repository with the URL ``repository``.

    The name is the configured prefix followed by ``pull`` for the first watched repository, or by a name such as
    ``pull-ada-digits`` for any other. Raises SettingsError if the repository is not watched.
    """
    for number, watched in enumerate(settings.repository):
        if watched.url == repository:
            name = re.sub(r"[^A-Za-z0-9._]+", "-", repository_name(repository)).strip("-")
            return settings.jenkins.prefix + ("pull" if number == 0 else f"pull-{name}")
    raise SettingsError(f"{safe_url(repository)} is not watched. Run epochal watch, then epochal jenkins apply.")


def job_names(settings: ServerSettings) -> list[str]:
    """Return the names of all jobs: one pull job per watched repository, then the train and retrain jobs."""
    prefix = settings.jenkins.prefix
    pulls = [pull_job_name(settings, watched.url) for watched in settings.repository]
    return [*pulls, f"{prefix}train", f"{prefix}retrain"]


def render(settings: ServerSettings, without: Collection[str] = ()) -> list[Definition]:
    """Return the definitions of all jobs, followed by the definition of the view.

    ``without`` names plugins from OPTIONAL_PLUGINS that the jobs should not use. Raises SettingsError if no repository
    is watched, if two jobs would have the same name, or if ``without`` names any other plugin. Raises EpochalError if
    Job Builder fails.
    """
    if not settings.repository:
        raise SettingsError("No repository is watched, so there are no jobs to create. Run epochal watch URL first.")
    if len(set(job_names(settings))) != len(job_names(settings)):
        raise SettingsError(
            "The jobs for two watched repositories would have the same name. Watch only one of the two repositories."
        )
    unknown = sorted(set(without) - set(OPTIONAL_PLUGINS))
    if unknown:
        raise SettingsError(
            f"--without does not accept {', '.join(unknown)}. The optional plugins are: {', '.join(OPTIONAL_PLUGINS)}."
        )
    view = f"{settings.jenkins.prefix}Epochal"
    # JSON is valid YAML, and it quotes any character that a URL may contain.
    xmls = _run_job_builder(json.dumps(_escape_braces(_project(settings, without))))
    return [Definition("view" if name == view else "job", name, xmls[name]) for name in [*job_names(settings), view]]


@lru_cache(maxsize=8)
def _run_job_builder(project: str) -> dict[str, str]:
    """Return the XML that Job Builder renders for each job and view, keyed by name.

    Job Builder reads jobs/*.yaml and ``project``, which is also YAML. Raises EpochalError if Job Builder fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder) / "project.yaml", Path(folder) / "made"
        source.write_text(project, encoding="utf-8")
        # Run Job Builder as a command, because its modules are not a public interface. `test` does not contact Jenkins.
        builder = [sys.executable, "-m", "jenkins_jobs", "--log_level", "error", "test"]
        command = [*builder, f"{resource('jobs')}:{source}", "-o", str(output)]
        result = subprocess.run(command, capture_output=True, text=True, env=child_environment({}), check=False)
        if result.returncode != 0:
            raise EpochalError(f"Jenkins Job Builder could not render the jobs:\n{result.stderr.strip()[-2000:]}")
        return {path.name: path.read_text(encoding="utf-8") for path in output.iterdir()}


def _escape_braces(value: Any) -> Any:
    """Double the braces in all strings in ``value``, because Job Builder expands single braces as templates."""
    if isinstance(value, dict):
        return {key: _escape_braces(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escape_braces(item) for item in value]
    return value.replace("{", "{{").replace("}", "}}") if isinstance(value, str) else value


def _project(settings: ServerSettings, without: Collection[str]) -> list[dict[str, Any]]:
    jenkins = settings.jenkins
    pulls = []
    for watched in settings.repository:
        pull = {
            "pull": pull_job_name(settings, watched.url).removeprefix(jenkins.prefix),
            "url": watched.url,
            "quoted_url": shlex.quote(watched.url),
            "credentials": watched.jenkins_credentials,
            "branch": watched.branches[0],
        }
        pulls.append({"pull": pull})
    values: dict[str, Any] = {
        "name": "epochal",
        "prefix": jenkins.prefix,
        "label": jenkins.label,
        "timeout_minutes": jenkins.timeout_minutes,
        "keep_builds": jenkins.keep_builds,
        "github_push": jenkins.github_push,
        "exports": export_lines(jenkins),
        "jobs": [*pulls, "train", "retrain"],
        "views": [{"view": {"jobs": job_names(settings)}}],
    }
    return [{"project": values | {plugin.replace("-", "_"): plugin not in without for plugin in OPTIONAL_PLUGINS}}]


def export_lines(jenkins: JenkinsSettings) -> list[str]:
    """Return lines of shell code that export the variables set in the [jenkins.variables] table of server.toml."""
    return [f"export {name}={shlex.quote(value)}" for name, value in sorted(jenkins.variables.items())]
