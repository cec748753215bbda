"""Parse Jenkins' JSON into builds and queue items, each with the run that it belongs to."""

from dataclasses import dataclass
from typing import Any

RUN_PARAMETER = "EPOCHAL_RUN"


@dataclass(frozen=True)
class Build:
    """A build of a pull, train or retrain job.

    run: the run's number, or None if the build has no ``EPOCHAL_RUN`` parameter.
    result: Jenkins' word for the outcome, for example ``SUCCESS``; None while the build is running.
    item: the number of the queue item that became this build, or -1 if Jenkins does not report it.
    timestamp: Jenkins' timestamp for the build, as Unix time in milliseconds.
    aborted_by_person: whether a user or Epochal stopped the build; Jenkins does not distinguish the two.
    interrupted: whether a user, Epochal or Jenkins stopped the build; Jenkins does so at the build's time limit, for
    example. Like ``aborted_by_person``, it is False for a build that ended because Jenkins shut down.
    """

    job: str
    number: int
    url: str
    run: int | None
    building: bool
    result: str | None
    item: int
    timestamp: int
    name: str
    description: str
    aborted_by_person: bool
    interrupted: bool


@dataclass(frozen=True)
class Item:
    """An item waiting in Jenkins' queue. ``run`` is None if the item has no ``EPOCHAL_RUN`` parameter."""

    number: int
    job: str
    run: int | None


@dataclass(frozen=True)
class JenkinsSnapshot:
    """A snapshot of Jenkins: the recent builds and the waiting queue items of Epochal's jobs.

    ``upstream_jobs``: the names of the jobs that start the next job themselves, because they have a downstream project.
    """

    builds: tuple[Build, ...]
    items: tuple[Item, ...]
    upstream_jobs: frozenset[str]

    def builds_of(self, run: int) -> list[Build]:
        """Return the builds of ``run``, oldest first."""
        return sorted((build for build in self.builds if build.run == run), key=lambda build: build.timestamp)

    def item_of(self, run: int) -> Item | None:
        """Return the waiting queue item of ``run``, or None if the run has no such item."""
        return next((item for item in self.items if item.run == run), None)


def read_builds(job: str, answer: dict[str, Any]) -> list[Build]:
    """Return the builds in ``answer``, the JSON that Jenkins returned for ``job``."""
    builds = []
    for build in answer.get("builds") or []:
        actions = [action for action in build.get("actions") or [] if action]
        interrupted = [action for action in actions if action.get("_class") == "jenkins.model.InterruptedBuildAction"]
        causes = [cause.get("_class", "") for action in interrupted for cause in action.get("causes") or []]
        found = Build(
            job=job,
            number=int(build["number"]),
            url=str(build["url"]),
            run=_run_number(actions),
            building=bool(build["building"]),
            result=build.get("result"),
            item=int(build.get("queueId") or -1),
            timestamp=int(build.get("timestamp") or 0),
            name=str(build.get("displayName") or ""),
            description=str(build.get("description") or ""),
            aborted_by_person=any(cause.endswith("UserInterruption") for cause in causes),
            interrupted=bool(interrupted),
        )
        builds.append(found)
    return builds


def read_items(answer: list[dict[str, Any]], jobs: list[str]) -> list[Item]:
    """Return the queue items for ``jobs`` from the queue's JSON."""
    queue_entries = [(item, (item.get("task") or {}).get("name", "")) for item in answer]
    return [
        Item(int(item["id"]), name, _run_number(item.get("actions"))) for item, name in queue_entries if name in jobs
    ]


def _run_number(actions: list[dict[str, Any]] | None) -> int | None:
    parameters = [parameter for action in actions or [] if action for parameter in action.get("parameters") or []]
    values = [str(parameter.get("value") or "") for parameter in parameters if parameter.get("name") == RUN_PARAMETER]
    return int(values[0]) if values and values[0].isdecimal() else None
