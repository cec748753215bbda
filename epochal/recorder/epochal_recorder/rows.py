"""Compute 64-bit hashes of rows. Equal rows have the same hash, whatever their position or data type.

A row is the data of one sample, that is, everything at one index along the first axis. Numbers are hashed as 32-bit floats,
one-hot labels as the index of their class, and dictionaries in sorted key order. Zeros at the end of a row are ignored,
because they may be padding.
"""

import contextlib
import functools
import hashlib
import math

import numpy

_VALUES_AT_A_TIME = 1 << 14
"""The number of values hashed at a time: they occupy 64 KB, which fits in the cache and lets malloc reuse memory."""
_MIX = numpy.uint64(0x9E3779B97F4A7C15)  # 2**64 divided by the golden ratio: Knuth's multiplicative hashing
_MIX_2 = numpy.uint64(0xBF58476D1CE4E5B9)  # this and the next: the finalizer of splitmix64 (Steele, Lea, Flood 2014)
_MIX_3 = numpy.uint64(0x94D049BB133111EB)
_LABELLED = numpy.uint64(0xD6E8FEB86659FD93)


class NotHashable(Exception):
    """Raised for data whose rows cannot be hashed, such as a sparse tensor."""


def hash_rows(data):
    """Return a hash (uint64) for each row of ``data``: an array, or a structure of arrays of the same length.

    ``data`` may be anything that Keras and scikit-learn accept: arrays, tensors, data frames, sparse matrices, lists of
    numbers or strings, and dictionaries, lists and tuples of these. Raises NotHashable for anything else.
    """
    leaves = leaves_of(data)
    if not leaves:
        raise NotHashable("no rows")
    hashes = None
    for place, leaf in enumerate(leaves):
        if hasattr(leaf, "tocsr"):
            leaf_hashes = _hash_sparse(leaf.tocsr())
        elif hasattr(leaf, "columns") and hasattr(leaf, "iloc"):  # a data frame: its columns may be of different types
            columns = [_as_numbers(as_array(leaf.iloc[:, column])) for column in range(leaf.shape[1])]
            leaf_hashes = _hash_matrix(numpy.column_stack(columns))
        else:
            array = as_array(leaf)
            leaf_hashes = _hash_matrix(_as_numbers(array)) if len(array) else numpy.empty(0, numpy.uint64)
        if hashes is None:
            hashes = leaf_hashes
        elif len(hashes) != len(leaf_hashes):
            raise NotHashable("the inputs have different numbers of rows")
        else:
            hashes = _finalize(hashes + leaf_hashes * _multipliers(place + 1)[place])
    return hashes


def hash_labels(labels):
    """Return a hash (uint64) for each row of labels; a one-hot row has the same hash as the index of its class."""
    leaves = [class_indices(leaf) for leaf in leaves_of(labels)]
    return hash_rows(leaves[0] if len(leaves) == 1 else leaves)


def form_of(data):
    """Return the form of the rows of ``data`` as a string. Only rows of the same form can be compared.

    It lists each input's kind (``sparse``, ``numbers`` or ``texts``) and its number of columns, if that is fixed.
    If there are several inputs, it begins with their names or, if they have none, with their number.
    """
    leaves, forms = leaves_of(data), []
    for leaf in leaves:
        if hasattr(leaf, "tocsr"):
            forms.append(f"sparse {leaf.shape[1]}")
        elif hasattr(leaf, "columns") and hasattr(leaf, "iloc"):
            is_numbers = all(getattr(kind, "kind", "O") in "biuf" for kind in leaf.dtypes)
            forms.append(f"numbers {leaf.shape[1]}" if is_numbers else "texts")
        else:
            array = as_array(leaf)
            # The number of integer columns is ignored: they may be sequences of tokens, padded to any length.
            columns = f" {array.shape[1]}" if array.ndim == 2 and array.dtype.kind == "f" else ""
            forms.append(f"numbers{columns}" if array.dtype.kind in "biuf" else "texts")
    names = "" if len(leaves) < 2 else ",".join(sorted(map(str, data))) if isinstance(data, dict) else str(len(leaves))
    return f"{names}: {', '.join(forms)}"


def sample_rows(data, places, columns):
    """Return the rows of ``data`` at the indices ``places`` as a matrix of numbers with at most ``columns`` columns."""
    parts = []
    for leaf in leaves_of(data):
        if hasattr(leaf, "tocsr"):
            part = leaf.tocsr()[places].toarray()
        elif hasattr(leaf, "iloc"):
            chosen = leaf.iloc[places]
            names = range(chosen.shape[1]) if hasattr(chosen, "columns") else ()
            part = numpy.column_stack(
                [_as_numbers(as_array(chosen.iloc[:, name])) for name in names] or [as_array(chosen)]
            )
        else:
            part = _as_numbers(as_array(leaf)[places])
        parts.append(part.reshape(len(places), -1))
    joined = numpy.concatenate(parts, axis=1)
    return joined[:, numpy.unique(numpy.linspace(0, joined.shape[1] - 1, columns).astype(int))]


def with_labels(rows, labels):
    """Combine the hashes of rows with the hashes of their labels."""
    return _finalize(rows * _LABELLED + _finalize(labels + _LABELLED))


def leaves_of(data):
    """Return the arrays of a structure in a fixed order: dictionaries sorted by key, lists and tuples as given."""
    if data is None:
        return []
    if isinstance(data, dict):
        return [leaf for key in sorted(data, key=str) for leaf in leaves_of(data[key])]
    if isinstance(data, tuple) or (isinstance(data, list) and any(hasattr(each, "shape") for each in data)):
        # A list of arrays is taken as one array per input.
        return [leaf for each in data for leaf in leaves_of(each)]
    return [data]


