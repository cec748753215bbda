"""Name each Jenkins build after its commit or its run's outcome, and summarise the run in the build's description."""

from collections.abc import Callable
from dataclasses import replace

from epochal.chains.jenkins.client import JenkinsClient, JenkinsError
from epochal.chains.jenkins.decision import is_under_way
from epochal.chains.jenkins.snapshot import Build, JenkinsSnapshot
from epochal.commit import display_name
from epochal.pages.view import summary
from epochal.records import Run

_PLAIN = str.maketrans("<>&", "‹›+")


class BuildNames:
    """The names and descriptions of builds, kept up to date until their runs have ended.

    The names of Epochal's jobs begin with ``prefix``. ``log_once`` takes a subject and a message, and logs the message
    unless it was the last one logged about that subject.
    """

    def __init__(self, client: JenkinsClient, prefix: str, log_once: Callable[[str, str], None]) -> None:
        self._client = client
        self._prefix = prefix
        self._log_once = log_once
        self._done: set[tuple[str, int]] = set()

    def update(self, snapshot: JenkinsSnapshot, find_run: Callable[[int], Run | None]) -> None:
        """Update the name and description of every finished build in ``snapshot``.

        ``find_run`` takes a run's number and returns the run, or None if there is no such run. Raises JenkinsError if
        Jenkins does not answer.
        """
        for build in snapshot.builds:
            key = build.job, build.number
            run = None if build.building or build.run is None or key in self._done else find_run(build.run)
            if run is None:
                continue
            job = build.job.removeprefix(self._prefix)
            name, description = name_build(build, job if job in ("train", "retrain") else "pull", run, snapshot)
            if (build.name, build.description) != (name, description):
                try:
                    self._client.label_build(build.job, build.number, name, description)
                except JenkinsError as error:
                    if error.status is None:
                        raise
                    # Jenkins forbids it or the build is gone: log that once and leave the build alone.
                    self._log_once(
                        f"label {build.job} {build.number}", f"the build {build.url} could not be renamed: {error}"
                    )
                    self._done.add(key)
            if run.state.ended and not is_under_way(run.id, snapshot):
                self._done.add(key)


def name_build(build: Build, job: str, run: Run, snapshot: JenkinsSnapshot) -> tuple[str, str]:
    """Return the display name and the description for a build of ``run``.

    ``job`` is "pull", "train" or "retrain". Neither text contains ``<``, ``>`` or ``&``, so neither is taken for
    markup, whichever markup formatter Jenkins uses.
    """
    commit = run.commit
    name = f"{display_name(commit)} {commit.branch} {commit.sha[:7]}"
    lines = [f"run {run.id} · {name}", f"{run.state}: {run.explanation}" if run.explanation else run.state.value]
    if job != "pull":
        first = [trial for trial in run.trials if trial.accuracy is not None][:1]
        shows_first_trial = job == "train" and first and not run.reused_run
        name = summary(replace(run, trials=tuple(first)) if shows_first_trial else run)
        # Link only the newest build of the other training job, not every attempt.
        other = "retrain" if job == "train" else "train"
        job_of_other = build.job.removesuffix(job) + other
        builds = [each for each in snapshot.builds_of(run.id) if each.job == job_of_other]
        lines += [f"{other}: {each.url}" for each in builds[-1:]]
    return name.translate(_PLAIN), "\n".join(lines).translate(_PLAIN)
