"""The trials of a search, several at a time in one process: what is asked for is trained, compared, and told.

Other processes may do the same for the same run. What they share is the study, the run's trials and its budget, both in
databases; so every question is asked there anew.
"""

import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from epochal.errors import Reason, RunFailed
from epochal.gate import in_words as accuracy_in_words
from epochal.gate import judge
from epochal.hyperparameters import Constant, change_all, find_epochs
from epochal.jobs.comparing import Comparing
from epochal.jobs.job import Job, tell
from epochal.jobs.parallel import trials_at_once
from epochal.jobs.training import Prepared, verdict_of
from epochal.jobs.trial import hyperparameters, in_words, run_trial
from epochal.records import Run, Strategy, Trial, TrialState, Value, Verdict
from epochal.runtimes.stop import Stop
from epochal.strategies.budget import used_up
from epochal.strategies.proposal import GiveUp, Proposal
from epochal.strategies.search import Candidate, Search
from epochal.strategies.stopping_point import stopping_point

_FAULTS_OF_A_COMBINATION = frozenset(
    {
        Reason.SCRIPT_ERROR,
        Reason.OUT_OF_MEMORY,
        Reason.KILLED,
        Reason.TIMED_OUT,
        Reason.NO_ACCURACY,
        Reason.ACCURACY_NOT_FINITE,
        Reason.ACCURACY_OUT_OF_RANGE,
    }
)
"""What may be so with these hyperparameters only: the search goes on with others."""


@dataclass(frozen=True)
class _Taken:
    """A combination that is to be tried now, and the number of its trial."""

    candidate: Candidate
    number: int


