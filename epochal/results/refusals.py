"""Explain why a measurement does not count as an accuracy, and what to do about it."""

import re
from collections.abc import Sequence

from epochal.analysis.findings import Finding
from epochal.results.measurements import Kind, Labels, Measurement

OWN_ACCURACY = (
    "Measure the accuracy of a classifier, or count the predictions that are close enough to their targets and write "
    'their share (0 to 1) to $EPOCHAL_OUT/accuracy.json, for example {"accuracy": 0.83}. '
    "Choose a tolerance small enough that always predicting the mean would miss the threshold."
)
COMPILE = 'Compile the model with metrics=["accuracy"].'
_ALL_ROWS = 0.9995
"""If at least this share of the test rows was used in training, messages say "all"."""
_KEEP_OUT = (
    "Keep the test rows out of the training data, or, if the data naturally has repeated rows, set "
    "repeated_rows = true in epochal.toml."
)
_MAX_COPIED = 0.05
"""If the script duplicates rows before it splits them, at most this share of the test rows may be used in training."""
_SUPERVISED = re.compile(r"Select|RFE|LinearDiscriminant|QuadraticDiscriminant|TargetEncoder")
"""Matches findings about estimators that learn from labels; the rows they are fitted on count as training rows."""
REFUSED_LEAKS = ("augmented_before_split", "chosen_before_split", "learned_before_split")
"""Kinds of findings about data that contains or depends on test rows, which can make even random labels predictable."""
OTHER_METRICS = frozenset(
    {"AUC", "Recall", "Precision", "F1Score", "FBetaScore", "R2Score", "MeanIoU", "IoU", "BinaryIoU", "OneHotIoU"}
    | {
        "MeanSquaredError",
        "RootMeanSquaredError",
        "MeanAbsoluteError",
        "MeanAbsolutePercentageError",
        "CosineSimilarity",
    }
    | {
        "MeanSquaredLogarithmicError",
        "LogCoshError",
        "Poisson",
        "KLDivergence",
        "Hinge",
        "SquaredHinge",
        "CategoricalHinge",
    }
    | {"BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy", "ConcordanceCorrelation"}
)
"""The Keras metric classes that do not measure a share of correct answers."""
_REGRESSION_METRICS = re.compile(
    r"mae|mse|rmse|mape|msle|r2_?score|.*(?:error|squared|logcosh|cosine_similarity).*", re.IGNORECASE
)


def explain_missing_accuracy(evaluated: Measurement, script: str) -> str:
    """Return why a call to evaluate() did not measure accuracy, and what to do about it."""
    where = f"evaluate() on line {evaluated.line} of {script}" if evaluated.line else f"{script}'s evaluate()"
    if not evaluated.metrics:
        return f"{where} received no samples. Check the path, filter or split that leaves the test set empty."
    problem = f"{where} did not measure accuracy (metrics: {', '.join(evaluated.metrics)})."
    names = [name for name in evaluated.metrics if name != "loss" and not is_other_metric(name, evaluated)]
    if evaluated.labels_of("").kind == "numbers":
        return f"{problem} {OWN_ACCURACY}"
    if not names:
        return f"{problem} {COMPILE}"
    return f'{problem} {COMPILE[:-1]}, or name the accuracy metric in epochal.toml, for example metric = "{names[0]}".'


def is_other_metric(name: str, evaluated: Measurement) -> bool:
    """Return whether a metric that evaluate() returned is known not to be an accuracy."""
    if name in evaluated.accuracies:
        return False
    return evaluated.classes.get(name) in OTHER_METRICS or bool(_REGRESSION_METRICS.fullmatch(name))


def explain_targets(labels: Labels) -> str:
    """Return why accuracy is meaningless for these targets, and what to do; empty if it is meaningful."""
    if labels.kind == "numbers":
        return (
            "The targets are numbers rather than classes, so the script trains a regression model, for which accuracy is "
            f"meaningless. {OWN_ACCURACY}"
        )
    if labels.kind == "inputs":
        return (
            "The targets are the inputs themselves, as in an autoencoder, for which accuracy is meaningless. "
            f"{OWN_ACCURACY}"
        )
    return ""


def explain_label_refusal(measurement: Measurement, labels: Labels, name: str) -> str:
    """Return why the labels make the metric ``name`` meaningless, and what to do; empty if they do not."""
    if refusal := explain_targets(labels):
        return refusal
    if labels.answers == 1:
        return (
            f"All test labels are {labels.answer!r}, so a model that always gives this answer is never wrong. "
            "Test on data that contains every class. If the rows are sorted by label, shuffle them before the split, as "
            "train_test_split(…, stratify=y, random_state=0) does."
        )
    is_binary = measurement.classes.get(name, "").startswith("Binary") or name.endswith("binary_accuracy")
    if labels.kind == "one-hot" and is_binary and measurement.kind is not Kind.SCORE:
        return (
            f"{name} counts each output separately, so the zeros in one-hot labels inflate it. "
            'Compile the model with metrics=["categorical_accuracy"] instead.'
        )
    if "TopK" in measurement.classes.get(name, ""):
        return (
            f"{name} counts an answer as correct if the true class is among the k most likely. "
            'Compile the model with metrics=["accuracy"] instead.'
        )
    if labels.kind == "several" and measurement.kind in (Kind.EVALUATE, Kind.VALIDATION):
        return (
            f"Each row has several labels, and {name} counts them one by one. Measure the share of rows whose labels "
            "are all correct, as scikit-learn's accuracy_score(y_test, model.predict(x_test) > 0.5) does."
        )
    return ""


