"""Choose the accuracy of a trial from the numbers that were measured, written or printed."""

import math
import operator
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from epochal.analysis.findings import Finding
from epochal.analysis.percentages import Percentages
from epochal.errors import Reason, RunFailed
from epochal.folders import SCRIPT
from epochal.grammar import join_words, plural
from epochal.records import Accuracy, AccuracySource, Evidence, Fit
from epochal.results.accuracy_lines import explain_other
from epochal.results.measurements import (
    Kind,
    Measurement,
    Measurements,
    count_models,
    find_latest,
    group_for_averages,
)
from epochal.results.printed import PrintedAccuracy, PrintedLines
from epochal.results.refusals import (
    COMPILE,
    OTHER_METRICS,
    OWN_ACCURACY,
    REFUSED_LEAKS,
    describe_share,
    explain_label_refusal,
    explain_leak,
    explain_missing_accuracy,
    explain_row_refusal,
    explain_targets,
    explain_unchanged_weights,
    find_leak,
    is_other_metric,
)
from epochal.results.stated import (
    TOLERANCE,
    find_shares,
    is_same_number,
    is_share_of,
    lists_all,
    lists_some,
    parse_accuracy_json,
    rounding_error,
    states_one_of,
    validate,
)
from epochal.results.written import WrittenFile

_OTHER_NUMBER = 'To use another number, write it to $EPOCHAL_OUT/accuracy.json, for example {"accuracy": 0.83}.'
_LOADED_FILE = re.compile(r" loads (.+)\. If that model ")
"""Matches the path in the message of a finding about a loaded model."""
_COUNTS_CLOSE = re.compile(r"^[^\d%]*(?:\bwithin|±)\s*\(?\d", re.IGNORECASE)
"""Matches printed lines that state the share of a regression model's predictions that are close to the targets."""
_MIN_RESPLITS = 3
"""If at least this many models were evaluated on different splits, a note says so. Two may just be unrelated models."""
_NO_ACCURACY = (
    "finished but reported no accuracy: no accuracy.json in $EPOCHAL_OUT, no evaluate() with an accuracy "
    "metric, no score() or accuracy_score(), no printed test accuracy{last}, no .json or .txt file with a test "
    "accuracy, and no val_accuracy. At the end of the script, measure the accuracy on rows that were not used in "
    "training, and print a line like 'Test accuracy: 0.83'."
)


@dataclass(frozen=True)
class Findings:
    """The sources that may state the accuracy of a trial.

    ``accuracy_json``: the text of accuracy.json; None if there is no such file. ``recorded``: the measurements that the
    recorder observed. ``printed``: the printed lines about accuracy. ``fits``: the calls to Keras' fit, in order.
    ``files``: the result files that the script wrote in this trial. ``percentages``: how the script computes
    percentages. ``script``: the script's path, for messages. ``leaks``: the findings from the source about test rows
    that may influence training. ``hidden``: an explanation with a remedy if the source logs an accuracy that is not
    shown, or if no subcommand was chosen; otherwise empty.
    """

    accuracy_json: str | None
    recorded: Measurements
    printed: PrintedLines
    fits: Sequence[Fit] = ()
    files: Sequence[WrittenFile] = ()
    percentages: Percentages = field(default_factory=Percentages)
    script: str = SCRIPT
    leaks: Sequence[Finding] = ()
    hidden: str = ""


@dataclass(frozen=True)
class Choice:
    """The accuracy that counts, and notes about other numbers that were measured or printed."""

    accuracy: Accuracy
    notes: tuple[str, ...] = ()


def choose_accuracy(findings: Findings, metric: str = "", *, repeated_rows: bool = False) -> Choice:
    """Choose the accuracy (0 to 1) of a trial whose script succeeded, and write notes about other numbers.

    The accuracy is taken from the first of these sources that provides one:

    1. accuracy.json, if the script wrote it itself;
    2. the latest measurement by evaluate(), score() or accuracy_score();
    3. the last printed line that states a test accuracy;
    4. a result file, such as metrics.json, that the script wrote in this trial;
    5. the mean accuracy of scikit-learn's last cross-validation or hyperparameter search;
    6. the val_accuracy of the last epoch that has one, or, without Keras, the last validation accuracy that was
       printed.

    A measurement does not count if it is known to be something other than the accuracy of a classifier, such as R² or
    the accuracy of an autoencoder, if it evaluated a DummyClassifier or a model that this run did not train, if the
    model was trained on the test rows, or if the columns were chosen using the labels of the test rows. A written or
    printed number does not count if it equals a measurement that does not count. An accuracy.json or result file that
    does not count makes the run fail; measurements and printed lines that do not count are skipped.

    ``metric``: the name of the metric that counts, if evaluate() measures several. ``repeated_rows``: whether an
    accuracy counts even if test rows equal training rows, unless the test set is a part of the training set. Raises
    RunFailed with the reason NO_ACCURACY (the explanation says what does not count, why, and what to do),
    ACCURACY_NOT_FINITE or ACCURACY_OUT_OF_RANGE.
    """
    return _Chooser(findings, metric, repeated_rows).choose()


