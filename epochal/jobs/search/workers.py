"""The trials of a search, several at a time in one process: what is asked for is trained, compared, and told.

Other processes may do the same for the same run. What they share is the study, the run's trials and its budget, both in
databases; so every question is asked there anew.
"""

import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from epochal.errors import Reason, RunFailed
from epochal.jobs.active_run import ActiveRun
from epochal.jobs.log import log
from epochal.jobs.search.pruning import Comparing, ShouldContinue
from epochal.jobs.search.resume import next_to_resume, promising
from epochal.jobs.search.study import Candidate, Search
from epochal.jobs.strategy import Ended, GiveUp, Proposal, stopping_point, used_up
from epochal.jobs.trial import StartedTrial, run_trial
from epochal.jobs.verdict import next_target, record_forecast, record_verdict
from epochal.records import Strategy, Trial, TrialState, Verdict
from epochal.results.gate import in_words as accuracy_in_words
from epochal.runtimes.stop import Stop
from epochal.settings import ServerSettings
from epochal.store.ends import requested_stop
from epochal.store.errors import NotOwner
from epochal.store.trials import add_search_trial, is_training, mark_interrupted

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
class _Started:
    """A trial that has begun: what was proposed, Optuna's part in it (None: it goes on from another trial), its number."""

    proposal: Proposal
    candidate: Candidate | None
    number: int


