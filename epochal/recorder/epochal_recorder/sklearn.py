"""Patch scikit-learn to record which rows its estimators are fitted on, and which scores the script requests."""

import collections.abc
import functools
import hashlib
import inspect
import itertools
import os
import sys
import threading
import types
import uuid
import weakref
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy

from .folds import compare_folds, find_tested
from .labels import are_regression_targets
from .measuring import MIN_TEST_ROWS, Origin, TestRows, digest_answers, shared_state
from .output import as_json, number_as_json
from .raised import describe, find_line_of_script
from .rows import NotHashable, as_array, hash_rows

_SCORING = frozenset(
    {"score", "_score", "__call__", "_passthrough_scorer", "inner_f", "_cached_call", "_get_response_values"}
)
"""Names of scikit-learn functions that only return a score or a prediction computed by another function.

They are methods of Pipeline and of scorers (including those in scikit-learn before 1.4), the wrapper function of a
decorator that both use, and the functions through which scorers call predict() and the like.
"""
_FITS = frozenset({"fit", "partial_fit", "fit_predict"})
_PREDICTS = frozenset({"predict", "predict_proba", "decision_function"})
_MARK = "_epochal_fits"
"""The attribute by which the recorder identifies an estimator's fits; kept if the estimator is copied or saved."""
_TRAINING = os.environ.setdefault("EPOCHAL_TRAINING", uuid.uuid4().hex)
"""The identifier of this trial, shared by all of its processes."""
_UNKNOWN = "the test rows are unknown"

_DISTINCT = 0.01
"""Accuracies that differ by less than this may look the same when they are printed."""
_MAX_SCORES = 100
"""The scores of at most this many folds of a cross-validation are recorded."""
_MAX_TRAINING_MEANS = 100
"""At most this many mean training accuracies of a hyperparameter search are recorded: the highest ones."""
_MAX_ITERATION_EVENTS = 2000
_iterations = itertools.count()

_calls = threading.local()
_numbers = weakref.WeakKeyDictionary()
"""The numbers given to measured estimators, counting from 1."""
_next_number = itertools.count(1)


@dataclass(eq=False)
class _Call:
    """A call to an estimator's method that has not returned yet. The method may call other methods."""

    method: str
    estimator: Any
    x: Any
    y: Any
    groups: Any = None
    others: Any = ()
    identities: Any = ()
    number: str = ""


def observe(module, out, **_):
    """Patch the classes or functions of ``module``, a scikit-learn module. ``out``: the folder for events."""
    shared = shared_state(out)
    shared.name_outer_call = _name_outer_call
    if module.__name__ == "sklearn.base":
        _observe_estimators(module, shared)
    elif module.__name__ == "sklearn.model_selection._validation":
        recorders = {
            "cross_val_predict": _record_cross_val_predict,
            "cross_val_score": _record_cross_validated,
            "cross_validate": _record_cross_validated,
            "learning_curve": _record_curve,
            "validation_curve": _record_curve,
        }
        for name, record in recorders.items():
            setattr(module, name, _wrap_function(getattr(module, name), record, shared))
    elif module.__name__ == "sklearn.model_selection._split":
        module.train_test_split = _wrap_function(module.train_test_split, _record_split, shared)
    else:  # sklearn.metrics imports its functions from these modules
        name = "accuracy_score" if module.__name__ == "sklearn.metrics._classification" else "r2_score"
        metric = getattr(module, name)
        setattr(module, name, _wrap_function(metric, _record_metric, shared))
        if name == "accuracy_score":
            record = functools.partial(_record_report, metric)
            module.classification_report = _wrap_function(module.classification_report, record, shared)


