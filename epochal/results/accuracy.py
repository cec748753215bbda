"""Choose the accuracy of a training among the numbers that were measured, written or printed."""

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from epochal.errors import Reason, RunFailed
from epochal.folders import SCRIPT
from epochal.records import Accuracy, AccuracySource, Evidence, Fit
from epochal.results.measurements import Kind, Labels, Measured, Measurement, last_of, networks_of
from epochal.results.metrics import UNREADABLE, number, samples_of, test_set_of
from epochal.results.printed import PrintedLines

_AGREES = 0.0005
"""Accuracies that differ by at most this count as the same number, because scripts print three decimals."""
_OTHER_NUMBER = 'To have another number judged, write it to $EPOCHAL_OUT/accuracy.json: {"accuracy": 0.83}.'
_KEPT_APART = (
    "Keep the test rows out of the training data, or set repeated_rows = true in epochal.toml if the data repeat rows."
)
_NOTHING = (
    "The training ended well but measured no accuracy: no accuracy.json in $EPOCHAL_OUT, no evaluate() with an accuracy "
    "metric, no line like 'Test accuracy: 0.83', no score() or accuracy_score(), no val_accuracy. "
    f"Print such a line at {SCRIPT}'s end."
)


@dataclass(frozen=True)
class Told:
    """What a training left behind about its accuracy.

    ``accuracy_json``: the text of accuracy.json, None if there is no such file. ``measured``: what the recorder saw.
    ``printed``: the printed lines about accuracy. ``fits``: the calls of Keras' fit, in order.
    """

    accuracy_json: str | None
    measured: Measured
    printed: PrintedLines
    fits: Sequence[Fit] = ()


@dataclass(frozen=True)
class Choice:
    """The accuracy to judge, and notes about other numbers that were measured or printed."""

    accuracy: Accuracy
    notes: tuple[str, ...] = ()


def choose_accuracy(told: Told, metric: str = "", *, repeated_rows: bool = False) -> Choice:
    """Return the accuracy (0 to 1) of a training that ended well.

    It is taken from the first of these sources that has one:

    1. accuracy.json, if nn.py wrote it itself;
    2. the last measurement in time by evaluate(), score() or accuracy_score();
    3. the last printed line that states a test accuracy;
    4. the last epoch's val_accuracy.

    A measurement does not count if it is known not to be an accuracy of classes (R², an autoencoder, several labels per
    row), to be of a DummyClassifier or of a model that this run did not train, or to be on rows that the model was
    trained on. A written or printed number does not count if it equals that of a measurement that does not count. An
    accuracy.json that does not count fails the run; such measurements and lines are skipped.

    ``metric``: the name of the metric to judge, if evaluate() measures several. ``repeated_rows``: accept test rows
    that were also trained on. Raises RunFailed with the reason NO_ACCURACY (the explanation says what does not count,
    why, and what to do), ACCURACY_NOT_FINITE or ACCURACY_OUT_OF_RANGE.
    """
    return _Chooser(told, metric, repeated_rows).choose()


