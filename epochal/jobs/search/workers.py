"""Run the trials of a search, several at a time in one process.

Other processes may run trials of the same search at the same time. They share the study, the run's trials and its
budget, so these are read again from the databases before each decision.
"""

import os
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial

from epochal.errors import Reason, RunFailed
from epochal.jobs.active_run import ActiveRun
from epochal.jobs.epochs import choose_epochs
from epochal.jobs.log import log
from epochal.jobs.search.promising import choose_trial_to_resume, find_promising
from epochal.jobs.search.pruning import Pruner
from epochal.jobs.search.study import Candidate, Study
from epochal.jobs.search.tested_rows import advise_same_rows
from epochal.jobs.strategy import EndCause, GiveUp, Proposal, check_budget, choose_stop_accuracy
from epochal.jobs.trial import StartedTrial, run_trial
from epochal.jobs.verdict import next_target, record_forecast, record_verdict
from epochal.records import Strategy, Trial, TrialState, Verdict
from epochal.results.wording import describe_with_threshold
from epochal.runtimes.stop import Stop
from epochal.settings import ServerSettings
from epochal.store.errors import NotOwner
from epochal.store.transitions import load_stop_request
from epochal.store.trials import add_search_trial, is_training, mark_interrupted

_COMBINATION_FAILURES = frozenset(
    {
        Reason.SCRIPT_ERROR,
        Reason.OUT_OF_MEMORY,
        Reason.KILLED,
        Reason.TIMED_OUT,
        Reason.NO_ACCURACY,
        Reason.ACCURACY_NOT_FINITE,
        Reason.ACCURACY_OUT_OF_RANGE,
        Reason.TEST_SET_CHANGED,
    }
)
"""Failures that may be due to the hyperparameters of one trial.

The search then continues with other values, except after TEST_SET_CHANGED, which ends it.
"""


@dataclass(frozen=True)
class _SearchTrial:
    """A trial that has been started.

    ``candidate``: its combination of hyperparameters in the study; None if it resumes another trial. ``number``: its
    number within the run, counted from 1.
    """

    proposal: Proposal
    candidate: Candidate | None
    number: int