def _observe_estimators(module, shared):
    """Patch the base classes in ``module`` (sklearn.base), so that the methods of every estimator are observed."""
    for mixin in (module.ClassifierMixin, module.RegressorMixin):
        mixin.score = _wrap_function(mixin.score, _record_metric, shared)
    base = module.BaseEstimator
    setstate = base.__setstate__

    def init_subclass(cls, **kwargs):
        super(base, cls).__init_subclass__(**kwargs)
        with shared.output.recording_faults():
            for method in (*_FITS, *_PREDICTS, "transform", "score"):
                found = inspect.getattr_static(cls, method, None)
                if isinstance(found, types.FunctionType) and not hasattr(found, "observed"):
                    setattr(cls, method, _wrap_method(found, method, shared))
                # scikit-learn's available_if wraps a method in this descriptor if not every inner estimator has it.
                elif type(found).__name__ == "_AvailableIfDescriptor" and not hasattr(found.fn, "observed"):
                    fn = _wrap_method(found.fn, method, shared)
                    setattr(cls, method, type(found)(fn, found.check, found.attribute_name))

    @functools.wraps(setstate)
    def setstate_and_mark(self, state):
        setstate(self, state)
        # An estimator that was saved without this mark was fitted without the recorder, or not at all.
        if self.__dict__.setdefault(_MARK, ("", (), "")) == ("", (), ""):
            with shared.output.recording_faults():
                shared.lineage.remember_loaded(
                    [each for each in map(self.__dict__.get, _fitted_attributes(self)) if _is_numeric(each)]
                )

    base.__init_subclass__ = classmethod(init_subclass)
    base.__setstate__ = setstate_and_mark


def _wrap_function(function, record, shared):
    """Wrap a function so that ``record`` gets the arguments and the result of each call that the script requested.

    In ``record(function, call, returned, shared)``, ``call`` is a dict of the arguments by name. If ``function`` is a
    cross-validation whose folds can be read only once, it is given a list of the folds instead.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        kwargs = _keep_folds(kwargs)
        returned = function(*args, **kwargs)
        with shared.output.recording_faults():
            if _is_for_script(sys._getframe()):
                record(function, signature.bind(*args, **kwargs).arguments, returned, shared)
        return returned

    return wrapper


def _record_split(_, call, returned, shared):
    """Record how many rows ``train_test_split`` was given, and which of them are the test rows."""
    with suppress(NotHashable):
        shared.note_split(_length(call["arrays"][0]), hash_rows(_as_one_array(returned[1])))


def _record_cross_val_predict(_, call, returned, shared):
    """Record the predictions that ``cross_val_predict`` returned, and whether test and training folds share rows."""
    if not shared.has_room:
        return
    estimator = call["estimator"]
    test_rows, is_selected = _read_folds(estimator, call.get("cv"), _read_data(call), shared)
    test_rows.count = _length(returned) or 0  # its folds contain all rows, even if the splitter cannot be copied
    weights = ""
    with suppress(TypeError, ValueError):
        weights = digest_answers(returned).hex()
    names = _identify(estimator) | {"selected": is_selected}
    origin = Origin(frozenset(), None, "", weights)
    shared.record_prediction(test_rows, origin, [], names, returned=returned)


def _keep_folds(arguments):
    """Return a cross-validation's arguments; folds that can be read only once are copied into a list."""
    is_iterator = isinstance(arguments.get("cv"), collections.abc.Iterator)
    return arguments | {"cv": list(arguments["cv"])} if is_iterator else arguments


def _read_data(call):
    """Return the rows, the labels and the groups that a cross-validation was called with."""
    groups = call.get("groups")
    return call["X"], call.get("y"), (call.get("params") or {}).get("groups") if groups is None else groups


def _wrap_method(function, method, shared):
    @functools.wraps(function)
    def wrapper(self, *args, **kwargs):
        stack = _calls.__dict__.setdefault("stack", [])
        x = args[0] if args else kwargs.get("X")
        y = args[1] if len(args) > 1 else kwargs.get("y")
        call = _Call(method, self, x, y, kwargs.get("groups"), (*args[2:], *kwargs.values()))
        if not stack and method in _FITS:
            with shared.output.recording_faults():
                call.identities = _begin_fit(call, shared)
        stack.append(call)
        try:
            returned = function(self, *args, **kwargs)
        except Exception as error:
            if stack[0] is call and method in _FITS:
                with shared.output.recording_faults():
                    shared.output.write_event(event="failed", raised=describe(error, sys._getframe(1)))
            raise
        finally:
            stack.pop()
        with shared.output.recording_faults():
            if method in (*_PREDICTS, "transform"):
                _note_use_of_loaded(call, stack, returned, shared)
            if method in _FITS:
                _end_fit(call, stack, shared)
            elif method in _PREDICTS and not stack and shared.has_room and _is_for_script(sys._getframe()):
                _record_prediction(call, returned, shared)
            elif method == "transform" and not stack and _learns_from_labels(self):
                fits = shared.lineage.rows_of(_read_mark(self)[1])
                results = hash_rows(_as_one_array(returned))
                shared.note_transformation(hash_rows(_as_one_array(call.x)), results, fits, type(self).__name__)
        return returned

    wrapper.observed = True
    return wrapper