class _Chooser:
    """Chooses the accuracy of one trial. The trial's measurements either count (sound) or do not (refused)."""

    def __init__(self, findings: Findings, metric: str, repeated_rows: bool) -> None:
        self._findings = findings
        self._script = findings.script
        self._metric = metric
        findings.printed.pass_over(self._states_epochs)
        self._accepts_repeats = repeated_rows
        measurements = [each for each in findings.recorded.measurements if each.kind in (Kind.EVALUATE, Kind.SCORE)]
        self._measurements = [each for each in measurements if self._metric_name(each)]
        predictions = [
            _add_labels(each, measurements) for each in findings.recorded.measurements if each.kind is Kind.PREDICT
        ]
        self._sound_predictions = [each for each in predictions if not self._explain_refusal(each)]
        self._refused_predictions = [each for each in predictions if self._explain_refusal(each)]
        sound = [each for each in self._measurements if not self._explain_refusal(each)]
        # A model of unknown origin may have been loaded, so it does not count if this run trained other models.
        is_any_known = any(each.trained for each in sound)
        self._sound = [each for each in sound if each.trained or each.kind is not Kind.EVALUATE or not is_any_known]
        cross_validations = [
            each
            for each in findings.recorded.measurements
            if each.kind is Kind.CROSS_VALIDATION and each.accuracies and (each.is_selected or each.has_seen_rows)
        ]
        self._training_means = [each for each in findings.recorded.measurements if each.is_training and each.accuracies]
        self._averaged = [*self._measurements, *cross_validations]
        self._refused = [each for each in (*self._measurements, *cross_validations) if self._explain_refusal(each)]

    def choose(self) -> Choice:
        """Return the accuracy that counts, and notes for the developer about other numbers."""
        accuracy = self._from_json()
        if accuracy is None:
            self._check_metric()
            accuracy = self._from_measurements() or self._from_output() or self._from_files()
        if accuracy is None:
            self._refuse_unparsed_line()
            accuracy = self._from_cross_validation() or self._from_validation()
        accuracy = validate(accuracy)
        kinds = [*REFUSED_LEAKS]
        if accuracy.source is AccuracySource.VALIDATION:
            kinds.append("learned_before_folds")
        elif not accuracy.evidence.checked:  # as for the answers of cross_val_predict()
            kinds.append("copied_before_predictions")
        leak = find_leak(self._findings.leaks, *kinds)
        if leak and accuracy.source is not AccuracySource.SCRIPT:
            raise RunFailed(Reason.NO_ACCURACY, explain_leak(leak))
        return Choice(accuracy, tuple(self._collect_notes(accuracy)))

    def _check_metric(self) -> None:
        """Raise RunFailed if the metric chosen by ``metric`` is not an accuracy or was not reported by evaluate()."""
        if not self._metric:
            return
        evaluated = [
            each for each in self._findings.recorded.measurements if each.kind is Kind.EVALUATE and each.metrics
        ]
        reported = list(dict.fromkeys(name for each in evaluated for name in each.metrics))
        setting = f'epochal.toml sets metric = "{self._metric}"'
        if evaluated and self._metric not in reported:
            problem = f"{setting}, but evaluate() reported only {join_words(reported)}."
        elif self._metric == "loss" or any(each.classes.get(self._metric) in OTHER_METRICS for each in evaluated):
            problem = f"{setting}, which is not an accuracy."
        elif not evaluated and not self._findings.fits:
            problem = f"{setting}, but only a metric that Keras' evaluate() returns can be chosen."
        else:
            return
        accuracies = list(dict.fromkeys(name for each in evaluated for name in each.accuracies))
        if accuracies:
            remedy = f"Name an accuracy ({join_words(accuracies, 'or')}), or remove the setting."
        else:
            remedy = f"Remove the setting. {COMPILE}" if evaluated else "Remove the setting."
        raise RunFailed(Reason.NO_ACCURACY, f"{problem} {remedy}")

    def _from_json(self) -> Accuracy | None:
        if self._findings.accuracy_json is None:
            return None
        found = parse_accuracy_json(self._findings.accuracy_json)
        mean = self._last_cross_validation()
        if found and mean and is_same_number(found.value, mean.metrics["accuracy"], TOLERANCE):
            self._refuse_leaked_folds()
        return None if found is None else self._match_measurement(found, TOLERANCE)

    def _refuse_leaked_folds(self) -> None:
        """Raise RunFailed if a cross-validation's folds share rows, or if its features depend on all labels."""
        if leak := find_leak(self._findings.leaks, "copied_before_folds", "learned_before_folds"):
            raise RunFailed(Reason.NO_ACCURACY, explain_leak(leak))

    def _from_measurements(self) -> Accuracy | None:
        last = self._last_measured()
        if last is None:
            return None
        if not self._metric and len(last.accuracies) > 1:
            choices = " or ".join(f'metric = "{name}"' for name in last.accuracies)
            raise RunFailed(
                Reason.NO_ACCURACY,
                f"evaluate() measured several accuracies: {', '.join(last.accuracies)}. "
                f"Choose one in epochal.toml: {choices}.",
            )
        source = AccuracySource.EVALUATE if last.kind is Kind.EVALUATE else AccuracySource.SCORE
        return self._build_accuracy(last, source)

    def _last_measured(self) -> Measurement | None:
        """Return the last sound measurement, or None.

        If it is a score for predictions of unknown origin, but the accuracy that the script printed equals the last
        measurement of a trained model, return that measurement instead.
        """
        last = find_latest(self._sound)
        if last is None or last.trained or last.kind is not Kind.SCORE:
            return last
        last_trained = find_latest([each for each in self._sound if each.trained])
        line = self._findings.printed.test
        if (
            last_trained
            and line
            and is_same_number(
                line.value, last_trained.metrics[self._metric_name(last_trained)], rounding_error(line.value)
            )
        ):
            return last_trained
        return last

    def _from_output(self) -> Accuracy | None:
        if self._findings.printed.unparsed_counts:
            self._refuse_unparsed_line()
            return self._from_cross_validation()
        for line in reversed(self._findings.printed.all_tests):
            value = self._resolve_unit(line)
            mean = self._last_cross_validation()
            if mean and is_same_number(value, mean.metrics["accuracy"], rounding_error(value)):
                found = self._from_cross_validation()
                return found and replace(found, samples=found.samples or line.samples)
            try:
                printed_accuracy = Accuracy(value, AccuracySource.OUTPUT, line.samples)
                is_share = bool(_COUNTS_CLOSE.search(line.text))
                accuracy = self._match_measurement(printed_accuracy, rounding_error(value), is_share=is_share)
            except RunFailed:
                continue  # an earlier line may still count
            return validate(accuracy, f", {line.text!r},")
        return None

    def _resolve_unit(self, line: PrintedAccuracy) -> float:
        """Return the accuracy (0 to 1) that a printed line states, even if its percent sign is missing or wrong.

        Measurements, other lines of the same form, and the code show whether the number is a percentage or a fraction.
        Raises RunFailed if this remains unclear.
        """
        number, percentages = line.number, self._findings.percentages
        if number is None or not 0 < number <= 100:
            return line.value
        share = float(Decimal(str(number)) / 100)
        if number > 1:
            return share if percentages.unsigned else line.value
        measured = [each.metrics[self._metric_name(each)] for each in self._measurements]
        error = rounding_error(number)
        if any(abs(number - each) <= error for each in measured):
            return number
        if self._findings.printed.shows_percents(line) or any(abs(share - each) <= error / 100 for each in measured):
            return share
        has_sign = line.value != number
        if (
            percentages.computed
            if has_sign
            else not percentages.unsigned or percentages.is_fraction(line.text, line.logged)
        ):
            return line.value
        doubt = f"so the number may mean {100 * number:.4g}% or {number:.4g}%"
        raise RunFailed(
            Reason.NO_ACCURACY,
            f"{self._script} printed {line.text!r} but never multiplies by 100, {doubt}. Multiply the accuracy by 100, or print it "
            "without the percent sign."
            if has_sign
            else f"{self._script} printed {line.text!r} and multiplies an accuracy by 100 on {percentages.unsigned}, {doubt}. "
            "Print it as a percentage, with a percent sign: f'Test accuracy: {100 * acc:.1f}%' if acc is a fraction, or "
            "f'Test accuracy: {acc:.1f}%' if acc has been multiplied by 100.",
        )

    def _from_files(self) -> Accuracy | None:
        """Return the accuracy in the result files, or None. Raises RunFailed if the files contradict each other."""
        found = {each.name: line for each in self._findings.files if (line := each.accuracy)}
        values = [line.value for line in found.values()]
        if not values:
            return None
        if max(values) - min(values) > 2 * max(map(rounding_error, values)):
            stated = ", ".join(f"{line.value:.4g} in {name}" for name, line in found.items())
            raise RunFailed(
                Reason.NO_ACCURACY,
                f"{self._script} wrote files with different accuracies: {stated}. Print the accuracy that counts, as "
                "in 'Test accuracy: 0.83', or write it to $EPOCHAL_OUT/accuracy.json as {\"accuracy\": 0.83}.",
            )
        line = next(iter(found.values()))
        accuracy = Accuracy(self._resolve_unit(line), AccuracySource.FILE, line.samples)
        return self._match_measurement(accuracy, rounding_error(accuracy.value))

    def _last_cross_validation(self) -> Measurement | None:
        """Return the last cross-validation that measured an accuracy, or None.

        Cross-validations of a DummyClassifier are used only if there are no others.
        """
        found = [each for each in self._findings.recorded.measurements if each.kind is Kind.CROSS_VALIDATION]
        found = [each for each in found if "accuracy" in each.metrics and not each.is_training]
        return next((each for each in reversed(found) if not each.is_dummy), found[-1] if found else None)

    def _states_epochs(self, line: str) -> bool:
        """Return whether a line only lists what Keras' fit recorded for a metric in each epoch."""
        return any(
            lists_all(line, [epoch.metrics[name] for epoch in fit.epochs if name in epoch.metrics])
            for fit in self._findings.fits
            for name in dict.fromkeys(name for epoch in fit.epochs for name in epoch.metrics)
        )

    def _states_cross_validation(self) -> bool:
        """Return whether ``printed.unparsed`` (a line that does not count) states a best_score_ or the scores of folds."""
        last, line = self._last_cross_validation(), self._findings.printed.unparsed
        if last is None or not line:
            return False
        states_best = last.candidates > 0 and states_one_of(line, [last.metrics["accuracy"]])
        return states_best or lists_some(line, last.scores)

    def _refuse_unparsed_line(self) -> None:
        """Raise RunFailed if the script printed an accuracy in a form that cannot be parsed.

        A line that states what a cross-validation or a hyperparameter search measured needs no parsing.
        """
        if self._states_cross_validation():
            return
        printed = self._findings.printed
        unparsed = printed.unparsed
        if unparsed and (self._refused or (self._refused_predictions and not self._sound_predictions)):
            raise self._no_accuracy_error()
        if unparsed and (explanation := self._explain_training_numbers(find_shares(unparsed))):
            raise RunFailed(Reason.NO_ACCURACY, explanation)
        if unparsed:
            raise RunFailed(
                Reason.NO_ACCURACY,
                f"{self._script} reported no accuracy except in the line {unparsed!r}, which {printed.why_unparsed}. Print the "
                "accuracy on all test data as 'Test accuracy: 0.83'.",
            )

    def _from_cross_validation(self) -> Accuracy | None:
        last = self._last_cross_validation()
        if last is None:
            return None
        if refusal := self._explain_refusal(last):
            raise RunFailed(Reason.NO_ACCURACY, refusal)
        self._refuse_leaked_folds()
        return self._build_accuracy(last, AccuracySource.CROSS_VALIDATION)

    def _from_validation(self) -> Accuracy:
        """Return the validation accuracy of the last fit() or, if fit() was never called, the last one printed."""
        printed = self._findings.printed.all_validations
        if not self._findings.fits and printed and not self._refused and not self._refused_predictions:
            return Accuracy(self._resolve_unit(printed[-1]), AccuracySource.VALIDATION, printed[-1].samples)
        name = f"val_{self._metric or 'accuracy'}"
        fit, value = self._findings.fits[-1] if self._findings.fits else None, None
        for epoch in reversed(fit.epochs if fit else ()):  # with validation_freq, not every epoch has one
            value = epoch.metrics.get(name) if self._metric else epoch.validation_accuracy
            if value is not None:
                break
        if fit is None or value is None:
            raise self._no_accuracy_error()
        validation = self._findings.recorded.validations.get((fit.model, fit.call))
        if validation is None or not validation.overlap.checked:
            self._refuse_if_same(value, TOLERANCE)
        if validation is None:
            return Accuracy(value, AccuracySource.VALIDATION, evidence=Evidence(metric=name))
        validation = replace(validation, metrics={name.removeprefix("val_"): value})
        if refusal := self._explain_refusal(validation):
            raise RunFailed(Reason.NO_ACCURACY, refusal)
        return replace(self._build_accuracy(validation, AccuracySource.VALIDATION), value=value)

    def _match_measurement(self, accuracy: Accuracy, tolerance: float, *, is_share: bool = False) -> Accuracy:
        """Return an accuracy that the script wrote or printed, with the evidence from the measurement that it matches.

        ``is_share``: whether the accuracy may be the share of predictions that are close to their targets, as in a
        regression; for accuracy.json, this is assumed in any case. Raises RunFailed if the accuracy matches only a
        refused measurement or the average of several, or if it can only have been computed from refused predictions.
        """
        for each in reversed(self._sound):
            measured = each.metrics[self._metric_name(each)]
            if is_same_number(accuracy.value, measured, tolerance):
                found = self._build_accuracy(each, accuracy.source)
                own = accuracy if accuracy.samples and accuracy.samples != found.samples else found
                is_percentage = abs(accuracy.value - measured) > tolerance
                return replace(own, value=measured if is_percentage else accuracy.value, source=accuracy.source)
        # A number with few decimals may equal a refused measurement by chance, and come from later predictions instead.
        last_answer = max(
            (each.at for each in self._sound_predictions), default=self._findings.recorded.last_direct_call
        )
        earliest = last_answer if tolerance > 2 * TOLERANCE else -math.inf
        self._refuse_if_same(accuracy.value, tolerance, earliest)
        self._refuse_average(accuracy.value, tolerance, earliest)
        self._refuse_loss(accuracy.value, tolerance, earliest)
        if error := self._find_other_metric(accuracy.value, tolerance):
            raise error
        refused = self._refused_predictions[-1] if self._refused_predictions else None
        if refused and not self._sound_predictions and self._findings.recorded.last_direct_call <= refused.at:
            is_share = is_share or accuracy.source is AccuracySource.SCRIPT
            if is_share and explain_targets(refused.labels_of("")):
                return self._accept_share(accuracy, refused)
            raise RunFailed(Reason.NO_ACCURACY, self._explain_refusal(refused))
        return self._match_prediction(accuracy)

    def _accept_share(self, accuracy: Accuracy, prediction: Measurement) -> Accuracy:
        """Return ``accuracy`` with evidence from ``prediction``.

        The script computed ``accuracy`` as the share of predictions that are close enough to their targets. Raises
        RunFailed if the test rows make that share meaningless.
        """
        if refusal := self._explain_row_refusal(prediction):
            raise RunFailed(Reason.NO_ACCURACY, refusal)
        found = self._add_evidence(accuracy, prediction)
        # A constant answer is close enough to some targets, but to how many is not known.
        return replace(found, evidence=replace(found.evidence, chance=None, answer=""))

    def _refuse_loss(self, value: float, tolerance: float, earliest: float) -> None:
        """Raise RunFailed if ``value`` is the loss returned by a call to evaluate() that did not measure accuracy.

        ``earliest``: as in ``_refuse_if_same``.
        """
        for each in reversed(self._findings.recorded.measurements):
            loss = each.metrics.get("loss")
            if each.kind is not Kind.EVALUATE or loss is None or self._metric_name(each) or each.at < earliest:
                continue
            if is_same_number(value, loss, tolerance):
                raise self._build_metric_error(value, "loss", each)

    def _find_other_metric(self, value: float, tolerance: float) -> RunFailed | None:
        """Return an error if ``value`` is another metric from evaluate(), such as AUC; None if it may be an accuracy.

        It may be an accuracy if the script made predictions, or if it equals a metric of unknown kind.
        """
        if self._sound_predictions or self._findings.recorded.last_direct_call:
            return None
        evaluated = [each for each in self._findings.recorded.measurements if each.kind is Kind.EVALUATE]
        same = [
            (name, each)
            for each in evaluated
            for name, measured in each.metrics.items()
            if name != "loss" and is_same_number(value, measured, tolerance)
        ]
        if not same or not all(is_other_metric(name, each) for name, each in same):
            return None
        name, last = same[-1]
        return self._build_metric_error(value, last.classes.get(name, name), last)

    def _build_metric_error(self, value: float, metric: str, evaluated: Measurement) -> RunFailed:
        """Return the error for a stated accuracy that is really another metric, returned by evaluate()."""
        where = f" on line {evaluated.line}" if evaluated.line else ""
        remedy = f"{COMPILE.removesuffix('.')}, and report the accuracy that evaluate() then returns."
        if evaluated.labels_of("").kind == "numbers":
            remedy = OWN_ACCURACY
        return RunFailed(
            Reason.NO_ACCURACY,
            f"{self._script} reports {value:.4g} as its accuracy, but that is the {metric} that evaluate(){where} "
            f"returned. {remedy}",
        )

    def _refuse_if_same(self, value: float, tolerance: float, earliest: float = -math.inf) -> None:
        """Raise RunFailed if ``value`` equals a refused measurement or the mean training accuracy of a cross-validation.

        ``earliest``: measurements before this time are ignored, because ``value`` may come from a later prediction.
        """
        for each in reversed((*self._training_means, *self._refused)):
            if each.at < earliest or not is_same_number(value, each.metrics[self._metric_name(each)], tolerance):
                continue
            if not (each.is_training and self._may_be_counted(value, each.at)):
                raise RunFailed(Reason.NO_ACCURACY, self._explain_refusal(each))

    def _may_be_counted(self, value: float, since: float) -> bool:
        """Return whether ``value`` may be the share of correct answers among the predictions made after ``since``."""
        later = [each for each in self._sound_predictions if each.at > since]
        return self._findings.recorded.last_direct_call > since or any(
            not each.samples or is_share_of(value, each.samples) for each in later
        )

    def _refuse_average(self, value: float, tolerance: float, earliest: float) -> None:
        """Raise RunFailed if ``value`` is the average of refused measurements, such as one for each fold.

        It is accepted if it is also an average of measurements that are not all refused.
        ``earliest``: as in ``_refuse_if_same``.
        """
        refusal = ""
        for group in group_for_averages(self._averaged):
            values = [each.metrics[self._metric_name(each)] for each in group]
            sizes = [each.samples or 1 for each in group]
            pooled = sum(map(operator.mul, values, sizes)) / sum(sizes)
            if not any(is_same_number(value, mean, tolerance) for mean in (sum(values) / len(values), pooled)):
                continue
            refusals = [self._explain_part_refusal(each) for each in group]
            if not all(refusals):
                return
            if group[-1].at >= earliest:
                refusal = refusals[-1]
        if refusal:
            raise RunFailed(Reason.NO_ACCURACY, refusal)

    def _explain_part_refusal(self, part: Measurement) -> str:
        """Return why a measurement on part of the test set does not count.

        It is not refused just because all rows in the part have the same class.
        """
        labels = {output: replace(each, answers=None) for output, each in part.labels.items()}
        return self._explain_refusal(replace(part, labels=labels))

    def _match_prediction(self, accuracy: Accuracy) -> Accuracy:
        """Return an accuracy that nn.py computed itself, with the evidence from the prediction behind it."""
        last = find_latest(self._sound_predictions)
        if last is None or (accuracy.samples and accuracy.samples != last.samples):
            return replace(accuracy, evidence=Evidence(unchecked=f"{self._script} computed the accuracy itself"))
        return self._add_evidence(accuracy, last)

    def _add_evidence(self, accuracy: Accuracy, prediction: Measurement) -> Accuracy:
        found = self._build_accuracy(prediction, accuracy.source)
        return replace(found, value=accuracy.value, test_set=accuracy.test_set or found.test_set)

    def _build_accuracy(self, measurement: Measurement, source: AccuracySource) -> Accuracy:
        name = self._metric_name(measurement) or ""
        labels, overlap, recorded = measurement.labels_of(name), measurement.overlap, self._findings.recorded
        evidence = Evidence(
            metric=name,
            chance=labels.chance,
            answer=labels.answer,
            checked=overlap.checked,
            unchecked=overlap.unchecked_reason,
            seen=overlap.share,
            expected=overlap.expected,
            accepted=overlap.refused,
            new_labels=overlap.new_labels,
        )
        return Accuracy(
            measurement.metrics.get(name, math.nan),
            source,
            measurement.samples,
            measurement.test_set,
            recorded.test_sets.get(measurement.test_set or ""),
            recorded.count_looks(measurement.test_set),
            evidence,
        )

    def _metric_name(self, measurement: Measurement) -> str:
        """Return the name of the metric that counts; empty if the measurement does not include it."""
        if self._metric and measurement.kind is Kind.EVALUATE:
            return self._metric if self._metric in measurement.metrics else ""
        return (measurement.accuracies or [""])[0]

    def _explain_kind(self, measurement: Measurement) -> str:
        """Return why a measurement is not the accuracy of a trained classifier on test rows; empty if it may be."""
        if measurement.is_r2:
            value = next(iter(measurement.metrics.values()), math.nan)
            where = f" on line {measurement.line}" if measurement.line else ""
            return (
                f"{self._script} measured {value:.4g}{where}. This is R² from a regressor's score() or from r2_score(), not "
                f"an accuracy{self._explain_unused_line(value)}. {OWN_ACCURACY}"
            )
        if measurement.is_training:
            stated = f"{self._script} reports {measurement.metrics['accuracy']:.4g} as its accuracy, but that is"
            if measurement.candidates:
                return (
                    f"{stated} a mean accuracy that {measurement.measured_by} measured on training rows. "
                    "Report best_score_ instead: it is a mean accuracy on validation rows."
                )
            return (
                f"{stated} the mean accuracy that {measurement.measured_by}() returned for training rows. "
                "Report the mean of its scores on test rows instead, as in 'Test accuracy: 0.83'."
            )
        if measurement.is_selected:
            if selected := find_leak(self._findings.leaks, "learned_before_folds"):
                return explain_leak(selected)
            return (
                "The cross-validation was given features that had been selected using the labels of its rows, so its accuracy is "
                "too high. Cross-validate make_pipeline(selector, model) on the original features, so that features are selected "
                "separately in each fold."
            )
        if measurement.is_dummy:
            return f"{self._script} evaluated only a DummyClassifier, which learns nothing. Evaluate a trained model."
        return ""

    def _explain_refusal(self, measurement: Measurement) -> str:
        """Return why a measurement does not count and what to do about it; empty if it counts."""
        if refusal := self._explain_kind(measurement):
            return refusal
        if self._findings.recorded.is_unchanged_by_fit(measurement):
            return explain_unchanged_weights(self._script)
        if measurement.trained is False:
            return (
                f"{self._script} evaluated only a model that it loaded, not one that it trained in this run. "
                f"{self._suggest_trained_model()}"
            )
        if measurement.kind is Kind.SCORE and measurement.trained is None:
            # The origin of the answers is unknown. If all predictions for the same number of rows are refused, so
            # is the score.
            same = [each for each in self._refused_predictions if each.samples == measurement.samples]
            if same and not any(each.samples == measurement.samples for each in self._sound_predictions):
                return self._explain_refusal(same[-1])
        labels = measurement.labels_of(self._metric_name(measurement))
        if refusal := explain_label_refusal(measurement, labels, self._metric_name(measurement)):
            return refusal
        refusal = self._explain_row_refusal(measurement)
        if refusal and measurement.kind is Kind.CROSS_VALIDATION and measurement.has_seen_rows:
            return self._explain_copied_folds(measurement)
        return refusal

    def _explain_row_refusal(self, measurement: Measurement) -> str:
        """Return why the rows of a measurement make it meaningless, and what to do; empty if the rows are fine."""
        leaks, accepts_repeats = self._findings.leaks, self._accepts_repeats
        return explain_row_refusal(measurement, leaks, self._script, accepts_repeats=accepts_repeats)

    def _explain_copied_folds(self, mean: Measurement) -> str:
        """Return why a cross-validation whose test folds share rows with their training folds does not count."""
        if copied := find_leak(self._findings.leaks, "copied_before_folds"):
            return explain_leak(copied)
        if mean.overlap.is_part:
            return (
                "In the cross-validation, the rows of a test fold are also in the training folds, so the accuracy is meaningless. "
                "Use a splitter that keeps the test rows out of the training folds, such as cv=KFold(5)."
            )
        remedy = (
            "Cross-validate the original rows, and copy or oversample rows only in the training folds. If the data naturally "
            "has repeated rows, set repeated_rows = true in epochal.toml."
        )
        return (
            f"In the cross-validation, {describe_share(mean.overlap.share)} of the rows of a test fold are identical to rows "
            f"in the training folds, so a model may have memorised them. {remedy}"
        )

    def _explain_unused_line(self, r2: float) -> str:
        """Return why the last printed accuracy does not count; empty if it equals the R², or if none was printed."""
        printed = self._findings.printed
        if printed.unparsed:
            return f", and the line {printed.unparsed!r} {printed.why_unparsed}"
        line = printed.test
        if line is None or is_same_number(line.value, r2, rounding_error(line.value)):
            return ""
        return f", and the line {line.text!r} may state another regression metric"

    def _suggest_trained_model(self) -> str:
        """Return how to evaluate a model that was trained in this run instead of one that was loaded."""
        if self._findings.fits or any(each.trained for each in self._findings.recorded.measurements):
            return "Evaluate the model that fit() trained."
        loaded = find_leak(self._findings.leaks, "loaded_model")
        file = _LOADED_FILE.search(loaded.message) if loaded else None
        if loaded is None or file is None:
            return (
                "If the script trains only when a saved model is missing, remove the model file from the commit with "
                "git rm --cached and list it in .gitignore; otherwise, train a model in the script and evaluate it."
            )
        return (
            f"{loaded.path} loads {file[1]} on line {loaded.line}. If the script trains only when that file is missing, "
            f"remove it from the commit with git rm --cached {shlex.quote(file[1])} and list it in .gitignore; otherwise, train a "
            "model in the script and evaluate it."
        )

    def _no_accuracy_error(self) -> RunFailed:
        """Return the error for a trial that has no accuracy that counts, with the most specific explanation available."""
        # If the script has predicted other rows, too, and prints no accuracy, the refused predictions are not its test.
        has_test = self._sound_predictions and self._findings.printed.test is None
        for refused in (self._refused, [] if has_test else self._refused_predictions):
            if refused:
                return RunFailed(Reason.NO_ACCURACY, self._explain_refusal(refused[-1]))
        measurements = [each for each in self._findings.recorded.measurements if each.kind is Kind.EVALUATE]
        line = self._findings.printed.test
        if line and (error := self._find_other_metric(line.value, rounding_error(line.value))):
            return error
        if explanation := self._explain_training_line():
            return RunFailed(Reason.NO_ACCURACY, explanation)
        if measurements:
            return RunFailed(Reason.NO_ACCURACY, explain_missing_accuracy(measurements[-1], self._script))
        if self._findings.hidden:
            return RunFailed(
                Reason.NO_ACCURACY, f"{self._script} finished but reported no accuracy. {self._findings.hidden}"
            )
        last = self._findings.printed.last_share
        last = f" (the last printed line, {last!r}, {explain_other(last)})" if last else ""
        return RunFailed(Reason.NO_ACCURACY, f"{self._script} {_NO_ACCURACY.format(last=last)}")

    def _explain_training_line(self) -> str:
        """Return why the printed accuracy does not count; empty unless it is a mean training accuracy."""
        line = self._findings.printed.test
        return self._explain_training_numbers([line.value]) if line else ""

    def _explain_training_numbers(self, stated: Sequence[float]) -> str:
        """Return why a mean training accuracy among the numbers ``stated`` does not count; empty if there is none.

        A number is skipped if it may be the share of correct answers among later predictions.
        """
        for each in reversed(self._training_means):
            for value in stated:
                if is_same_number(value, each.metrics["accuracy"], rounding_error(value)) and not self._may_be_counted(
                    value, each.at
                ):
                    return self._explain_refusal(each)
        return ""

    def _explain_refused_score(self, search: Measurement) -> str:
        """Return why the last score does not count; empty unless a hyperparameter search had seen its rows."""
        last = self._refused[-1] if self._refused else None
        if last is None or last.kind is not Kind.SCORE or not search.candidates or not last.overlap.is_part:
            return ""
        where = f"score() on line {last.line} of {self._script}" if last.line else "score()"
        return (
            f"{where} does not count, because {search.measured_by} was fitted on the same rows. Split the data "
            f"first, and fit {search.measured_by} on the training rows only."
        )

    def _collect_notes(self, accuracy: Accuracy) -> list[str]:
        """Return notes about which number the verdict uses, with advice; empty if there is nothing to explain."""
        shown, lines = f"{accuracy.value:.4g}", self._findings.printed.all_tests
        if accuracy.source is AccuracySource.VALIDATION:
            return [f"{self._script} measured no test accuracy, so the verdict uses {self._describe_validation(shown)}"]
        if accuracy.source is AccuracySource.FILE:
            name = next(each.name for each in self._findings.files if each.accuracy)
            return [f"The verdict uses the accuracy in {name}, which {self._script} wrote in this trial: {shown}."]
        mean = self._last_cross_validation()
        if accuracy.source is AccuracySource.CROSS_VALIDATION and mean:
            notes = [self._explain_training_line(), self._explain_refused_score(mean)]
            return [*filter(None, notes), _describe_cross_validation(mean, shown)]
        if accuracy.source is AccuracySource.OUTPUT and lines and lines[-1].is_precision:
            return [
                f"{self._script} prints {lines[-1].text!r}, which counts as its accuracy. If this is the precision for "
                "a single class, print the accuracy as 'Test accuracy: 0.83'."
            ]
        if accuracy.source is AccuracySource.SCRIPT and self._is_best(accuracy.value, TOLERANCE):
            return self._describe_resplits(f"the accuracy in accuracy.json, {shown}, which is the highest one measured")
        if accuracy.source not in (AccuracySource.EVALUATE, AccuracySource.SCORE):
            return []
        prints_other = bool(lines) and not any(
            is_same_number(line.value, accuracy.value, rounding_error(line.value)) for line in lines
        )
        if not prints_other or self._is_best(lines[-1].value, rounding_error(lines[-1].value)):
            used = f"the last accuracy, {shown}, which may be the best rather than a typical one"
            if resplits := self._describe_resplits(used):
                return resplits
        judged_text = f"the verdict uses the accuracy {accuracy.source.description}, {shown}. {_OTHER_NUMBER}"
        facts = [f"evaluated {count_models(self._sound)} models"] if count_models(self._sound) > 1 else []
        if prints_other:
            facts.append(f"printed {lines[-1].text!r}")
        return [f"{self._script} {' and '.join(facts)}, but {judged_text}"] if facts else []

    def _is_best(self, value: float, tolerance: float) -> bool:
        """Return whether ``value`` equals the highest of the accuracies that count."""
        values = [each.metrics[self._metric_name(each)] for each in self._sound]
        return bool(values) and is_same_number(value, max(values), tolerance)

    def _describe_resplits(self, used: str) -> list[str]:
        """Return a note if the script tested models on different splits of its data. ``used``: what the verdict uses."""
        last = self._last_measured()
        tested = [*self._sound, *self._sound_predictions]
        count = self._findings.recorded.count_resplits(last, tested) if last else 0
        if count < _MIN_RESPLITS:
            return []
        return [
            f"{self._script} evaluated at least {count} models on test sets that share rows, and the verdict uses {used}. "
            "Split the data once, with a fixed random_state."
        ]

    def _describe_validation(self, shown: str) -> str:
        """Describe the validation accuracy that the verdict uses, and advise the developer to use test data instead."""
        if not self._findings.fits:
            line = self._findings.printed.all_validations[-1]
            return (
                f"the last printed validation accuracy, {line.text!r}. Test on separate data, and print the "
                "result as 'Test accuracy: 0.83'."
            )
        fit = self._findings.fits[-1]
        measured = [epoch.number for epoch in fit.epochs if epoch.validation_accuracy is not None]
        is_earlier = not self._metric and measured and measured[-1] != fit.last_epoch
        which = f"the val_accuracy of epoch {measured[-1]}" if is_earlier else "the last epoch's val_accuracy"
        return f"{which}, {shown}. Call evaluate() on separate test data."