def class_indices(labels):
    """Return labels as an array in which one-hot rows are replaced by the index of their class.

    If all rows are one-hot, the result has one dimension. If only some are, because a row may have several labels, the
    columns are kept: a one-hot row has the index of its class in the first column and zeros in the others.
    """
    array = as_array(labels)
    if array.ndim != 2 or array.shape[1] < 2 or array.dtype.kind not in "biuf":
        return array
    is_one = array == 1
    one_hot = (is_one.sum(axis=1) == 1) & ((array == 0).sum(axis=1) == array.shape[1] - 1)
    indices = is_one.argmax(axis=1)
    if one_hot.all():
        return indices
    replaced = array.astype(numpy.float32)
    replaced[one_hot] = 0
    replaced[one_hot, 0] = indices[one_hot]
    return replaced


def as_array(data):
    """Return an array, tensor, data frame or list as a NumPy array; raise NotHashable for anything else."""
    if hasattr(data, "to_numpy"):
        return data.to_numpy()
    if hasattr(data, "to_tensor") and hasattr(data, "row_splits"):  # tf.RaggedTensor: padding does not count
        data = data.to_tensor()
    if hasattr(data, "detach"):  # a PyTorch tensor
        data = data.detach().cpu()
    if not hasattr(data, "__array__") and not isinstance(data, (list, tuple)):
        raise NotHashable(type(data).__name__)
    # In a NumPy array of strings, each string would take as much memory as the longest one.
    kind = object if isinstance(data, (list, tuple)) and data and isinstance(data[0], (str, bytes)) else None
    try:
        array = numpy.asarray(data, kind)
    except (ValueError, TypeError) as fault:
        raise NotHashable(f"{type(data).__name__}: {fault}") from None
    if array.ndim == 0:
        raise NotHashable(type(data).__name__)
    return array


def _as_numbers(array):
    """Return an array of any type as a matrix of numbers with the same number of rows.

    A string is replaced by two 24-bit numbers from its digest, because 32-bit floats represent 24-bit numbers exactly.
    """
    columns = math.prod(array.shape[1:])  # reshape(0, -1) is an error
    array = array.reshape(len(array), columns)
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind in "mM":
        return array.astype(numpy.int64)
    pairs = []
    for value in array.ravel():
        if isinstance(value, (bool, int, float, numpy.bool_, numpy.number)):
            pairs.append((float(value), 0.0))
        else:
            text = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
            digest = hashlib.blake2b(text, digest_size=6).digest()
            pairs.append((int.from_bytes(digest[:3], "little") + 1, int.from_bytes(digest[3:], "little")))
    return numpy.array(pairs, numpy.float64).reshape(len(array), 2 * columns)


def _hash_matrix(matrix):
    """Return a hash for each row of numbers: the sum of its words, each mixed and multiplied by a constant.

    A word consists of two values. The multipliers, one for each position, are pseudorandom 64-bit numbers
    (multiply-shift hashing, Dietzfelbinger et al. 1997).
    """
    rows, columns = matrix.shape
    words = (columns + 1) // 2
    multipliers = _multipliers(words)
    hashes = numpy.empty(rows, numpy.uint64)
    step = max(1, _VALUES_AT_A_TIME // max(1, columns))
    values = numpy.zeros((min(step, rows), 2 * words), numpy.float32)
    mixed = values.view(numpy.uint64)
    shifted = numpy.empty_like(mixed)
    # A 64-bit number may be too big for 32 bits.
    with contextlib.nullcontext() if matrix.dtype == numpy.float32 else numpy.errstate(all="ignore"):
        for start in range(0, rows, step):
            count = min(step, rows - start)
            numpy.add(matrix[start : start + count], 0, out=values[:count, :columns], casting="unsafe")  # -0.0 to 0.0
            if 2 * words > columns:
                values[:, columns:] = 0
            block = mixed[:count]
            # The maximum is NaN if any value is NaN. So is a dot product, but BLAS would start threads for it.
            if numpy.isnan(values[:count].max(initial=0)):
                values[:count][numpy.isnan(values[:count])] = numpy.nan  # NaN has many bit patterns
            block *= _MIX
            block ^= numpy.right_shift(block, numpy.uint64(32), out=shifted[:count])
            numpy.einsum("ij,j->i", block, multipliers, out=hashes[start : start + count])
    return _finalize(hashes)


def _hash_sparse(matrix):
    """Return a hash for each row of a sparse matrix (CSR), from its nonzero values and their columns."""
    values = numpy.asarray(matrix.data, numpy.float32) + numpy.float32(0)
    words = values.view(numpy.uint32).astype(numpy.uint64) * _MIX
    words ^= words >> numpy.uint64(32)
    words *= _multipliers(matrix.shape[1])[matrix.indices]
    sums = numpy.concatenate([numpy.zeros(1, numpy.uint64), numpy.cumsum(words, dtype=numpy.uint64)])
    return _finalize(sums[matrix.indptr[1:]] - sums[matrix.indptr[:-1]])


@functools.lru_cache(maxsize=64)
def _multipliers(count):
    places = numpy.arange(1, count + 1, dtype=numpy.uint64)
    return _finalize(places * _MIX) | numpy.uint64(1)


def _finalize(hashes):
    """Mix the bits of each number in ``hashes``: each new bit depends on all bits of that number (splitmix64)."""
    mixed = (hashes ^ (hashes >> numpy.uint64(30))) * _MIX_2
    mixed = (mixed ^ (mixed >> numpy.uint64(27))) * _MIX_3
    return mixed ^ (mixed >> numpy.uint64(31))
