"""What a build is called in Jenkins' pages: the run's outcome as its name, whose run it is as its description."""

from collections.abc import Callable
from dataclasses import replace

from epochal.chains.jenkins.client import JenkinsClient, JenkinsError
from epochal.chains.jenkins.decision import is_under_way
from epochal.chains.jenkins.world import Build, World
from epochal.commit import repository_name
from epochal.pages.view import summary
from epochal.records import Run


class Labels:
    """Names the builds of a world, each until its run has ended and it is called what it is to be called."""

    def __init__(self, client: JenkinsClient, prefix: str, tell: Callable[[str, str], None]) -> None:
        self._client = client
        self._prefix = prefix
        self._tell = tell
        self._done: set[tuple[str, int]] = set()

    def label(self, world: World, found: Callable[[int], Run | None]) -> None:
        """Label what is over; ``found`` gives a run by its number. Raises JenkinsError where Jenkins does not answer."""
        for build in world.builds:
            key = build.job, build.number
            if build.building or build.run is None or key in self._done:
                continue
            run = found(build.run)
            if run and self._is_labelled(build, run, world) and run.state.ended and not is_under_way(run.id, world):
                self._done.add(key)

    def _is_labelled(self, build: Build, run: Run, world: World) -> bool:
        """Label a build if it is called something else; that it may not be, or is gone, is told and left at that."""
        job = build.job.removeprefix(self._prefix)
        name, description = label_of(build, job if job in ("train", "retrain") else "pull", run, world)
        if (build.name, build.description) == (name, description):
            return True
        try:
            self._client.label_build(build.job, build.number, name, description)
        except JenkinsError as error:
            if error.status is None:
                raise
            self._tell(f"label {build.job} {build.number}", f"{build.url} is not named after its run: {error}")
            self._done.add((build.job, build.number))
            return False
        return True


def label_of(build: Build, job: str, run: Run, world: World) -> tuple[str, str]:
    """Display name and description of a ``job``'s build of ``run``; plain text, whatever the markup formatter is."""
    commit = run.commit
    whose = f"{repository_name(commit.repository)} {commit.branch} {commit.sha[:7]}"
    lines = [f"run {run.id} · {whose}", f"{run.state}: {run.explanation}" if run.explanation else run.state.value]
    name = whose
    if job == "train":
        first = [trial for trial in run.trials if trial.accuracy is not None][:1]
        name = summary(replace(run, trials=tuple(first)) if first and not run.reused_run else run)
        lines += [f"retrain: {other.url}" for other in _others(build, run, world)]
    elif job == "retrain":
        name = summary(run)
        lines += [f"train: {other.url}" for other in _others(build, run, world)]
    return _plain(name), _plain("\n".join(lines))


def _others(build: Build, run: Run, world: World) -> list[Build]:
    """The newest build of the run's other training job: there is one link to follow, not a list of tries."""
    prefix = build.job.removesuffix("retrain").removesuffix("train")
    other = f"{prefix}train" if build.job.endswith("retrain") else f"{prefix}retrain"
    return [each for each in world.builds_of(run.id) if each.job == other][-1:]


def _plain(text: str) -> str:
    return text.replace("<", "‹").replace(">", "›").replace("&", "+")
