"""scikit-learn's ``score`` of classifiers and ``accuracy_score``, as they are: what they measure for the script is told."""

import functools
import hashlib
import inspect
import sys

from .output import Output, as_json

_SCORING = frozenset({"score", "_score", "__call__", "_passthrough_scorer", "inner_f"})
"""What scikit-learn's functions are called that only hand a score on: Pipeline.score, scorers (those of releases before
1.4, too), a decorator of both."""

# Both functions tell through one: it tells each fault once.
_output = functools.cache(Output)


def observe(owner, name, out):
    """Patch a function that returns an accuracy: ``score`` of sklearn.base.ClassifierMixin, or ``accuracy_score``.

    ``owner``: the class or module that it is an attribute of. ``out``: the folder that events go to.
    """
    setattr(owner, name, _observed(getattr(owner, name), _output(out)))


def _observed(function, output):
    signature = inspect.signature(function)

    @functools.wraps(function)
    def observed(*args, **kwargs):
        returned = function(*args, **kwargs)
        with output.telling_faults():
            if _is_for_the_script(sys._getframe()):
                call = signature.bind(*args, **kwargs).arguments
                if call.get("normalize", True):  # else it is a count
                    output.event(event="score", **_subject(function, call), metrics=as_json({"accuracy": returned}))
        return returned

    return observed


def _is_for_the_script(frame):
    """Whether the script asked for what ``frame`` measures, straight or through what hands a score on.

    Not so within another score, which is told itself; nor in a fit or a cross-validation, whoever wrote the scorer that
    it calls; nor in a job of joblib: such jobs end in any order, and none is the last.
    """
    above = frame.f_back
    while above:
        package = str(above.f_globals.get("__name__")).partition(".")[0]
        works = package == "sklearn" and above.f_code.co_name not in _SCORING
        if works or package == "joblib" or above.f_code is frame.f_code:
            return False
        above = above.f_back
    return True


def _subject(function, call):
    """What was measured, and on how many samples; ``call``: the arguments by their names."""
    of = type(call["self"]).__name__ if "self" in call else function.__name__
    labels = call["y"] if "self" in call else call["y_true"]
    return {"of": of, "samples": _length(labels), "test_set": _digest(labels)}


def _digest(labels):
    """16 hexadecimal digits that tell the labels from others; None of what is no array."""
    import numpy

    if not hasattr(labels, "__array__") and not isinstance(labels, (list, tuple)):
        return None
    array = numpy.asarray(labels)
    return hashlib.sha256(
        repr((array.shape, array.ravel()[:: max(1, array.size // 4096)].tolist())).encode()
    ).hexdigest()[:16]


def _length(labels):
    """How many there are, in an array, a sparse matrix or a sequence; None of what does not say it."""
    shape = getattr(labels, "shape", None)
    if shape:
        return int(shape[0])
    return len(labels) if hasattr(labels, "__len__") else None
