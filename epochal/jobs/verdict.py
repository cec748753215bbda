"""Judge the trials of a run: record verdicts and forecasts, and determine the accuracy that the next trial needs."""

from dataclasses import replace

from epochal.jobs.active_run import ActiveRun
from epochal.jobs.epochs import choose_epochs
from epochal.jobs.log import log
from epochal.jobs.strategy import GiveUp
from epochal.records import Step, Trial, Verdict
from epochal.results.divergence import parse_divergence
from epochal.results.forecast import forecast_trial
from epochal.results.gate import Unreachable, judge, required_accuracy
from epochal.results.metrics import parse_fits
from epochal.results.outputs import read_metrics
from epochal.results.wording import describe_evidence, describe_verdict
from epochal.store.looks import looks_before, store_judgement
from epochal.store.trials import store_forecast


def record_verdict(active: ActiveRun, trial: Trial) -> Verdict:
    """Judge a measured trial, store and log the verdict, and return it.

    If a verdict is already stored, it is returned. Raises RunFailed if the gate cannot judge the accuracy.
    """
    if trial.judgement:
        return trial.judgement.verdict
    accuracy = trial.accuracy
    assert accuracy is not None
    judgement = store_judgement(
        active.app.database,
        active.run,
        trial,
        lambda look: judge(accuracy.value, accuracy.samples, active.rule, look, accuracy.evidence),
    )
    active.mark(Step.VERDICT, trial.number)
    judged = replace(trial, judgement=judgement)
    log(f"verdict: {describe_verdict(judged, active.threshold)}")
    for sentence in describe_evidence(judged, active.threshold):
        log(f"  {sentence}")
    return judgement.verdict


def next_target(active: ActiveRun) -> float | GiveUp:
    """Return the lowest accuracy (0 to 1) with which the next trial can pass the gate, or why it cannot pass."""
    run = active.load()
    last = run.last_measured
    if last is None or last.accuracy is None:
        return active.threshold
    earlier_looks = looks_before(active.app.database, run, last)
    # Assume that the next trial will measure the same number of models on the test set as the last one.
    look = None if earlier_looks is None else earlier_looks + 2 * last.accuracy.looks
    target = required_accuracy(last.accuracy.samples, active.rule, look, last.accuracy.evidence)
    return GiveUp(target.reason, target.cause, target.remedy) if isinstance(target, Unreachable) else target


def record_forecast(active: ActiveRun, trial: Trial, target: float) -> None:
    """Forecast whether more epochs would bring a trial to the accuracy ``target`` (0 to 1); store and log the forecast.

    Nothing is stored if the trial's fits do not allow a forecast, or if its weights are not finite.
    """
    metrics = read_metrics(active.folder.trial(trial.number).metrics)
    if parse_divergence(metrics):
        return
    fits = parse_fits(metrics)
    epochs, max_epochs = choose_epochs(active).epochs, active.plan.settings.retrain.max_epochs
    forecast = forecast_trial(trial, fits, active.script, epochs, target, max_epochs)
    if forecast:
        store_forecast(active.app.database, active.run.id, trial.number, forecast)
        log(f"trial {trial.number}: forecast of the accuracy that counts: {forecast.description}")
