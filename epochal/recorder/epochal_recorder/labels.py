"""The labels of a test set: their kind, and the accuracy of always predicting the most frequent label."""

import numpy

from .rows import NotHashable, as_array, leaves_of

_MAX_ANSWERS = 100_000
_MAX_ANSWER_LENGTH = 40
_MAX_GRADES = 20
"""If the targets of a regression include more distinct integers than this, they are not grades or classes."""
_MAX_ANSWERS_AT_PLACES, _MAX_PLACES = 64, 1_000_000


class Labels:
    """The labels for one output of a model, counted batch by batch.

    ``kind``: "classes", "one-hot" (with more than two classes), "several" (several labels per row), "numbers" (for
    regression), or "unknown". ``columns``: the number of classes if the labels are one-hot.
    """

    def __init__(self, is_masked=False):
        """Start with no labels. ``is_masked``: whether the model ignores tokens with the value 0."""
        self._is_masked = is_masked
        self._counts = {}
        self._padding = 0
        self._elements = 0
        self._rows = 0
        self._one_hot = 0
        self._several = 0
        self._fractions = 0
        self._unknown = False
        self._by_element = False
        self._places = {}
        self.columns = 0

    def add(self, labels, tokens=None, rank=None):
        """Add a batch of labels.

        ``tokens``: the rows, if they may be sequences of tokens (rows × length) padded with zeros, else None. ``rank``:
        the number of dimensions of the model's output, including the batch dimension; None if it is not known.
        """
        try:
            array = as_array(labels)
        except NotHashable:
            self._unknown = True
            return
        self._rows += len(array)
        while array.ndim > 1 and array.shape[-1] == 1:
            array = array[..., 0]
        if array.ndim == 1:
            self._count(array)
            return
        if array.dtype.kind not in "biuf":
            self._unknown = True
            return
        # Several columns hold one label per element (such as a token of a sequence), a one-hot label or several labels.
        if array.ndim > 2:
            is_by_element = True
        elif rank is not None:
            is_by_element = rank > 2
        else:
            is_of_tokens = tokens is not None and tokens.shape == array.shape
            is_by_element = is_of_tokens or (array.dtype.kind in "iu" and array.max(initial=0) > 1)
        if is_by_element:
            self._count_elements(array, tokens)
        else:
            self._count_columns(array)

    def _count(self, array):
        if array.dtype.kind == "f":
            finite = numpy.isfinite(array)
            if not finite.all() or (array != numpy.round(array)).any():
                self._fractions += len(array)
                return
        self._elements += array.size
        if array.dtype.kind not in "biufUS":
            array = numpy.array([str(value) for value in array.ravel()])
        answers, counts = numpy.unique(array, return_counts=True)
        if len(self._counts) <= _MAX_ANSWERS:
            for answer, count in zip(answers.tolist(), counts.tolist(), strict=True):
                self._counts[answer] = self._counts.get(answer, 0) + count

    def _count_columns(self, array):
        """Count rows with several columns: one-hot labels, class probabilities, several labels per row, or numbers."""
        self.columns = array.shape[1]
        is_truth = ((array == 0) | (array == 1)).all()
        sums = array.sum(axis=1)
        if (is_truth and (sums == 1).all()) or ((array >= 0).all() and numpy.allclose(sums, 1, atol=1e-4)):
            self._one_hot += len(array)
            self._count(array.argmax(axis=1))
        elif is_truth:
            self._several += len(array)
            self._count(numpy.array(["".join(map(str, row)) for row in array.astype(int).tolist()]))
        else:
            self._fractions += len(array)

    def _count_elements(self, array, tokens):
        self._by_element = True
        one_hot = array.ndim > 2 and array.shape[-1] > 1 and numpy.allclose(array.sum(axis=-1), 1, atol=1e-4)
        if one_hot:
            self.columns = array.shape[-1]
            array = array.argmax(axis=-1)
        if array.ndim == 2:
            has_tokens = tokens is not None and tokens.shape == array.shape
            is_token = (tokens if has_tokens else array) != 0
            padding = ~is_token
            if not has_tokens or not self._is_masked:
                # Only zeros before the first or after the last nonzero element are padding.
                behind = numpy.flip(numpy.cumsum(numpy.flip(is_token, axis=1), axis=1), axis=1) == 0
                padding = behind | (numpy.cumsum(is_token, axis=1) == 0)
            self._padding += int(padding.sum())
            self._count(array[~padding])
        else:
            self._count(array.ravel())
            self._count_places(array)

    def _count_places(self, array):
        """Count how often each label occurs at each position, if the labels are segmentation masks of the same size.

        If the masks are alike, the most frequent label at each position predicts them better than the most frequent
        label overall.
        """
        answers = numpy.unique(array)
        if len(answers) > _MAX_ANSWERS_AT_PLACES or array[0].size > _MAX_PLACES:
            self._places = None
            return
        for answer in answers.tolist():
            found = (array == answer).sum(axis=0)
            if self._places is not None and all(each.shape == found.shape for each in self._places.values()):
                self._places[answer] = self._places.get(answer, 0) + found
            else:
                self._places = None

    @property
    def kind(self):
        """The kind of labels added so far; the class's docstring lists the kinds."""
        if self._unknown or not self._rows:
            return "unknown"
        if self._fractions:
            return "numbers"
        if self._several:
            return "several"
        return "one-hot" if self._one_hot and self.columns > 2 else "classes"

    @property
    def is_one_per_row(self):
        """Whether each row belongs to exactly one class."""
        return self.kind in ("classes", "one-hot") and not self._by_element

    def as_json(self, counts_padding=False):
        """Return the kind of the labels, the most frequent label, and the accuracy of always predicting it.

        In the result, ``answers`` is the number of distinct labels, ``answer`` the most frequent one, ``chance`` the
        accuracy of always predicting it (0 to 1), and ``by_element`` whether each element of a row has its own label.
        For numbers, unknown labels or too many distinct labels, the result has only the ``kind``.

        ``counts_padding``: whether the measured accuracy counts padding. If so, ``chance`` counts padding as correct,
        because a model that has learned to recognise padding gets it right.
        """
        if self.kind in ("unknown", "numbers") or not self._counts or len(self._counts) > _MAX_ANSWERS:
            return {"kind": self.kind}
        answer = max(self._counts, key=self._counts.get)
        right, of = self._counts[answer], self._elements
        if self._places:  # if masks are alike, the most frequent answer at each position scores higher
            right = max(right, int(numpy.max(list(self._places.values()), axis=0).sum()))
        if counts_padding:
            right, of = right + self._padding, of + self._padding
        if isinstance(answer, float) and answer.is_integer():
            answer = int(answer)
        text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)
        return {
            "kind": self.kind,
            "answers": len(self._counts),
            "answer": "".join(filter(str.isprintable, text))[:_MAX_ANSWER_LENGTH],
            "chance": right / of,
            "by_element": self._by_element,
        }


