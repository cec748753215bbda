"""Job retrain: more trials, until the threshold is reached or the budget is used up."""

from epochal.jobs.ending import end_run
from epochal.jobs.job import Job
from epochal.jobs.taking_over import keep_offer
from epochal.jobs.training import plan_of, prepare, verdict_of
from epochal.jobs.trial import run_trial
from epochal.records import Run, State, Verdict
from epochal.strategies.more_epochs import GiveUp, next_trial


def retrain(job: Job, run: Run) -> State:
    """Raise the epochs and go on training: REACHED or EXHAUSTED, both with a mail. Raises RunFailed."""
    prepared = prepare(job, run, plan_of(job, run), State.RETRAINING)
    script = (job.home.run(run.id).code / "nn.py").read_bytes()
    while True:
        proposal = next_trial(script, job.store.run(run.id).trials, prepared.settings.retrain, prepared.threshold)
        if isinstance(proposal, GiveUp):
            end_run(job, run.id, State.EXHAUSTED, proposal.reason, proposal.explanation)
            return State.EXHAUSTED
        run_trial(job, run, prepared.runtime, prepared.image, proposal)
        if verdict_of(job, run, prepared.threshold) is Verdict.REACHED:
            keep_offer(job, run, prepared)
            end_run(job, run.id, State.REACHED)
            return State.REACHED