class _Chooser:
    """The measurements of one training, divided into those that count (sound) and those that do not (refused)."""

    def __init__(self, told: Told, metric: str, repeated_rows: bool) -> None:
        self._told = told
        self._metric = metric
        self._accepts_repeats = repeated_rows
        measurements = [each for each in told.measured.measurements if each.kind is not Kind.PREDICT]
        self._named = [each for each in measurements if self._name_of(each)]
        predictions = [
            _with_labels(each, measurements) for each in told.measured.measurements if each.kind is Kind.PREDICT
        ]
        self._sound_predictions = [each for each in predictions if not self._refusal(each)]
        self._refused_predictions = [each for each in predictions if self._refusal(each)]
        sound = [each for each in self._named if not self._refusal(each)]
        # A network of unknown origin may have been loaded ready-made, so it does not count if this run trained others.
        is_any_known = any(each.trained for each in sound)
        self._sound = [each for each in sound if each.trained or each.kind is not Kind.EVALUATE or not is_any_known]
        self._refused = [each for each in self._named if self._refusal(each)]

    def choose(self) -> Choice:
        """Return the accuracy to judge, and notes."""
        accuracy = _checked(self._written() or self._measured() or self._printed() or self._validated())
        return Choice(accuracy, tuple(self._notes(accuracy)))

    def _written(self) -> Accuracy | None:
        if self._told.accuracy_json is None:
            return None
        found = _from_file(self._told.accuracy_json)
        return None if found is None else self._stated(found, _AGREES)

    def _measured(self) -> Accuracy | None:
        last = self._last_measured()
        if last is None:
            return None
        if not self._metric and len(last.accuracies) > 1:
            choices = " or ".join(f'metric = "{name}"' for name in last.accuracies)
            raise RunFailed(
                Reason.NO_ACCURACY,
                f"evaluate() measured several accuracies ({', '.join(last.accuracies)}), and {SCRIPT} does not say which one "
                f"counts. Choose one in epochal.toml: {choices}.",
            )
        source = AccuracySource.EVALUATE if last.kind is Kind.EVALUATE else AccuracySource.SCORE
        return self._accuracy(last, source)

    def _last_measured(self) -> Measurement | None:
        """Return the last sound measurement, or None.

        If that is a score of unknown origin, but nn.py printed the measurement of a trained network as its accuracy,
        return the latter.
        """
        last = last_of(self._sound)
        if last is None or last.trained or last.kind is not Kind.SCORE:
            return last
        known = last_of([each for each in self._sound if each.trained])
        line = self._told.printed.test
        if known and line and _agree(line.value, known.metrics[self._name_of(known)], _tolerance(line.value)):
            return known
        return last

    def _printed(self) -> Accuracy | None:
        for line in reversed(self._told.printed.all_tests):
            try:
                stated = Accuracy(line.value, AccuracySource.OUTPUT, line.samples)
                return self._stated(stated, _tolerance(line.value))
            except RunFailed:
                continue  # an earlier line may still count
        unread = self._told.printed.unread
        if unread and (self._refused or self._refused_predictions):
            raise self._nothing_left()
        if unread:
            raise RunFailed(
                Reason.NO_ACCURACY,
                f"A line that {SCRIPT} printed seems to state its accuracy, in a form that is not understood: {unread!r}. "
                "Print it as 'Test accuracy: 0.83'.",
            )
        return None

    def _validated(self) -> Accuracy:
        """Return the accuracy of the last fit on its validation data, after its last epoch."""
        fit = self._told.fits[-1] if self._told.fits else None
        if fit is None or not fit.epochs:
            raise self._nothing_left()
        last, name = fit.epochs[-1], f"val_{self._metric or 'accuracy'}"
        value = last.metrics.get(name) if self._metric else last.validation_accuracy
        if value is None:
            raise self._nothing_left()
        validation = self._told.measured.validations.get((fit.model, fit.call))
        if validation is None or not validation.seen.checked:
            self._refuse_if_agreeing(value, _AGREES)
        if validation is None:
            return Accuracy(value, AccuracySource.VALIDATION, evidence=Evidence(metric=name))
        validation = replace(validation, metrics={name.removeprefix("val_"): value})
        if refusal := self._refusal(validation):
            raise RunFailed(Reason.NO_ACCURACY, refusal)
        return replace(self._accuracy(validation, AccuracySource.VALIDATION), value=value)

    def _stated(self, accuracy: Accuracy, tolerance: float) -> Accuracy:
        """Return an accuracy that nn.py wrote or printed, with the evidence of the measurement that it equals.

        Raises RunFailed if it equals only a refused measurement, or can only be computed from refused predictions.
        """
        for each in reversed(self._sound):
            if _agree(accuracy.value, each.metrics[self._name_of(each)], tolerance):
                found = self._accuracy(each, accuracy.source)
                own = accuracy if accuracy.samples and accuracy.samples != found.samples else found
                return replace(own, value=accuracy.value, source=accuracy.source)
        # A number with few decimals may equal a refused measurement by chance, but be computed from later predictions.
        answered = max((each.at for each in self._sound_predictions), default=self._told.measured.called)
        self._refuse_if_agreeing(accuracy.value, tolerance, answered if tolerance > 2 * _AGREES else math.inf)
        refused = self._refused_predictions[-1] if self._refused_predictions else None
        if refused and not self._sound_predictions and self._told.measured.called <= refused.at:
            raise RunFailed(Reason.NO_ACCURACY, self._refusal(refused))
        return self._of_prediction(accuracy)

    def _refuse_if_agreeing(self, value: float, tolerance: float, answered: float = math.inf) -> None:
        """Raise RunFailed if ``value`` equals a refused measurement; those before a finite ``answered`` are ignored."""
        for each in reversed(self._refused):
            is_before = answered != math.inf and each.at < answered
            if not is_before and _agree(value, each.metrics[self._name_of(each)], tolerance):
                raise RunFailed(Reason.NO_ACCURACY, self._refusal(each))

    def _of_prediction(self, accuracy: Accuracy) -> Accuracy:
        """Return an accuracy that nn.py computed itself, with what is known of the rows that it predicted."""
        last = last_of(self._sound_predictions)
        if last is None or (accuracy.samples and accuracy.samples != last.samples):
            return replace(accuracy, evidence=Evidence(unchecked=f"{SCRIPT} measured it by itself"))
        found = self._accuracy(last, accuracy.source)
        return replace(found, value=accuracy.value, test_set=accuracy.test_set or found.test_set)

    def _accuracy(self, measurement: Measurement, source: AccuracySource) -> Accuracy:
        name = self._name_of(measurement) or ""
        labels, seen, measured = measurement.labels_of(name), measurement.seen, self._told.measured
        evidence = Evidence(
            metric=name,
            chance=labels.chance,
            answer=labels.answer,
            checked=seen.checked,
            unchecked=seen.why,
            seen=seen.share,
            expected=seen.expected,
            accepted=seen.refused,
        )
        return Accuracy(
            measurement.metrics.get(name, math.nan),
            source,
            measurement.samples,
            measurement.test_set,
            measured.test_sets.get(measurement.test_set or ""),
            measured.looks_at(measurement.test_set),
            evidence,
        )

    def _name_of(self, measurement: Measurement) -> str:
        """Return the name of the metric to judge; empty if the measurement does not have it."""
        if self._metric and measurement.kind is Kind.EVALUATE:
            return self._metric if self._metric in measurement.metrics else ""
        return (measurement.accuracies or [""])[0]

    def _refusal(self, measurement: Measurement) -> str:
        """Return why a measurement does not count and what to do about it; empty if it counts."""
        if measurement.is_r2:
            return (
                "The number is what a regressor's score() or r2_score() returned: R², which is no accuracy. "
                "Measure a classifier, or report an accuracy that fits (accuracy.json)."
            )
        if measurement.is_dummy:
            return f"Only a DummyClassifier was measured, which learns nothing. Measure the model that {SCRIPT} trains."
        if measurement.trained is False:
            return (
                f"Only a network that {SCRIPT} loaded ready-made was measured, none that it trained in this run. "
                "Evaluate the network that fit() trained."
            )
        if measurement.kind is Kind.SCORE and measurement.trained is None:
            # The origin of the answers is unknown. If all predictions for as many rows are refused, so is this score.
            same = [each for each in self._refused_predictions if each.samples == measurement.samples]
            if same and not any(each.samples == measurement.samples for each in self._sound_predictions):
                return self._refusal(same[-1])
        labels = measurement.labels_of(self._name_of(measurement))
        return _refusal_of_labels(measurement, labels, self._name_of(measurement)) or _refusal_of_rows(
            measurement, self._accepts_repeats
        )

    def _nothing_left(self) -> RunFailed:
        """Return the error for a training without an accuracy that counts, with the most specific explanation."""
        for refused in (self._refused, self._refused_predictions):
            if refused:
                return RunFailed(Reason.NO_ACCURACY, self._refusal(refused[-1]))
        measurements = [each for each in self._told.measured.measurements if each.kind is Kind.EVALUATE]
        if self._metric and measurements:
            names = ", ".join(dict.fromkeys(name for each in measurements for name in each.metrics)) or "nothing"
            return RunFailed(
                Reason.NO_ACCURACY,
                f'metric = "{self._metric}" in epochal.toml is nothing that evaluate() measured: it measured {names}.',
            )
        return RunFailed(Reason.NO_ACCURACY, _NOTHING)

    def _notes(self, accuracy: Accuracy) -> list[str]:
        """Return notes about other numbers that were measured or printed, and how to have those judged."""
        shown, lines = f"{accuracy.value:.4g}", self._told.printed.all_tests
        if accuracy.source is AccuracySource.VALIDATION:
            return [
                f"{SCRIPT} measured no test accuracy, so the last epoch's val_accuracy, {shown}, is judged. "
                "Call evaluate() on test data that were kept apart."
            ]
        if accuracy.source not in (AccuracySource.EVALUATE, AccuracySource.SCORE):
            return []
        judged = f"the accuracy {accuracy.source.sentence}, {shown}, is judged. {_OTHER_NUMBER}"
        if lines and not any(_agree(line.value, accuracy.value, _tolerance(line.value)) for line in lines):
            return [f"{SCRIPT} prints {lines[-1].text!r}, but {judged}"]
        if networks_of(self._sound) > 1:
            return [f"{SCRIPT} measured {networks_of(self._sound)} networks; {judged}"]
        return []