def are_regression_targets(labels, data, is_regression=False):
    """Return whether the labels are regression targets.

    Such targets are numbers that are not all integers or, if ``is_regression`` is set, a single column of more than 20
    different integers. ``is_regression`` means that the fit minimises a regression loss. Class probabilities that add
    up to 1 do not count, nor do labels of the same shape as ``data``, as in a denoising autoencoder. A single column of
    numbers from 0 to 1 may hold the probabilities of one class, so it counts only if ``is_regression`` is set.
    """
    leaves = leaves_of(labels)
    for leaf in leaves:
        try:
            array = as_array(leaf)
        except NotHashable:
            return False
        is_whole = array.dtype.kind != "f" or (array == numpy.round(array)).all()
        if getattr(data, "shape", None) == array.shape:
            return False
        if is_whole:
            is_column = array.dtype.kind in "iuf" and array.size == len(array)
            if not (is_regression and is_column and len(numpy.unique(array)) > _MAX_GRADES):
                return False
        elif array.ndim > 1 and array.shape[-1] > 1:
            if numpy.allclose(array.sum(axis=-1), 1, atol=1e-4):
                return False
        elif not is_regression and not (array.min() < 0 or array.max() > 1):
            return False
    return bool(leaves)


def is_same(labels, data):
    """Return whether the labels equal the data, as those of an autoencoder do."""
    if labels is data:
        return True
    ours, theirs = leaves_of(labels), leaves_of(data)
    if len(ours) != 1 or len(theirs) != 1 or getattr(ours[0], "shape", None) != getattr(theirs[0], "shape", 0):
        return False
    try:
        return bool(numpy.array_equal(as_array(ours[0]), as_array(theirs[0])))
    except NotHashable:
        return False