class Workers:
    """Trains a run's search, with as many trials at a time as the server's limits allow."""

    def __init__(self, active: ActiveRun, study: Search, epochs: int | None) -> None:
        """``epochs``: how many the script's own number of epochs becomes; None: it has none, or stays."""
        self._active = active
        self._database = active.app.database
        self._settings = active.plan.settings.retrain
        self._study = study
        self._constant = active.script.epochs
        self._epochs = epochs
        self._asking = threading.Lock()
        self._stops: list[Stop] = []
        self._end_reason: Reason | None = None

    def work(self) -> GiveUp | Ended:
        """Train until a trial reaches the threshold, here or elsewhere, nothing may be tried any more, or the run is to end.

        Returns which of these it was. Raises RunFailed for what other hyperparameters would not mend. Left by any
        exception, it leaves nothing training.
        """
        count = trials_at_once(self._active.app.settings)
        with ThreadPoolExecutor(count, thread_name_prefix="search") as executor:
            working = [executor.submit(self._work) for _ in range(count)]
            try:
                wait(working)
            except BaseException:
                self._end(Reason.INTERRUPTED)
                self._database.patience.end()
                wait(working)
                raise
        ends = [each.result() for each in working]
        given_up = next((end for end in ends if isinstance(end, GiveUp)), Ended.INTERRUPTED)
        return self._ended() or given_up

    def settle(self, end: GiveUp | Ended) -> GiveUp | Ended:
        """Return what ended the search once no process trains any more: ``end``, unless the last trial reached the threshold."""
        self._judge_measured()
        return self._ended() or end

    def _ended(self) -> Ended | None:
        """What has ended the search, here or elsewhere; None if nothing has."""
        run = self._active.stored
        if run.state.ended:
            return Ended.INTERRUPTED
        if asked := requested_stop(self._database, run.id):
            return Ended(asked.value)
        return Ended.REACHED if run.reached else None

    def _work(self) -> GiveUp | Ended:
        try:
            while isinstance(started := self._start_next(), _Started):
                self._train(started)
            return started
        except BaseException:
            self._end(Reason.INTERRUPTED)
            raise

    def _start_next(self) -> _Started | GiveUp | Ended:
        """Start the next trial; returns what ended the search if there is none."""
        with self._asking:
            while True:
                self._mark_dead()
                if ended := self._ended():
                    return ended
                if self._end_reason:
                    return Ended.INTERRUPTED
                trials = self._active.trials
                if end := used_up(trials, self._settings):
                    return end
                wanted = next_target(self._active)
                if isinstance(wanted, GiveUp):
                    return wanted
                stop_at = self._stopping_point(trials, wanted)
                asked = self._resume_promising(trials, stop_at) or self._ask(stop_at)
                if asked is None:
                    return GiveUp(Reason.SPACE_USED_UP, "Every combination of [search] was tried.")
                if started := self._begin(*asked):
                    return started

    def _resume_promising(self, trials: Sequence[Trial], stop_at: float | None) -> tuple[Proposal, None] | None:
        """More epochs for a trial that is expected to reach the threshold with them."""
        found = next_to_resume(trials, self._constant, self._settings) if self._constant else None
        if found is None or self._constant is None:
            return None
        trial, epochs = found
        values = trial.hyperparameters | {self._constant.name: epochs}
        changes = {constant: values[constant.name] for constant in [*self._study.constants, self._constant]}
        return Proposal(Strategy.SEARCH, changes, stop_at, trial.number), None

    def _ask(self, stop_at: float | None) -> tuple[Proposal, Candidate] | None:
        candidate = self._study.ask()
        if candidate is None:
            return None
        changes = candidate.changes | ({self._constant: self._epochs} if self._constant and self._epochs else {})
        return Proposal(Strategy.SEARCH, changes, stop_at), candidate

    def _begin(self, proposal: Proposal, candidate: Candidate | None) -> _Started | None:
        """A trial of what is proposed; None where another process was faster, with the same or with the budget's last."""
        values = self._active.script.hyperparameters(proposal.changes)
        most = self._settings.max_trials
        number = add_search_trial(self._database, self._active.id, values, most)
        if number is not None:
            if candidate:
                self._study.started(candidate, number)
            return _Started(proposal, candidate, number)
        if candidate:
            has_room = used_up(self._active.trials, self._settings) is None
            (self._study.failed if has_room else self._study.released)(candidate)
        return None

    def _train(self, started: _Started) -> None:
        with self._stop() as stop:
            comparing = Comparing(started.number, stop, self._look_elsewhere, self._continuation_rule(started))
            try:
                trial = run_trial(self._active, StartedTrial(started.number, started.proposal, stop, comparing.hear))
            except RunFailed as failure:
                self._failed(started, failure)
                return
            except NotOwner as lost:  # its process was silent for so long that others took it for dead
                log(f"trial {started.number}: {lost}")
                if started.candidate:
                    self._study.released(started.candidate)
                return
        if trial.state is TrialState.MEASURED:
            self._measured(started, trial)
        else:
            self._stopped(started, trial)

    def _continuation_rule(self, started: _Started) -> ShouldContinue:
        """What compares a trial's epochs with those of others; one that goes on has come further than they, and one that
        is where its fit ends is to be tested."""
        if started.candidate is None:
            return lambda _epoch, _accuracy: True
        stop_at = 1.0 if started.proposal.stop_at is None else started.proposal.stop_at
        compare = partial(self._study.should_continue, started.candidate)
        return lambda epoch, accuracy: accuracy >= stop_at or compare(epoch, accuracy)

    def _measured(self, started: _Started, trial: Trial) -> None:
        assert trial.accuracy is not None
        if started.candidate:
            validation = trial.validation_accuracy
            self._study.measured(started.candidate, trial.accuracy.value if validation is None else validation)
        if record_verdict(self._active, trial) is Verdict.REACHED:
            self._end(Reason.OVERTAKEN)
        elif not isinstance(wanted := next_target(self._active), GiveUp):
            record_forecast(self._active, trial, wanted)
        self._keep_best()

    def _stopped(self, started: _Started, trial: Trial) -> None:
        if started.candidate and trial.reason is Reason.PRUNED:
            self._study.pruned(started.candidate)
        elif started.candidate:
            self._study.released(started.candidate)
        log(f"trial {trial.number}: stopped after epoch {trial.epochs or 0}: {trial.explanation}")
        self._remove_checkpoints(trial)

    def _failed(self, started: _Started, failure: RunFailed) -> None:
        is_its_own = failure.reason in _FAULTS_OF_A_COMBINATION
        if started.candidate:
            (self._study.failed if is_its_own else self._study.released)(started.candidate)
        if not is_its_own:
            raise failure
        log(f"trial {started.number}: failed: {failure.reason}: {failure.explanation}")

    def _keep_best(self) -> None:
        """Tell which trial is the best so far, and keep no checkpoints that nothing will go on from: they are big."""
        run = self._active.stored
        best = run.best
        assert best is not None
        assert best.accuracy is not None
        told = " of ".join(accuracy_in_words(best.accuracy.value, self._active.threshold))
        log(f"best so far: {told}, trial {best.number}")
        kept = {best.number, *(trial.number for trial in promising(run.trials))}
        for trial in run.trials:
            if trial.strategy is Strategy.SEARCH and trial.state is TrialState.MEASURED and trial.number not in kept:
                self._remove_checkpoints(trial)

    def _remove_checkpoints(self, trial: Trial) -> None:
        folder = self._active.trial_folder(trial.number).checkpoints
        shutil.rmtree(folder, ignore_errors=True)

    def _stopping_point(self, trials: Sequence[Trial], wanted: float) -> float | None:
        return stopping_point(wanted, trials) if self._settings.stop_at_threshold else None

    def _look_elsewhere(self) -> None:
        """End the trials here where the search has ended elsewhere."""
        if self._end_reason is None and (ended := self._ended()):
            self._end(Reason.OVERTAKEN if ended is Ended.REACHED else Reason.INTERRUPTED)

    def _mark_dead(self) -> None:
        """Put away what processes that died were training."""
        if mark_interrupted(self._database, self._active.id):
            self._active.plan.runtime.reap(partial(is_training, self._database))
        trials = self._judge_measured()
        self._study.mark_interrupted(trial.number for trial in trials if trial.reason is Reason.INTERRUPTED)

    def _judge_measured(self) -> Sequence[Trial]:
        """Judge the trials whose process died between measurement and verdict; returns all trials of the run."""
        trials = self._active.trials
        for trial in trials:
            if trial.state is TrialState.MEASURED:
                record_verdict(self._active, trial)
        return trials

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


def trials_at_once(settings: ServerSettings) -> int:
    """What ``limits.trials`` says; else as many as this machine has cores and memory for, and one at least.

    A training that may use all cores is alone; runs that are trained side by side share.
    """
    limits = settings.limits
    if limits.trials:
        return limits.trials
    cores = len(os.sched_getaffinity(0)) // limits.cpus if limits.cpus else 1
    memory = _memory_mb() // limits.memory_mb
    return max(1, int(min(cores, memory)) // settings.parallel)


def _memory_mb() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