def _with_labels(prediction: Measurement, measurements: Sequence[Measurement]) -> Measurement:
    """Return a prediction with the labels of another measurement of the same test set, if it has no labels itself."""
    if prediction.labels or prediction.test_set is None:
        return prediction
    same = (each for each in measurements if each.test_set == prediction.test_set and len(each.labels) == 1)
    found = next(same, None)
    return replace(prediction, labels=found.labels) if found else prediction


def _refusal_of_labels(measurement: Measurement, labels: Labels, name: str) -> str:
    if labels.kind == "numbers":
        return (
            f"The targets are not whole numbers, so {SCRIPT} trains a regression, of which an accuracy says nothing. "
            "Measure classes, or report an accuracy that fits (accuracy.json)."
        )
    if labels.kind == "inputs":
        return (
            "The targets are the inputs themselves, as an autoencoder's are, of which an accuracy says nothing. "
            "Measure classes, or report an accuracy that fits (accuracy.json)."
        )
    if labels.answers == 1:
        return (
            f"All test labels are {labels.answer!r}, so always giving that answer is always right. "
            "Test on data that have every class."
        )
    is_binary = measurement.classes.get(name, "").startswith("Binary") or name.endswith("binary_accuracy")
    if labels.kind == "one-hot" and is_binary and measurement.kind is not Kind.SCORE:
        return (
            f"{name} counts each zero of a one-hot label as a right answer. "
            'Measure the share of right rows: metrics=["categorical_accuracy"].'
        )
    if "TopK" in measurement.classes.get(name, ""):
        return (
            f"{name} counts an answer as right that is among several. "
            'Measure the share of right answers: metrics=["accuracy"].'
        )
    if labels.kind == "several" and measurement.kind in (Kind.EVALUATE, Kind.VALIDATION):
        return (
            f"Each row has several labels, and {name} counts them one by one. Measure the share of rows that are wholly "
            "right, as scikit-learn's accuracy_score(y_test, model.predict(x_test) > 0.5) does."
        )
    return ""