def _note_use_of_loaded(call, stack, returned, shared):
    """Record any use of a loaded estimator by a fit in progress, or by the script.

    The script may pass the estimator's results to a later fit as features.
    """
    estimator = call.estimator
    if not _is_loaded(estimator) or (call.method == "transform" and not _learns_from_labels(estimator)):
        return
    fits = [each for each in stack if each.method in _FITS]
    if not stack:
        shared.lineage.loaded_results.add(returned, call.x)
    elif stack[0] in fits and not any(each.estimator is estimator for each in fits):
        stack[0].identities = {*stack[0].identities, *shared.lineage.loaded()}


def _end_fit(call, stack, shared):
    """Mark the estimator of a finished fit as trained; record its hyperparameter search and its iterations, if any."""
    estimator, outermost = call.estimator, stack[0] if stack else call
    if outermost.method in _FITS:
        estimator.__dict__[_MARK] = _TRAINING, tuple(sorted(outermost.identities)), uuid.uuid4().hex[:16]
    if not stack and hasattr(estimator, "cv_results_") and hasattr(estimator, "best_score_"):
        _record_search(estimator, call, shared)
    if call.y is not None and next(_iterations) < _MAX_ITERATION_EVENTS:
        _record_iterations(estimator, shared)


def _record_iterations(estimator, shared):
    """Record how many iterations a fit took, and how many were allowed, if the estimator is trained iteratively."""
    limit, trained = getattr(estimator, "max_iter", None), getattr(estimator, "n_iter_", None)
    if isinstance(limit, int) and limit > 0 and trained is not None:
        trained = int(numpy.max(trained))  # some classifiers count per class
        shared.output.write_event(event="iterations", of=type(estimator).__name__, trained=trained, limit=limit)


def _learns_from_labels(transformer):
    """Return whether a transformer's results depend on the labels it was fitted with, as in feature selection."""
    names = {kind.__name__ for kind in type(transformer).__mro__}
    if "VarianceThreshold" in names:
        return False
    tags = getattr(transformer, "__sklearn_tags__", None)
    return "SelectorMixin" in names or (tags is not None and tags().target_tags.required)


def _begin_fit(call, shared):
    """Record the rows of a fit, and return the identities of all fits that the estimator has learned from."""
    from sklearn.base import is_regressor

    is_part = call.method == "partial_fit"
    final = getattr(call.estimator, "_final_estimator", call.estimator)
    is_incremental = is_part or getattr(final, "warm_start", False)
    read_fits = _read_earlier_fits if is_incremental else _fits_of_parts
    earlier = read_fits(call.estimator, shared)
    starts_loaded = any(_is_numeric(each) and shared.lineage.is_loaded(each) for each in call.others)  # as coef_init
    if starts_loaded or shared.lineage.loaded_results.are_among(call.x):
        earlier |= shared.lineage.loaded()
    fitted = next((each for each in shared.lineage.rows_of(earlier) if is_part and each.in_parts), None)
    fitted = fitted or shared.lineage.register(uuid.uuid4().hex)
    fitted.line = find_line_of_script()
    try:
        if call.y is not None:
            is_regression = False
            with suppress(Exception):  # an object that merely resembles an estimator has no tags
                is_regression = is_regressor(call.estimator)
            fitted.is_regression = are_regression_targets(call.y, call.x, is_regression)
            rows = hash_rows(_as_one_array(call.x))
            fitted.note_form(_as_one_array(call.x))
            earlier |= shared.transformations_of(rows)
            if is_part:
                fitted.add_part(rows, _as_one_array(call.y))
            else:
                fitted.add(rows, _as_one_array(call.y), _as_one_array(call.x))
                fitted.end_pass()
                shared.lineage.share_rows(fitted)
    except NotHashable as kind:
        fitted.why_unseen = f"the rows cannot be compared ({kind})"
    # Other fits on exactly the same rows would add nothing.
    other = [each for each in shared.lineage.rows_of(earlier) if each is not fitted and each.hashes is fitted.hashes]
    return {fitted.identity, *earlier} - {each.identity for each in other}


