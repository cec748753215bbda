"""The gate's part in a job: which trial was measured last, the verdict on it, and what the next one has to reach."""

from dataclasses import replace

from epochal.app import App
from epochal.jobs.log import log
from epochal.jobs.plan import Plan
from epochal.jobs.strategy import GiveUp
from epochal.records import Run, Step, Trial, TrialState, Verdict
from epochal.results.gate import Hopeless, decide, evidence_in_words, verdict_in_words, wanted_accuracy


def last_measured(run: Run) -> Trial | None:
    """The newest of the run's trials that has an accuracy; None if there is none."""
    measured = [trial for trial in run.trials if trial.state is TrialState.MEASURED]
    return measured[-1] if measured else None


def verdict_of(app: App, run: Run, plan: Plan, trial: Trial) -> Verdict:
    """Judge a measured trial: decided, stored and printed once; later the same is returned. Raises RunFailed."""
    if trial.judgement:
        return trial.judgement.verdict
    accuracy, samples, evidence = trial.accuracy, trial.samples, trial.evidence
    assert accuracy is not None
    judgement = app.store.judge(run, trial, lambda look: decide(accuracy, samples, plan.rule, look, evidence))
    app.store.mark(run.id, Step.VERDICT, trial.number)
    judged = replace(trial, judgement=judgement)
    log(f"verdict: {verdict_in_words(judged, plan.threshold)}")
    for sentence in evidence_in_words(judged, plan.threshold):
        log(f"  {sentence}")
    return judgement.verdict


def wanted_of_next(app: App, run: Run, plan: Plan) -> float | GiveUp:
    """Return the accuracy (0 to 1) that the gate lets through at the run's next trial, or why none would be."""
    now = app.store.run(run.id)
    last = last_measured(now)
    if last is None:
        return plan.threshold
    before = app.store.looks_before(now, last)
    # The next training compares as many networks with the test set as the last one did.
    look = None if before is None else before + 2 * last.looks
    wanted = wanted_accuracy(last.samples, plan.rule, look, last.evidence)
    return GiveUp(wanted.reason, wanted.explanation) if isinstance(wanted, Hopeless) else wanted
