"""Job retrain: more trials, until the threshold is reached or the budget is used up."""

from epochal.gate import Hopeless, wanted_accuracy
from epochal.jobs.ending import end_run
from epochal.jobs.job import Job
from epochal.jobs.training import Prepared, last_measured, prepare, verdict_of
from epochal.jobs.trial import run_trial
from epochal.records import Run, State, Verdict
from epochal.strategies.more_epochs import GiveUp, Raise, next_trial


def retrain(job: Job, run: Run) -> State:
    """Raise the epochs and go on training: REACHED or EXHAUSTED, both with a mail. Raises RunFailed."""
    prepared = prepare(job, run, State.RETRAINING)
    script = (job.home.run(run.id).code / "nn.py").read_bytes()
    trial = last_measured(run)
    while trial is None or verdict_of(job, run, prepared, trial) is not Verdict.REACHED:
        proposal = _proposal(job, run, prepared, script)
        if isinstance(proposal, GiveUp):
            end_run(job, run.id, State.EXHAUSTED, proposal.reason, proposal.explanation)
            return State.EXHAUSTED
        trial = run_trial(job, run, prepared.runtime, prepared.image, proposal)
    end_run(job, run.id, State.REACHED)
    return State.REACHED


def _proposal(job: Job, run: Run, prepared: Prepared, script: bytes) -> Raise | GiveUp:
    now = job.store.run(run.id)
    last = last_measured(now)
    wanted = wanted_accuracy(last.samples, prepared.rule, job.store.looks(now, last)) if last else prepared.threshold
    if isinstance(wanted, Hopeless):
        return GiveUp(wanted.reason, wanted.explanation)
    return next_trial(script, now.trials, prepared.settings.retrain, wanted)