def _refusal_of_rows(measurement: Measurement, accepts_repeats: bool) -> str:
    seen = measurement.seen
    if seen.redrawn:
        return (
            "The test set is drawn anew at each reading, from rows that are also trained on: its tf.data pipeline takes or "
            "skips after shuffle(). Write shuffle(…, reshuffle_each_iteration=False), or split the arrays first."
        )
    if not seen.refused or accepts_repeats:
        return ""
    what = "validation" if measurement.kind is Kind.VALIDATION else "test"
    expected = f", where a clean split would show {seen.expected:.0%}" if seen.expected >= 0.005 else ""
    share = "All" if seen.share >= 0.9995 else f"{seen.share:.0%} of"
    return f"{share} {what} rows were also trained on{expected}, so the accuracy on them says nothing. {_KEPT_APART}"


def _from_file(text: str) -> Accuracy | None:
    """Return the accuracy that nn.py wrote to accuracy.json; None if the recorder wrote the file."""
    try:
        content = json.loads(text)
        if content.get("source") == "evaluate":
            return None
        return Accuracy(number(content["accuracy"]), AccuracySource.SCRIPT, samples_of(content), test_set_of(content))
    except UNREADABLE:
        raise RunFailed(
            Reason.NO_ACCURACY,
            f'accuracy.json should be like {{"accuracy": 0.83}}; it is {text[:80]!r}. Correct what {SCRIPT} writes there.',
        ) from None


def _agree(stated: float, measured: float, tolerance: float) -> bool:
    """Return whether ``stated``, perhaps in percent, is ``measured``; ``tolerance`` is in the unit of ``stated``."""
    return any(abs(value - measured) <= tolerance * scale for value, scale in ((stated, 1.0), (stated / 100, 0.01)))


def _tolerance(value: float) -> float:
    """Return the rounding error of a number that was printed with as many decimals as ``value`` has."""
    exponent = Decimal(repr(value)).as_tuple().exponent if math.isfinite(value) else 0
    decimals = max(2, -exponent) if isinstance(exponent, int) else 2
    return max(_AGREES, 0.501 * 10.0**-decimals)


def _as_measured(value: float) -> float:
    """Return the shortest decimal that has the same 32-bit float as ``value``, because Keras measures in 32-bit floats.

    324 of 360 is 0.9. As a 32-bit float it is 0.8999999761581421, which would be below a threshold of 0.9. A number
    that is not a 32-bit float is returned unchanged.
    """
    if not math.isfinite(value) or abs(value) > 1 or struct.unpack("f", struct.pack("f", value))[0] != value:
        return value
    decimals = (float(f"{value:.{digits}g}") for digits in range(1, 10))
    return next(short for short in decimals if struct.unpack("f", struct.pack("f", short))[0] == value)


def _checked(accuracy: Accuracy) -> Accuracy:
    if not math.isfinite(accuracy.value):
        raise RunFailed(
            Reason.ACCURACY_NOT_FINITE,
            f"The accuracy {accuracy.source.sentence} is {accuracy.value}, not a finite number: the training diverged, "
            "or there was nothing to measure it on.",
        )
    if not 0 <= accuracy.value <= 1:
        remedy = "Write it as 0.832 or as 83.2%."
        if 1 < accuracy.value <= 100:
            share = float(Decimal(str(accuracy.value)) / 100)
            remedy = f"If it is in percent, write {share:g} or {accuracy.value:g}%."
        raise RunFailed(
            Reason.ACCURACY_OUT_OF_RANGE,
            f"The accuracy {accuracy.source.sentence} is {accuracy.value:g}, not between 0 and 1. {remedy}",
        )
    return replace(accuracy, value=_as_measured(accuracy.value))
