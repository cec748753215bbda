"""Say what to do about a call that fits on rows, duplicates them or chooses columns before the split."""

LOOP = "the loop over the folds"
"""The value of ``splitter`` if the script loops over the folds itself instead of using, say, ``cross_val_score()``."""
_RETURNING_PAIRS = frozenset({"CCA()", "PLSCanonical()", "PLSRegression()", "PLSSVD()"})
"""Classes whose fit_transform() returns two arrays, so they cannot precede a model in a pipeline."""


def advise_on_copies(what: str, splitter: str, *, is_oversampler: bool, is_changed: bool) -> str:
    """Return the remedy for a call that duplicates rows.

    ``what``: the call, or the expression that draws rows. ``splitter``: what splits the data into training and validation
    data; empty for a split into training and test data. ``is_oversampler``: whether imblearn does the duplicating.
    ``is_changed``: whether the call repeats the labels for modified copies of the data.
    """
    if is_changed:
        of_fold = " of each fold" if splitter else ""
        advice = f"make modified copies of only the training rows{of_fold}, and use {what} only on their labels."
        return _advise_in_loop(splitter, advice) if splitter else f"Split first, then {advice}"
    if not splitter:
        return f"Split first, then use {what} only on the training rows."
    if is_oversampler and splitter != LOOP:
        return (
            f"Pass the original rows and imblearn.pipeline.make_pipeline({what[:-1]}…), model) to {splitter}, so that only "
            f"the training rows of each fold are resampled.{_name_parameters(splitter)}"
        )
    if what.endswith("]"):
        return _advise_in_loop(splitter, f"draw the rows of {what} only from the training rows of each fold.")
    return _advise_in_loop(splitter, f"use {what} only on the training rows of each fold.")


def advise_on_fit(what: str, splitter: str, columns: str) -> str:
    """Return the remedy for a call that fits on all rows. ``columns``: the columns that it fits on; empty for all."""
    if not splitter:
        return "Split first, fit on the training rows, and only transform the test rows."
    if splitter == "fit()":
        return (
            f"Split off the validation rows first, fit {what} on the other rows, only transform the validation rows, and pass "
            "validation_data=(x_val, y_val) to fit() instead of validation_split."
        )
    if splitter == LOOP or what in _RETURNING_PAIRS:
        advice = f"fit {what} on the training rows of each fold, and only transform the test rows."
        return _advise_in_loop(splitter, advice)
    step = f"{what[:-1]}…)"
    if columns:
        step = f'make_column_transformer(({step}, {columns}), remainder="passthrough")'
    return (
        f"Pass the original data and make_pipeline({step}, model) to {splitter}, so that {what} is fitted separately in each "
        f"fold.{_name_parameters(splitter)}"
    )


def advise_on_choice(splitter: str) -> str:
    """Return what to do if columns are chosen before ``splitter``, a call such as ``fit()``, splits the data."""
    if splitter == "fit()":
        return (
            "Split off the validation rows first, choose the columns using the other rows, and pass "
            "validation_data=(x_val, y_val) to fit() instead of validation_split."
        )
    return (
        f"Pass all columns and make_pipeline(SelectKBest(…), model) to {splitter}, so that the columns are chosen separately in "
        f"each fold.{_name_parameters(splitter)}"
    )


def _name_parameters(splitter: str) -> str:
    """Return a sentence on naming the parameters in a search over a pipeline; empty if ``splitter`` is not a search."""
    if not splitter.endswith("SearchCV()"):
        return ""
    return ' Begin the names of the model\'s parameters with its class name in lower case, as in "svc__C".'


def _advise_in_loop(splitter: str, advice: str) -> str:
    """Return ``advice`` for the loop over the folds; if there is no such loop, also tell the developer to write one."""
    if splitter == LOOP:
        return f"In the loop over the folds, {advice}"
    return (
        f"Instead of {splitter}, write a loop over the folds (for train, test in KFold(5, shuffle=True, random_state=0).split(X)), "
        f"and in that loop, {advice} Write the mean accuracy of the folds to $EPOCHAL_OUT/accuracy.json, for example "
        '{"accuracy": 0.83}; otherwise, only the last fold counts.'
    )