def explain_empty_test(findings: Findings) -> str:
    """Return advice if the script's last measurement was a call to evaluate() with no samples; empty otherwise."""
    last = findings.recorded.measurements[-1:]
    is_empty = bool(last) and last[0].kind is Kind.EVALUATE and not last[0].metrics
    return explain_missing_accuracy(last[0], findings.script) if is_empty else ""


def _describe_cross_validation(mean: Measurement, shown: str) -> str:
    """Explain the mean accuracy of a cross-validation or of a hyperparameter search."""
    folds = plural(mean.folds, "fold")
    if mean.candidates:
        return (
            f"The verdict uses {mean.measured_by}'s best_score_, {shown}: the mean validation accuracy of the best of "
            f"{plural(mean.candidates, 'candidate')} over {folds}. The best of several accuracies is probably a little too high. "
            "Call score() on separate test data."
        )
    return (
        f"The verdict uses the mean accuracy of {mean.measured_by} over {folds}, {shown}. No single model was "
        "tested. To judge a single model, fit one and call its score() on separate test data."
    )


def _add_labels(prediction: Measurement, measurements: Sequence[Measurement]) -> Measurement:
    """Return ``prediction`` with its labels or, if it has none, with those of a measurement on the same test set."""
    if prediction.labels or prediction.test_set is None:
        return prediction
    same = (each for each in measurements if each.test_set == prediction.test_set and len(each.labels) == 1)
    found = next(same, None)
    if found is None:
        return prediction
    labels = found.labels
    if found.is_r2:  # the accuracy that a regression states is a share of close answers, for which no chance is known
        labels = {output: replace(each, chance=None, answer="") for output, each in labels.items()}
    return replace(prediction, labels=labels)
