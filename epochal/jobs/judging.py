"""The gate's part in a job: which trial was measured last, what is said of it, and what the next one has to be."""

from epochal.gate import Hopeless, decide, verdict_in_words, wanted_accuracy
from epochal.jobs.job import Job, tell
from epochal.jobs.training import Plan
from epochal.moments import Step
from epochal.records import Run, Trial, TrialState, Verdict
from epochal.strategies.answer import GiveUp


def last_measured(run: Run) -> Trial | None:
    """The newest of the run's trials that has an accuracy; None if there is none."""
    measured = [trial for trial in run.trials if trial.state is TrialState.MEASURED]
    return measured[-1] if measured else None


def verdict_of(job: Job, run: Run, plan: Plan, trial: Trial) -> Verdict:
    """The gate's word on a measured trial: said, stored and told once; later the same is returned. Raises RunFailed."""
    if trial.judgement:
        return trial.judgement.verdict
    assert trial.accuracy is not None
    accuracy, samples = trial.accuracy, trial.samples
    judgement = job.store.judge(run, trial, lambda earlier: decide(accuracy, samples, plan.rule, earlier))
    job.store.mark(run.id, Step.VERDICT, trial.number)
    tell(f"verdict: {verdict_in_words(accuracy, plan.threshold, judgement)}")
    return judgement.verdict


def wanted_of_next(job: Job, run: Run, plan: Plan) -> float | GiveUp:
    """The accuracy (0 to 1) that the gate lets through at the run's next trial; why none would be."""
    now = job.store.run(run.id)
    last = last_measured(now)
    if last is None:
        return plan.threshold
    wanted = wanted_accuracy(last.samples, plan.rule, job.store.looks(now, last))
    return GiveUp(wanted.reason, wanted.explanation) if isinstance(wanted, Hopeless) else wanted
