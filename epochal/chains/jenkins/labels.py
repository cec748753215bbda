"""What a build is called in Jenkins' pages: the run's outcome as its name, whose run it is as its description."""

from dataclasses import replace

from epochal.chains.jenkins.world import Build, World
from epochal.jobs.job import summary
from epochal.payload import repository_name
from epochal.records import Run


def label_of(build: Build, job: str, run: Run, world: World) -> tuple[str, str]:
    """Display name and description of a ``job``'s build of ``run``; plain text, whatever the markup formatter is."""
    commit = run.commit
    whose = f"{repository_name(commit.repository)} {commit.branch} {commit.sha[:7]}"
    lines = [f"run {run.id} · {whose}", f"{run.state}: {run.explanation}" if run.explanation else run.state.value]
    name = whose
    if job == "train":
        first = [trial for trial in run.trials if trial.accuracy is not None][:1]
        name = summary(replace(run, trials=tuple(first)) if first else run)
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