def explain_unchanged_weights(script: str) -> str:
    """Return why the accuracy of a model that fit() left unchanged does not count, and what to do."""
    return (
        f"fit() did not change the weights of the model that {script} evaluated, so the model has learned nothing. Either no layer "
        "is trainable (set trainable = True before compile() is called), or all gradients are zero or infinite (scale the inputs, "
        "or use other activations)."
    )


def find_leak(leaks: Sequence[Finding], *kinds: str) -> Finding | None:
    """Return the first finding of one of the ``kinds``, such as ``loaded_model``."""
    return next((leak for leak in leaks if leak.kind in kinds), None)


def explain_leak(leak: Finding) -> str:
    """Return why a finding makes the accuracy meaningless, and what to do."""
    return f"{leak.path} line {leak.line}: {leak.message} The accuracy does not count. {leak.remedy}"


def describe_share(share: float) -> str:
    """Return a share of rows as a percentage, which is 100% only if the share is at least ``_ALL_ROWS``."""
    return f"{share:.1%}" if round(share, 2) == 1 and share < _ALL_ROWS else f"{share:.0%}"


def _find_copy(measurement: Measurement, leaks: Sequence[Finding]) -> Finding | None:
    """Return the finding about a call that copied rows into the test set; None if no call did or few rows overlap."""
    if measurement.overlap.share <= _MAX_COPIED:
        return None
    before_folds = find_leak(leaks, "copied_before_predictions") if measurement.is_across_folds else None
    return before_folds or find_leak(leaks, "copied_before_split")


def explain_row_refusal(
    measurement: Measurement, leaks: Sequence[Finding], script: str, *, accepts_repeats: bool
) -> str:
    """Return why test rows make an accuracy meaningless, and what to do; empty if they are fine.

    ``script``: the script's path. ``accepts_repeats``: whether an accuracy counts even if test rows equal training rows,
    as long as the test set is not a part of the training set and no call in the code copies rows before the split.
    """
    overlap = measurement.overlap
    if overlap.redrawn:
        return (
            "The test set includes training rows and changes each time it is read, because its tf.data pipeline calls "
            "take() or skip() after shuffle(). Use shuffle(…, seed=0, reshuffle_each_iteration=False), or split the arrays "
            "first."
        )
    if leak := find_leak(leaks, *REFUSED_LEAKS):
        return explain_leak(leak)
    uses_all = overlap.share >= _ALL_ROWS
    copied = _find_copy(measurement, leaks)
    is_accepted = not overlap.refused or (accepts_repeats and not overlap.learned_by)
    if is_accepted and not copied and not overlap.is_part:
        return ""
    what = "validation" if measurement.kind is Kind.VALIDATION else "test"
    # The recorder estimates this share from rows that repeat, and cannot know that the script copied them.
    is_known = overlap.expected >= 0.005 and not copied and not overlap.is_part
    expected = f" (a clean split would yield {overlap.expected:.0%})" if is_known else ""
    share = "All" if uses_all else f"{describe_share(overlap.share)} of the"
    if overlap.learned_by and not copied:
        return _explain_learner(measurement, script, f"{share} {what}".replace("All", "all"))
    if measurement.is_one_by_one and not uses_all and not copied:
        return (
            f"{share} rows that were predicted one by one in a loop were also used in training, so the accuracy on them is "
            "meaningless. If the loop also predicts training rows, predict the test rows separately, as in model.predict(X_test). "
            "Otherwise, keep the test rows out of the training data."
        )
    fitted = next((leak for leak in leaks if uses_all and _SUPERVISED.match(leak.message)), None)
    if not (overlap.is_part or copied or fitted):
        return f"{share} {what} rows are identical to training rows{expected}, so a model may have memorised them. {_KEEP_OUT}"
    if copied:
        remedy = f"{copied.path} line {copied.line}: {copied.remedy}"
    elif fitted:
        remedy = f"{fitted.path} line {fitted.line}: {fitted.message} {fitted.remedy}"
    else:
        remedy = "Split the data first, for example with train_test_split(), and train on one part only."
    return f"{share} {what} rows were also used in training{expected}, so the accuracy on them is meaningless. {remedy}"


def _explain_learner(measurement: Measurement, script: str, which: str) -> str:
    """Explain that a class such as SelectKBest was fitted on test rows, and how to fit it without them.

    ``which``: the words to put before "rows" in the text, such as "all validation".
    """
    name, line = measurement.overlap.learned_by, measurement.overlap.learned_on
    where = f", which is fitted on line {line} of {script}," if line else ""
    if measurement.kind is Kind.VALIDATION:
        remedy = (
            f"Split off the validation rows first, fit {name} on the other rows, and pass the validation rows to fit() as "
            "validation_data."
        )
    else:
        remedy = (
            f"Fit {name} only on the training rows or, in a loop over folds, only on the training rows of each fold."
        )
    return (
        f"{name}{where} has learned from the labels of {which} rows, so the accuracy on them is meaningless. {remedy}"
    )