def _read_earlier_fits(estimator, shared):
    """Return the identities of the earlier fits of an estimator that is trained further or reused unchanged."""
    return _read_mark(estimator)[1] | (shared.lineage.loaded() if _is_loaded(estimator) else set())


def _is_loaded(estimator):
    """Return whether an estimator was fitted without being observed, and then loaded from a file."""
    return _read_mark(estimator)[0] == "" and bool(
        _fitted_attributes(getattr(estimator, "_final_estimator", estimator))
    )


def _fitted_attributes(estimator):
    """Return the names of the attributes set by a fit, which end in ``_`` by convention."""
    return [name for name in getattr(estimator, "__dict__", ()) if name.endswith("_") and not name.endswith("__")]


def _is_numeric(value):
    return isinstance(value, numpy.ndarray) and value.dtype.kind == "f"


def _read_mark(estimator):
    """Return identifiers for the trial that trained an estimator, for the estimator's fits, and for its weights.

    The trial is None if the estimator was never fitted or loaded, and empty if it was loaded from a file that does not
    name the trial.
    """
    mark = getattr(estimator, "__dict__", {}).get(_MARK)
    if mark:
        return mark[0], set(mark[1]), mark[2]
    training, identities, weights = None, set(), ""
    for part in _parts(estimator, "steps"):  # a pipeline of parts that were fitted one by one
        training_of_part, identities_of_part, weights_of_part = _read_mark(part)
        weights += weights_of_part
        if hasattr(part, "predict"):
            training, identities = training_of_part, identities_of_part
    return training, identities, weights[:64]


def _fits_of_parts(estimator, shared):
    """Return the fits of the parts that an estimator does not fit itself, because they are frozen or already fitted."""
    parts = [estimator] if type(estimator).__name__ == "FrozenEstimator" else []
    parts += [getattr(estimator, name) for name in ("estimator", "base_estimator") if hasattr(estimator, name)]
    found = set()
    for part in [*parts, *_parts(estimator, "estimators"), *_parts(estimator, "steps")]:
        is_frozen = type(part).__name__ == "FrozenEstimator"
        if is_frozen or getattr(estimator, "cv", None) == "prefit" or getattr(estimator, "prefit", False) is True:
            found |= _read_earlier_fits(part.estimator if is_frozen else part, shared)
    return found


def _parts(estimator, attribute):
    """Return the estimators in ``attribute``, a list of (name, estimator) pairs; empty if it is anything else."""
    pairs = getattr(estimator, attribute, None)
    pairs = pairs if isinstance(pairs, (list, tuple)) else []
    return [pair[1] for pair in pairs if isinstance(pair, tuple) and len(pair) == 2]


def _name_outer_call():
    """Return the event fields that identify the current predict, score or similar call to a fitted estimator."""
    outermost = next(iter(_calls.__dict__.get("stack", [])), None)
    if outermost is None or outermost.method not in (*_PREDICTS, "score"):
        return {}
    outermost.number = outermost.number or uuid.uuid4().hex[:16]
    weights = _read_mark(outermost.estimator)[2]
    return {"outer": weights, "outer_call": outermost.number} if weights else {}


def _find_origin(estimator, shared):
    training, identities, weights = _read_mark(estimator)
    if training == _TRAINING or identities:
        known = all(identity in shared.lineage.fits for identity in identities)
        why = "" if known else "another process trained the model"
        if _MARK not in vars(estimator):
            why = why or "the steps of the pipeline were fitted separately"
        return Origin(frozenset(identities), True, why, weights)
    return Origin(frozenset(), None if training is None else False, "it is unknown how the model was trained", weights)