class Workers:
    """Trains a run's search, with as many trials at a time as the server's limits allow."""

    def __init__(self, job: Job, run: Run, prepared: Prepared, study: Search, epochs: int | None) -> None:
        """``epochs``: how many nn.py's own number of epochs becomes; None: it has none, or stays."""
        self._job = job
        self._run = run
        self._prepared = prepared
        self._study = study
        self._script = (job.home.run(run.id).code / "nn.py").read_bytes()
        constant = find_epochs(self._script)
        self._epochs: dict[Constant, Value] = {constant: epochs} if constant and epochs else {}
        self._asking = threading.Lock()
        self._stops: list[Stop] = []
        self._end_reason: Reason | None = None

    def work(self) -> GiveUp | None:
        """Train until a trial reaches the threshold, here or elsewhere (None), or nothing may be tried any more.

        Raises RunFailed for what other hyperparameters would not mend. Left by any exception, it leaves nothing training.
        """
        count = trials_at_once(self._job.settings)
        with ThreadPoolExecutor(count, thread_name_prefix="search") as executor:
            working = [executor.submit(self._work) for _ in range(count)]
            try:
                wait(working)
            except BaseException:
                self._end(Reason.INTERRUPTED)
                wait(working)
                raise
        ends = [each.result() for each in working]
        return None if self.is_over() else next((end for end in ends if end), None)

    def is_over(self) -> bool:
        """Whether the search has ended, here or elsewhere: a trial reached the threshold, or the run is to end."""
        run = self._job.store.run(self._run.id)
        return run.state.ended or bool(self._job.store.stop_requested(run.id)) or self._reached(run)

    def _work(self) -> GiveUp | None:
        try:
            while isinstance(taken := self._take(), _Taken):
                self._train(taken.candidate, taken.number)
            return taken
        except BaseException:
            self._end(Reason.INTERRUPTED)
            raise

    def _take(self) -> _Taken | GiveUp | None:
        """The next combination; why there is none, or None: the search is over."""
        with self._asking:
            self._bury()
            if self._end_reason or self.is_over():
                return None
            settings = self._prepared.settings.retrain
            if end := used_up(self._job.store.run(self._run.id).trials, settings):
                return end
            candidate = self._study.ask()
            if candidate is None:
                return GiveUp(Reason.SPACE_USED_UP, "Every combination of [search] was tried.")
            values = hyperparameters(change_all(self._script, candidate.changes | self._epochs))
            number = self._job.store.start_searching_trial(self._run.id, values, settings.max_trials)
            if number is None:  # another process was faster
                self._study.given_back(candidate)
                return used_up(self._job.store.run(self._run.id).trials, settings)
            self._study.begun(candidate, number)
            return _Taken(candidate, number)

    def _train(self, candidate: Candidate, number: int) -> None:
        proposal = Proposal(Strategy.SEARCH, candidate.changes | self._epochs, self._stopping_point())
        tell(f"trial {number}: training {in_words(proposal)}")
        with self._stop() as stop:
            comparing = Comparing(self._study, candidate, number, proposal.stop_at, stop, self._look_elsewhere)
            run_it = partial(run_trial, self._job, self._run, self._prepared, proposal, number)
            try:
                trial = run_it(stop=stop, on_epoch=comparing.hear)
            except RunFailed as failure:
                self._failed(candidate, number, failure)
                return
        if trial.state is TrialState.MEASURED:
            self._measured(candidate, trial)
        else:
            self._stopped(candidate, trial)

    def _measured(self, candidate: Candidate, trial: Trial) -> None:
        assert trial.accuracy is not None
        self._study.measured(candidate, trial.accuracy if trial.validation_accuracy is None else trial.validation_accuracy)
        if verdict_of(self._job, self._run, self._prepared, trial) is Verdict.REACHED:
            self._end(Reason.OVERTAKEN)
        self._keep_best()

    def _stopped(self, candidate: Candidate, trial: Trial) -> None:
        if trial.reason is Reason.PRUNED:
            self._study.pruned(candidate)
        else:
            self._study.given_back(candidate)
        tell(f"trial {trial.number}: stopped after epoch {trial.epochs or 0}: {trial.explanation}")
        self._remove_checkpoints(trial)

    def _failed(self, candidate: Candidate, number: int, failure: RunFailed) -> None:
        if failure.reason not in _FAULTS_OF_A_COMBINATION:
            self._study.given_back(candidate)
            raise failure
        self._study.failed(candidate)
        tell(f"trial {number}: failed: {failure.reason}: {failure.explanation}")

    def _keep_best(self) -> None:
        """Tell which trial is the best so far, and keep the checkpoints of no other one: they are big."""
        run = self._job.store.run(self._run.id)
        best = run.best
        assert best is not None
        assert best.accuracy is not None
        told = " of ".join(accuracy_in_words(best.accuracy, self._prepared.threshold))
        tell(f"best so far: {told}, trial {best.number}")
        for trial in run.trials:
            if trial.strategy is Strategy.SEARCH and trial.state is TrialState.MEASURED and trial.number != best.number:
                self._remove_checkpoints(trial)

    def _remove_checkpoints(self, trial: Trial) -> None:
        folder = self._job.home.run(self._run.id).trial(trial.number).checkpoints
        shutil.rmtree(folder, ignore_errors=True)

    def _stopping_point(self) -> float | None:
        settings = self._prepared.settings.retrain
        trials = self._job.store.run(self._run.id).trials
        return stopping_point(self._prepared.threshold, trials) if settings.stop_at_threshold else None

    def _reached(self, run: Run) -> bool:
        accuracies = [trial.accuracy for trial in run.trials if trial.accuracy is not None]
        return any(judge(accuracy, self._prepared.threshold) is Verdict.REACHED for accuracy in accuracies)

    def _look_elsewhere(self) -> None:
        """End the trials here where the search has ended elsewhere."""
        if self._end_reason is None and self.is_over():
            self._end(Reason.OVERTAKEN)

    def _bury(self) -> None:
        """Put away what processes that died were training."""
        if self._job.store.bury_trials(self._run.id):
            self._prepared.runtime.reap(self._job.store.is_training)
        trials = self._job.store.run(self._run.id).trials
        self._study.bury(trial.number for trial in trials if trial.reason is Reason.INTERRUPTED)

    @contextmanager
    def _stop(self) -> Iterator[Stop]:
        """A training's stop, which the end of the search asks for, too."""
        stop = Stop()
        self._stops.append(stop)
        if self._end_reason:
            stop.request(self._end_reason)
        try:
            yield stop
        finally:
            self._stops.remove(stop)

    def _end(self, reason: Reason) -> None:
        """No more trials, and those that train end now."""
        self._end_reason = self._end_reason or reason
        for stop in list(self._stops):
            stop.request(self._end_reason)
