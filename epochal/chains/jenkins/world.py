"""What is to be seen in Jenkins: builds and queue items, and which run each is of. JSON in, values out."""

from dataclasses import dataclass
from typing import Any

RUN_PARAMETER = "EPOCHAL_RUN"


@dataclass(frozen=True)
class Build:
    """A build of one of the three jobs. ``run`` is None where it was not told by parameter.

    ``aborted_by_person``: somebody pressed stop (or our own request did). ``interrupted``: that, or something else in
    Jenkins, its time limit say, did; Jenkins' own shutdown leaves no trace of either.
    """

    job: str
    number: int
    url: str
    run: int | None
    building: bool
    result: str | None
    item: int
    started: int
    name: str
    description: str
    aborted_by_person: bool
    interrupted: bool


@dataclass(frozen=True)
class Item:
    """Something that waits in Jenkins' queue."""

    number: int
    job: str
    run: int | None


@dataclass(frozen=True)
class World:
    """All builds and items of the three jobs that matter now; ``chained``: the jobs that start the next one themselves."""

    builds: tuple[Build, ...]
    items: tuple[Item, ...]
    chained: frozenset[str]

    def builds_of(self, run: int) -> list[Build]:
        """Return the run's builds, oldest first."""
        return sorted((build for build in self.builds if build.run == run), key=lambda build: build.started)

    def item_of(self, run: int) -> Item | None:
        """Return the run's queue item, if one waits."""
        return next((item for item in self.items if item.run == run), None)


def read_builds(job: str, answer: dict[str, Any]) -> list[Build]:
    """Return the builds in a job's JSON."""
    builds = []
    for build in answer.get("builds") or []:
        actions = [action for action in build.get("actions") or [] if action]
        interrupted = [action for action in actions if action.get("_class") == "jenkins.model.InterruptedBuildAction"]
        causes = [cause.get("_class", "") for action in interrupted for cause in action.get("causes") or []]
        found = Build(
            job=job,
            number=int(build["number"]),
            url=str(build["url"]),
            run=_run(actions),
            building=bool(build["building"]),
            result=build.get("result"),
            item=int(build.get("queueId") or -1),
            started=int(build.get("timestamp") or 0),
            name=str(build.get("displayName") or ""),
            description=str(build.get("description") or ""),
            aborted_by_person=any(cause.endswith("UserInterruption") for cause in causes),
            interrupted=bool(interrupted),
        )
        builds.append(found)
    return builds


def read_items(answer: list[dict[str, Any]], jobs: list[str]) -> list[Item]:
    """Return the items of ``jobs`` in the queue's JSON."""
    named = [(item, (item.get("task") or {}).get("name", "")) for item in answer]
    return [Item(int(item["id"]), name, _run(item.get("actions"))) for item, name in named if name in jobs]


def _run(actions: list[dict[str, Any]] | None) -> int | None:
    parameters = [parameter for action in actions or [] if action for parameter in action.get("parameters") or []]
    values = [str(parameter.get("value") or "") for parameter in parameters if parameter.get("name") == RUN_PARAMETER]
    return int(values[0]) if values and values[0].isdecimal() else None