def _read_test_rows(x, y):
    test_rows = TestRows()
    if x is None:
        test_rows.why_unseen = _UNKNOWN
    else:
        try:
            test_rows.add(_as_one_array(x), None if y is None else _as_one_array(y))
        except NotHashable as kind:
            test_rows.fail(f"the test rows cannot be compared ({kind})")
    return test_rows


def _record_prediction(call, returned, shared):
    """Record a prediction that the script asked for, and keep its results for a later comparison with labels."""
    test_rows = _read_test_rows(call.x, None)
    answers = numpy.asarray(returned)
    if call.method == "predict_proba":
        candidates = [answers.argmax(axis=1)] if answers.ndim == 2 else []
        candidates += [answers[:, 1] > 0.5] if answers.ndim == 2 and answers.shape[1] == 2 else []
    elif call.method == "decision_function":
        candidates = [answers > 0] if answers.ndim == 1 else [answers.argmax(axis=1)]
    else:
        candidates = [answers]
    origin, names = _find_origin(call.estimator, shared), _identify(call.estimator)
    if test_rows.count < MIN_TEST_ROWS:
        shared.collect_prediction(test_rows, origin, candidates, names)
        return
    results = hash_rows(answers) if answers.ndim == 2 and answers.shape[1] > 1 else None
    shared.record_prediction(test_rows, origin, candidates, names, returned=returned, results=results)


def _identify(estimator):
    kinds = [kind.__name__ for kind in type(estimator).__mro__]
    final = getattr(estimator, "_final_estimator", estimator)
    is_dummy = "DummyClassifier" in kinds or type(final).__name__ == "DummyClassifier"
    with suppress(TypeError):  # an estimator that cannot be hashed gets no number
        if estimator not in _numbers:
            _numbers[estimator] = next(_next_number)
    return {"of": type(estimator).__name__, "dummy": is_dummy, "estimator": _numbers.get(estimator)}


def _record_cross_validated(function, call, returned, shared):
    """Record the mean accuracy that ``cross_val_score`` or ``cross_validate`` measured."""
    name, measures = _find_scored_accuracy(call["estimator"], call.get("scoring"))
    scores = returned.get(f"test_{name or 'score'}") if isinstance(returned, dict) else returned
    if not measures or scores is None:
        return
    estimator = call["estimator"]
    test_rows = _read_folds(estimator, call.get("cv"), _read_data(call), shared)
    listed = [number_as_json(float(each)) for each in scores[:_MAX_SCORES]]
    _record_cross_validation(
        estimator, test_rows, numpy.mean(scores), measures, shared, folds=len(scores), scores=listed
    )
    if isinstance(returned, dict) and measures == "accuracy":
        train_scores = returned.get(f"train_{name or 'score'}", [])
        _record_training_means(function.__name__, estimator, [train_scores], [scores], shared)


def _record_curve(function, call, returned, shared):
    """Record the mean training accuracies that ``learning_curve`` or ``validation_curve`` measured."""
    if _find_scored_accuracy(call["estimator"], call.get("scoring"))[1] == "accuracy":
        train_scores, test_scores = [each for each in returned if numpy.ndim(each) == 2][:2]
        _record_training_means(function.__name__, call["estimator"], train_scores, test_scores, shared)


def _record_training_means(measured_by, estimator, train_scores, test_scores, shared, candidates=0):
    """Record the mean accuracies on training folds, in case the script states one of them as its accuracy.

    ``measured_by``: the name of the function or search that measured them. ``train_scores`` and ``test_scores`` have
    one row for each training set size, parameter value or candidate. Means that do not clearly exceed those of the test
    folds are left out, because a number that the script states might be a test mean.
    """
    means = [numpy.mean(each) for each in (*train_scores, train_scores) if numpy.size(each)]
    least = max(numpy.mean(each) for each in test_scores) + _DISTINCT
    test_rows = TestRows()
    test_rows.why_unseen = "the accuracy was measured on training folds"
    for mean in dict.fromkeys(float(each) for each in means if each > least):
        fields = shared.describe(test_rows, Origin(frozenset(), None, "", ""))
        names = _identify(estimator) | {"of": measured_by, "candidates": candidates, "training": True}
        metrics = as_json({"accuracy": mean})
        shared.output.write_event(event="cross_validation", measures="accuracy", metrics=metrics, **names, **fields)


