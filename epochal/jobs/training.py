"""What train and retrain do before their first trial: settings, framework, runtime, environment, and its proof."""

import threading
import time
from dataclasses import dataclass

from epochal.errors import Reason, RunFailed, SettingsError
from epochal.frameworks import SCRIPT, Detection, detect_folder, read_source
from epochal.gate import Rule, decide, verdict_in_words
from epochal.jobs.job import Job, tell
from epochal.keras_idioms import find_keras2_idioms
from epochal.moments import Step
from epochal.records import Run, State, Trial, TrialState, Verdict
from epochal.runtimes import Runtime
from epochal.runtimes.choice import choose_runtime
from epochal.settings import RepositorySettings, RuntimeName, read_repository_settings

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0


@dataclass(frozen=True)
class Prepared:
    """All that a trial needs: the repository's settings, where to train, and in what."""

    settings: RepositorySettings
    threshold: float
    runtime: Runtime
    image: str

    @property
    def rule(self) -> Rule:
        """What the gate asks for."""
        return Rule(self.threshold, self.settings.confidence, self.settings.looks)


def prepare(job: Job, run: Run, state: State) -> Prepared:
    """Make ready for the trials of ``run`` and put it into ``state``. Raises RunFailed."""
    code = job.home.run(run.id).code
    settings = _repository_settings(job, run)
    detection = detect_folder(code, settings.framework)
    tell(f"framework: {detection.framework} ({detection.why})")
    notes = _tell_idioms(job, run, detection)
    runtime = _runtime(job)
    image = _image(job, run, runtime, detection)
    runtime.prove(image, detection.modules)
    job.store.mark(run.id, Step.ENVIRONMENT_READY)
    threshold = run.threshold or job.environment.threshold or settings.threshold
    job.store.change(
        run.id,
        state=state.value,
        framework=detection.framework,
        framework_why=detection.why,
        runtime=runtime.name,
        image=image,
        threshold=threshold,
        notes=list(notes),
        build_url=job.build_url or run.build_url,
    )
    return Prepared(settings, threshold, runtime, image)


def last_measured(run: Run) -> Trial | None:
    """The newest of the run's trials that has an accuracy; None if there is none."""
    measured = [trial for trial in run.trials if trial.state is TrialState.MEASURED]
    return measured[-1] if measured else None


def verdict_of(job: Job, run: Run, prepared: Prepared, trial: Trial) -> Verdict:
    """The gate's word on a measured trial: said, stored and told once; later the same is returned. Raises RunFailed."""
    if trial.judgement:
        return trial.judgement.verdict
    assert trial.accuracy is not None
    accuracy, samples = trial.accuracy, trial.samples
    judgement = job.store.judge(run, trial, lambda earlier: decide(accuracy, samples, prepared.rule, earlier))
    job.store.mark(run.id, Step.VERDICT, trial.number)
    tell(f"verdict: {verdict_in_words(accuracy, prepared.threshold, judgement)}")
    return judgement.verdict


def _repository_settings(job: Job, run: Run) -> RepositorySettings:
    try:
        return read_repository_settings(job.home.run(run.id).code)
    except SettingsError as error:
        told = str(error).replace(f"{job.home.run(run.id).code}/", "")
        raise RunFailed(Reason.BAD_SETTINGS, told) from None


def _tell_idioms(job: Job, run: Run, detection: Detection) -> tuple[str, ...]:
    if detection.framework != "keras":
        return run.notes
    script = read_source(job.home.run(run.id).code, SCRIPT) or ""
    found = [
        f"nn.py line {idiom.line}: {idiom.what} is gone from today's Keras; write {idiom.instead}"
        for idiom in find_keras2_idioms(script)
    ]
    for note in found:
        tell(f"note: {note}")
    return run.notes + tuple(note for note in found if note not in run.notes)


def reap_left_overs(job: Job) -> None:
    """Stop the trainings of this home whose job died. Where no engine answers there is nothing that could be stopped."""
    try:
        reaped = _runtime(job).reap(lambda run: job.store.owner(run) is not None)
    except RunFailed as failure:
        tell(f"left-over trainings could not be looked for: {failure.explanation}")
        return
    for run in reaped:
        tell(f"stopped a training that run {run} had left behind")


def _runtime(job: Job) -> Runtime:
    environment = job.environment
    # A file's "auto" is meant for what a person runs; pushed code must not lose its sandbox to an engine's restart.
    served: RuntimeName = (
        "docker" if job.settings.runtime == "auto" and not environment.runtime else job.settings.runtime
    )
    return choose_runtime(served, environment.home, job.settings, environment.docker_host, tell)


def _image(job: Job, run: Run, runtime: Runtime, detection: Detection) -> str:
    """The image to train in, after what an earlier job left behind was taken away.

    Where no Docker engine answers the run waits for it, and says so once.
    """
    code = job.home.run(run.id).code
    deadline = time.monotonic() + job.settings.limits.engine_minutes * 60
    pause, told = _FIRST_PAUSE_SECONDS, False
    while True:
        try:
            runtime.reap(lambda other: other != run.id and job.store.owner(other) is not None)
            return runtime.prepare(detection.framework, code, tell)
        except RunFailed as failure:
            if failure.reason is not Reason.NO_ENGINE or time.monotonic() + pause > deadline:
                raise
            if not told:
                tell(f"waiting: {failure.explanation} The run goes on when it answers.")
                told = True
        threading.Event().wait(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