class Workers:
    """The threads of this process that run the trials of a search, within the server's limits."""

    def __init__(self, active: ActiveRun, study: Study, epochs: int | None) -> None:
        """Prepare to run the trials of ``study``.

        ``epochs``: the number of epochs for new trials; None to keep the number that the script sets.
        """
        self._active = active
        self._database = active.app.database
        self._settings = active.plan.settings.retrain
        self._study = study
        self._epochs = epochs
        self._start_lock = threading.Lock()
        self._stops: list[Stop] = []
        self._end_reason: Reason | None = None

    def work(self) -> GiveUp | EndCause:
        """Run trials until this or another process ends the search, and return why it ended.

        Returns EndCause.REACHED if a trial reached the threshold, another EndCause if the run was stopped, and GiveUp
        if no more trials may start. Raises RunFailed for a failure that other hyperparameters cannot fix. Before an
        exception is raised, all trials of this process are stopped.
        """
        count = count_parallel_trials(self._active.app.settings)
        with ThreadPoolExecutor(count, thread_name_prefix="search") as executor:
            futures: list[Future[GiveUp | EndCause]] = []
            try:
                for _ in range(count):
                    futures.append(executor.submit(self._work))
                wait(futures)
            except BaseException:
                self._stop_all(Reason.INTERRUPTED)
                self._database.retry_policy.stop_waiting()
                wait(futures)
                raise
        ends = [each.result() for each in futures]
        give_up = next((end for end in ends if isinstance(end, GiveUp)), EndCause.INTERRUPTED)
        return self._find_end() or give_up

    def finish(self, end: GiveUp | EndCause) -> GiveUp | EndCause:
        """Judge the measured trials that have no verdict yet, and return why the search ended.

        Call this method only when no process is training any longer. Returns ``end`` unless the run was stopped or a
        trial reached the threshold.
        """
        self._judge_measured()
        return self._find_end() or end

    def _find_end(self) -> EndCause | None:
        """Return why the search ended, in this process or another one; None if it has not ended."""
        run = self._active.load()
        if run.state.ended:
            return EndCause.INTERRUPTED
        if requested := load_stop_request(self._database, run.id):
            return EndCause(requested.value)
        return EndCause.REACHED if run.reached else None

    def _work(self) -> GiveUp | EndCause:
        """Run one trial after another, and return why the search ended."""
        try:
            while isinstance(started := self._start_next(), _SearchTrial):
                self._train(started)
            return started
        except BaseException:
            self._stop_all(Reason.INTERRUPTED)
            raise

    def _start_next(self) -> _SearchTrial | GiveUp | EndCause:
        """Mark trials of dead processes as interrupted; then start the next trial, or return why the search ended."""
        with self._start_lock:
            while True:
                if mark_interrupted(self._database, self._active.run.id):
                    self._active.plan.runtime.reap(partial(is_training, self._database))
                judged = self._judge_measured()
                self._study.mark_interrupted(trial.number for trial in judged if trial.reason is Reason.INTERRUPTED)
                if ended := self._find_end():
                    return ended
                if self._end_reason:
                    return EndCause.INTERRUPTED
                proposed = self._propose(self._active.load().trials)
                if isinstance(proposed, GiveUp):
                    return proposed
                if started := self._start(*proposed):
                    return started

    def _judge_measured(self) -> Sequence[Trial]:
        """Judge trials whose process died before doing so; return the run's trials as they were before this call."""
        trials = self._active.load().trials
        for trial in trials:
            if trial.state is TrialState.MEASURED:
                record_verdict(self._active, trial)
        return trials

    def _propose(self, trials: Sequence[Trial]) -> tuple[Proposal, Candidate | None] | GiveUp:
        """Propose the next trial after ``trials``: more epochs for a promising trial, or an untried combination."""
        if other := next((trial for trial in trials if trial.reason is Reason.TEST_SET_CHANGED), None):
            remedy = advise_same_rows(self._active.plan.code.sources, self._active.plan.space, trials, other)
            return GiveUp(Reason.TEST_SET_CHANGED, Reason.TEST_SET_CHANGED.description, remedy)
        if end := check_budget(trials, self._settings):
            return end
        target = next_target(self._active)
        if isinstance(target, GiveUp):
            return target
        stop_at = choose_stop_accuracy(target, trials) if self._settings.stop_at_threshold else None
        raised = choose_epochs(self._active).epochs
        if raised and (found := choose_trial_to_resume(trials, raised, self._settings)):
            trial, epochs = found
            searched_constants = [dimension.constant for dimension in self._active.plan.space]
            resumed_changes = {each: trial.hyperparameters[each.name] for each in searched_constants}
            resumed_changes[raised.constant] = raised.value_for(epochs)
            return Proposal(Strategy.SEARCH, resumed_changes, stop_at, trial.number), None
        candidate = self._study.ask()
        if candidate is None:
            return GiveUp(Reason.SPACE_USED_UP, Reason.SPACE_USED_UP.description)
        changes = dict(candidate.changes)
        if raised and self._epochs:
            changes[raised.constant] = raised.value_for(self._epochs)
        return Proposal(Strategy.SEARCH, changes, stop_at), candidate

    def _start(self, proposal: Proposal, candidate: Candidate | None) -> _SearchTrial | None:
        """Start a trial; return None if it cannot be started.

        A trial cannot be started if another process has taken the same combination or the last trial in the budget, or
        if the run has ended or has been asked to stop.
        """
        values = self._active.hyperparameters(proposal.changes)
        number = add_search_trial(self._database, self._active.run.id, values, self._settings.max_trials)
        if number is not None:
            if candidate:
                self._study.record_started(candidate, number)
            return _SearchTrial(proposal, candidate, number)
        if candidate:
            has_room = check_budget(self._active.load().trials, self._settings) is None
            (self._study.record_failed if has_room else self._study.release)(candidate)
        return None

    def _train(self, started: _SearchTrial) -> None:
        """Run a trial and record its outcome. Raises RunFailed for failures that other hyperparameters cannot fix."""
        stop = Stop()
        self._stops.append(stop)
        if self._end_reason:
            stop.request(self._end_reason)
        should_continue = partial(self._should_continue, started)
        pruner = Pruner(started.number, stop, self._stop_if_over, should_continue)
        try:
            trial = run_trial(self._active, StartedTrial(started.number, started.proposal, stop, pruner.on_epoch))
        except RunFailed as failure:
            is_combination_failure = failure.reason in _COMBINATION_FAILURES
            if started.candidate:
                (self._study.record_failed if is_combination_failure else self._study.release)(started.candidate)
            if not is_combination_failure:
                raise
            log(f"trial {started.number}: failed ({failure.reason}): {failure.explanation}")
            return
        except NotOwner as lost:  # this process sent no heartbeat for so long that others took it for dead
            log(f"trial {started.number}: {lost}")
            if started.candidate:
                self._study.release(started.candidate)
            return
        finally:
            self._stops.remove(stop)
        if trial.state is TrialState.MEASURED:
            self._record_measured(started, trial)
        else:
            self._record_stopped(started, trial)

    def _should_continue(self, started: _SearchTrial, epoch: int, accuracy: float) -> bool:
        """Return whether a trial with this validation accuracy (0 to 1) after ``epoch`` epochs should continue."""
        if started.candidate is None:  # it was resumed, so it has trained longer than the others
            return True
        if accuracy >= (1.0 if started.proposal.stop_at is None else started.proposal.stop_at):
            return True  # its fit stops here, and the test follows
        return self._study.should_continue(started.candidate, epoch, accuracy)

    def _record_measured(self, started: _SearchTrial, trial: Trial) -> None:
        """Record a measured trial, log the best trial so far, and remove checkpoints that no trial will resume from."""
        assert trial.accuracy is not None
        if started.candidate:
            validation = trial.validation_accuracy
            self._study.record_measured(started.candidate, trial.accuracy.value if validation is None else validation)
        if record_verdict(self._active, trial) is Verdict.REACHED:
            self._stop_all(Reason.OVERTAKEN)
        elif not isinstance(target := next_target(self._active), GiveUp):
            record_forecast(self._active, trial, target)
        run = self._active.load()
        best = run.best
        assert best is not None
        assert best.accuracy is not None
        log(f"best so far: trial {best.number}, {describe_with_threshold(best.accuracy.value, self._active.threshold)}")
        kept_numbers = {best.number, *(trial.number for trial in find_promising(run.trials))}
        for other in run.trials:
            if (
                other.strategy is Strategy.SEARCH
                and other.state is TrialState.MEASURED
                and other.number not in kept_numbers
            ):
                self._remove_checkpoints(other)

    def _record_stopped(self, started: _SearchTrial, trial: Trial) -> None:
        """Record and log a trial that was stopped early, and remove its checkpoints."""
        if started.candidate and trial.reason is Reason.PRUNED:
            self._study.record_pruned(started.candidate)
        elif started.candidate:
            self._study.release(started.candidate)
        when = f"after epoch {trial.epochs}" if trial.epochs else "before its first epoch ended"
        log(f"trial {trial.number}: stopped {when}: {trial.explanation}")
        self._remove_checkpoints(trial)

    def _remove_checkpoints(self, trial: Trial) -> None:
        shutil.rmtree(self._active.folder.trial(trial.number).checkpoints, ignore_errors=True)

    def _stop_if_over(self) -> None:
        """Stop the trials of this process if the search has ended, for example in another process."""
        if self._end_reason is None and (ended := self._find_end()):
            self._stop_all(Reason.OVERTAKEN if ended is EndCause.REACHED else Reason.INTERRUPTED)

    def _stop_all(self, reason: Reason) -> None:
        """Stop the trials of this process and start no more."""
        self._end_reason = self._end_reason or reason
        for stop in list(self._stops):
            stop.request(self._end_reason)


def count_parallel_trials(settings: ServerSettings) -> int:
    """Return how many trials of a search this machine runs at the same time.

    This is ``limits.trials``, if it is set. Otherwise, it is the number of trials for which the machine has enough cores
    (``limits.cpus`` each) and memory (``limits.memory_mb`` each), divided by the number of runs that train in parallel,
    but at least 1. If a trial may use all cores, the result is 1.
    """
    limits = settings.limits
    if limits.trials:
        return limits.trials
    cores = len(os.sched_getaffinity(0)) // limits.cpus if limits.cpus else 1
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return max(1, int(min(cores, memory_mb // limits.memory_mb)) // settings.parallel)