def _record_search(search, call, shared):
    """Record the validation accuracy of the best candidate of a GridSearchCV or similar search."""
    name, measures = _find_scored_accuracy(search.estimator, search.scoring)
    if measures and (not name or name == search.refit):
        count = len(search.cv_results_["params"])
        found = _read_folds(search.estimator, search.cv, (call.x, call.y, call.groups), shared)
        _record_cross_validation(
            search, found, search.best_score_, measures, shared, folds=search.n_splits_, candidates=count
        )
        means = search.cv_results_.get(f"mean_train_{name or 'score'}")
        if means is not None and measures == "accuracy":
            best = means[search.best_index_], *numpy.sort(means)[::-1][:_MAX_TRAINING_MEANS]
            scores = [[each] for each in best]
            _record_training_means(type(search).__name__, search, scores, [[search.best_score_]], shared, count)


def _find_scored_accuracy(estimator, scoring):
    """Return the name of the score in ``scoring`` that counts as the accuracy, and its kind: "accuracy" or "r2".

    The name is empty if ``scoring`` is not a collection of scores. Both are empty if no score counts as the accuracy.
    """
    from sklearn.base import is_classifier, is_regressor

    if scoring is None:
        return "", "accuracy" if is_classifier(estimator) else "r2" if is_regressor(estimator) else ""
    if isinstance(scoring, (list, tuple, set)):
        scoring = {name: name for name in scoring}
    if isinstance(scoring, dict):
        return next(((name, "accuracy") for name, each in scoring.items() if _scores(each) == "accuracy"), ("", ""))
    return "", _scores(scoring)


def _scores(scorer):
    """Return which of "accuracy" and "r2" a scorer (an object or a name) measures; empty if it measures neither."""
    name = scorer if isinstance(scorer, str) else getattr(getattr(scorer, "_score_func", None), "__name__", "")
    return {"accuracy": "accuracy", "accuracy_score": "accuracy", "r2": "r2", "r2_score": "r2"}.get(name, "")


def _read_folds(estimator, cv, data, shared):
    """Return the ``TestRows`` of a cross-validation, and whether its features were selected using its rows' labels.

    ``data``: its rows, their labels and their groups; the last two may be None.
    """
    rows, labels, groups = data
    is_selected, test_rows = False, TestRows()
    test_rows.why_unseen = "the accuracy comes from cross-validation"
    with suppress(NotHashable):
        rows = _as_one_array(rows)
        hashes = hash_rows(rows)
        is_selected = bool(shared.transformations_of(hashes))
        if labels is not None:
            labels = _as_one_array(labels)
            test_rows.compared = compare_folds(estimator, cv, (rows, labels, groups), hashes)
    if labels is not None:
        with suppress(NotHashable):
            tested, test_rows.count = find_tested(estimator, cv, labels, groups)
            labels = labels if tested is None else as_array(labels)[tested]
        with suppress(NotHashable):
            test_rows.count_labels(_as_one_array(labels))
    return test_rows, is_selected


def _record_cross_validation(estimator, found, mean, measures, shared, *, folds, candidates=0, scores=()):
    """Record the mean score of a cross-validation. ``found``: what ``_read_folds`` returned for it."""
    test_rows, is_selected = found
    fields = shared.describe(test_rows, Origin(frozenset(), None, "", ""))
    names = _identify(estimator) | {"folds": folds, "candidates": candidates, "selected": is_selected}
    names["scores"] = scores
    metrics = as_json({"accuracy": mean})
    shared.output.write_event(event="cross_validation", measures=measures, metrics=metrics, **names, **fields)


def _record_metric(function, call, returned, shared):
    """Record what a metric function or a ``score`` method measured."""
    is_r2 = function.__name__ == "r2_score" or "RegressorMixin" in function.__qualname__
    if call.get("normalize", True):  # otherwise the result is a count
        _record_score(function, call, "r2" if is_r2 else "accuracy", returned, shared)


def _record_report(accuracy, function, call, _, shared):
    """Record the accuracy behind a report. ``accuracy``: the function that computes it."""
    value = accuracy(call["y_true"], call["y_pred"], sample_weight=call.get("sample_weight"))
    _record_score(function, call, "accuracy", value, shared)


def _record_score(function, call, measures, returned, shared):
    """Record a measurement that the script asked for, with its rows and the origin of its estimator."""
    stack = _calls.__dict__.get("stack", [])
    score_call = next((each for each in stack if each.method == "score"), None)
    estimator = call.get("self", score_call.estimator if score_call else None)
    labels = (
        score_call.y if score_call and score_call.y is not None else call["y"] if "self" in call else call["y_true"]
    )
    if estimator is not None:
        test_rows = _read_test_rows(score_call.x, labels) if score_call else _read_test_rows(call["X"], labels)
        origin = _find_origin(score_call.estimator if score_call else estimator, shared)
        names = _identify(score_call.estimator if score_call else estimator)
    else:
        test_rows, origin, names, labels = _find_prediction(call["y_true"], call["y_pred"], shared)
    if test_rows.why_unseen:
        with suppress(NotHashable):
            test_rows.count_labels(_as_one_array(labels))
    fields = shared.describe(test_rows, origin)
    fields["samples"] = fields["samples"] or _length(labels)
    if not fields["test_set"] and (hasattr(labels, "__array__") or isinstance(labels, (list, tuple))):
        array = numpy.asarray(labels)
        sample = array.shape, array.ravel()[:: max(1, array.size // 4096)].tolist()
        fields["test_set"] = hashlib.sha256(repr(sample).encode()).hexdigest()[:16]
    names = names | {"of": type(call["self"]).__name__ if "self" in call else function.__name__}
    shared.output.write_event(
        event="score",
        measures=measures,
        metrics=as_json({"accuracy": returned}),
        line=find_line_of_script(),
        **names,
        **fields,
    )


def _find_prediction(labels, answers, shared):
    """Find the prediction that the script compares with labels, even if the script passes the two in the wrong order.

    Returns the test rows, the model's origin, the event fields that identify the model, and the labels.
    """
    shared.record_collected(_length(labels))
    orders = (answers, labels), (labels, answers)
    found = [(each, order) for each in reversed(shared.predictions) for order in orders if each.has_returned(order[0])]
    if not found:
        with suppress(TypeError, ValueError):
            known = [each for each in reversed(shared.predictions) if each.test_rows.count == _length(labels)]
            found = [(each, order) for each in known for order in orders if each.has_answers(order[0])]
    if found:
        prediction, (_, labels) = found[0]
        return prediction.test_rows.copy_with_labels(_as_one_array(labels)), prediction.origin, prediction.names, labels
    test_rows = TestRows()
    test_rows.why_unseen = _UNKNOWN
    try:
        weights = digest_answers(answers).hex()
    except (TypeError, ValueError):
        weights = ""
    return test_rows, Origin(frozenset(), None, _UNKNOWN, weights), {}, labels


def _is_for_script(frame):
    """Return whether the script itself requested what ``frame`` measures, either directly or through a scorer.

    A measurement does not count as requested if it is part of a fit, of a cross-validation (even with the script's own
    scorer) or of another score, which is recorded instead. Nor does a measurement in a joblib job: the jobs can end in
    any order, so it is unclear which measurement is the last.
    """
    above = frame.f_back
    while above:
        package = str(above.f_globals.get("__name__")).partition(".")[0]
        is_internal = package == "sklearn" and above.f_code.co_name not in _SCORING
        if is_internal or package == "joblib" or above.f_code is frame.f_code:
            return False
        above = above.f_back
    return True


def _as_one_array(data):
    """Convert a list or tuple of rows to one array, as scikit-learn does; return other data unchanged."""
    return as_array(data) if isinstance(data, (list, tuple)) else data


def _length(labels):
    """Return the number of rows of an array, sparse matrix or sequence; None if it has neither a shape nor a length."""
    shape = getattr(labels, "shape", None)
    if shape:
        return int(shape[0])
    return len(labels) if hasattr(labels, "__len__") else None
