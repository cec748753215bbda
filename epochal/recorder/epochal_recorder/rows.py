"""A 64-bit hash of each row of data, the same wherever the row stands and however it was handed over.

A row is what one sample has along the first axis. Numbers count as 32-bit floats, one-hot labels as the index of their class,
dictionaries in the order of their keys; zeros at a row's end, which pad it to the length of others, do not count.
"""

import contextlib
import functools
import hashlib

import numpy

_VALUES_AT_A_TIME = 1 << 14
"""So many values are hashed at a time (64 KB): they stay in the cache, and malloc does not fetch their memory anew each time."""
_MIX = numpy.uint64(0x9E3779B97F4A7C15)  # 2**64 divided by the golden ratio: Knuth's multiplicative hashing
_MIX_2 = numpy.uint64(0xBF58476D1CE4E5B9)  # with the next one: the finalizer of splitmix64 (Steele, Lea, Flood 2014)
_MIX_3 = numpy.uint64(0x94D049BB133111EB)
_LABELLED = numpy.uint64(0xD6E8FEB86659FD93)


class NotHashable(Exception):
    """The data are of a kind that has no rows to hash, such as a sparse tensor."""


def hash_rows(data):
    """Return a hash (uint64) for each row of ``data``: an array, or a structure of arrays of the same length.

    Takes what Keras and scikit-learn take: arrays, tensors, data frames, sparse matrices, lists of numbers or texts, and
    dictionaries, lists and tuples of these. Raises NotHashable for anything else.
    """
    leaves = leaves_of(data)
    if not leaves:
        raise NotHashable("there are no rows")
    hashes = None
    for place, leaf in enumerate(leaves):
        if hasattr(leaf, "tocsr"):
            of_leaf = _hash_sparse(leaf.tocsr())
        elif hasattr(leaf, "columns") and hasattr(leaf, "iloc"):  # a data frame: its columns may be of different types
            columns = [_numbers(as_array(leaf.iloc[:, column])) for column in range(leaf.shape[1])]
            of_leaf = _hash_matrix(numpy.column_stack(columns))
        else:
            array = as_array(leaf)
            of_leaf = _hash_matrix(_numbers(array)) if len(array) else numpy.empty(0, numpy.uint64)
        if hashes is None:
            hashes = of_leaf
        elif len(hashes) != len(of_leaf):
            raise NotHashable("the parts have different numbers of rows")
        else:
            hashes = _finalized(hashes + of_leaf * _multipliers(place + 1)[place])
    return hashes


def hash_labels(labels):
    """Return a hash (uint64) for each row of labels; a row with a single 1 among zeros is the index of its class."""
    leaves = [class_indices(leaf) for leaf in leaves_of(labels)]
    return hash_rows(leaves[0] if len(leaves) == 1 else leaves)


def form_of(data):
    """Return what rows must have in common to be compared, as a text: the inputs, and whether they are texts or numbers."""
    leaves, forms = leaves_of(data), []
    for leaf in leaves:
        if hasattr(leaf, "tocsr"):
            forms.append(f"sparse {leaf.shape[1]}")
        elif hasattr(leaf, "columns") and hasattr(leaf, "iloc"):
            is_numbers = all(getattr(kind, "kind", "O") in "biuf" for kind in leaf.dtypes)
            forms.append(f"numbers {leaf.shape[1]}" if is_numbers else "texts")
        else:
            array = as_array(leaf)
            # Whole numbers may be tokens of sequences that are padded to any length.
            columns = f" {array.shape[1]}" if array.ndim == 2 and array.dtype.kind == "f" else ""
            forms.append(f"numbers{columns}" if array.dtype.kind in "biuf" else "texts")
    names = "" if len(leaves) < 2 else ",".join(sorted(map(str, data))) if isinstance(data, dict) else str(len(leaves))
    return f"{names}: {', '.join(forms)}"


def sample_rows(data, places, columns):
    """Return the rows of ``data`` at ``places`` as numbers (rows × columns), ``columns`` of their columns at the most."""
    parts = []
    for leaf in leaves_of(data):
        if hasattr(leaf, "tocsr"):
            part = leaf.tocsr()[places].toarray()
        elif hasattr(leaf, "iloc"):
            chosen = leaf.iloc[places]
            names = range(chosen.shape[1]) if hasattr(chosen, "columns") else ()
            part = numpy.column_stack(
                [_numbers(as_array(chosen.iloc[:, name])) for name in names] or [as_array(chosen)]
            )
        else:
            part = _numbers(as_array(leaf)[places])
        parts.append(part.reshape(len(places), -1))
    joined = numpy.concatenate(parts, axis=1)
    return joined[:, numpy.unique(numpy.linspace(0, joined.shape[1] - 1, columns).astype(int))]


def with_labels(rows, labels):
    """Return the hashes of ``rows`` with their labels, from the hashes of both."""
    return _finalized(rows * _LABELLED + _finalized(labels + _LABELLED))


def leaves_of(data):
    """Return the arrays of a structure in a fixed order: by the keys of dictionaries, else as they stand there."""
    if data is None:
        return []
    if isinstance(data, dict):
        return [leaf for key in sorted(data, key=str) for leaf in leaves_of(data[key])]
    if isinstance(data, tuple) or (isinstance(data, list) and any(hasattr(each, "shape") for each in data)):
        # A list of rows that are arrays is one array; a list of inputs has arrays of several dimensions or of one length.
        return [leaf for each in data for leaf in leaves_of(each)]
    return [data]


def class_indices(labels):
    """Return labels as an array; if its rows are one-hot, those rows are replaced by the index of their class.

    Labels of which only some rows are one-hot (several labels a row) are returned as they are, but for these rows: the
    index stands in their first column, and zeros in the others.
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
    """Return one array, tensor, data frame or list as a NumPy array; raises NotHashable for a kind that is none."""
    if hasattr(data, "to_numpy"):
        return data.to_numpy()
    if hasattr(data, "to_tensor") and hasattr(data, "row_splits"):  # tf.RaggedTensor: padding does not count
        data = data.to_tensor()
    if hasattr(data, "detach"):  # a tensor of PyTorch
        data = data.detach().cpu()
    if not hasattr(data, "__array__") and not isinstance(data, (list, tuple)):
        raise NotHashable(type(data).__name__)
    # Texts of one long and many short ones would all be as long as the longest.
    kind = object if isinstance(data, (list, tuple)) and data and isinstance(data[0], (str, bytes)) else None
    try:
        array = numpy.asarray(data, kind)
    except (ValueError, TypeError) as fault:
        raise NotHashable(f"{type(data).__name__}: {fault}") from None
    if array.ndim == 0:
        raise NotHashable(type(data).__name__)
    return array


def _numbers(array):
    """Return an array of any type as a matrix of numbers; a text becomes two of them, of 24 bits that a float holds exactly."""
    array = array.reshape(len(array), -1)
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
    return numpy.array(pairs, numpy.float64).reshape(len(array), -1)


def _hash_matrix(matrix):
    """Return a hash for each row of numbers: a sum of mixed words, each times a multiplier of its place.

    The multipliers are 64-bit random numbers (multiply-shift hashing: Dietzfelbinger et al. 1997); a word holds two values.
    """
    rows, columns = matrix.shape
    words = (columns + 1) // 2
    multipliers = _multipliers(words)
    hashes = numpy.empty(rows, numpy.uint64)
    step = max(1, _VALUES_AT_A_TIME // max(1, columns))
    values = numpy.zeros((min(step, rows), 2 * words), numpy.float32)
    mixed = values.view(numpy.uint64)
    shifted = numpy.empty_like(mixed)
    # A number of 64 bits may be too big for 32.
    with contextlib.nullcontext() if matrix.dtype == numpy.float32 else numpy.errstate(all="ignore"):
        for start in range(0, rows, step):
            count = min(step, rows - start)
            numpy.add(matrix[start : start + count], 0, out=values[:count, :columns], casting="unsafe")  # -0.0 is 0.0
            if 2 * words > columns:
                values[:, columns:] = 0
            block = mixed[:count]
            if numpy.isnan(values[:count].max(initial=0)):  # not a dot product: BLAS would wake threads for it
                values[:count][numpy.isnan(values[:count])] = numpy.nan  # one of many
            block *= _MIX
            block ^= numpy.right_shift(block, numpy.uint64(32), out=shifted[:count])
            numpy.einsum("ij,j->i", block, multipliers, out=hashes[start : start + count])
    return _finalized(hashes)


def _hash_sparse(matrix):
    """Return a hash for each row of a sparse matrix (CSR): of its values other than zero and their columns."""
    values = numpy.asarray(matrix.data, numpy.float32) + numpy.float32(0)
    words = values.view(numpy.uint32).astype(numpy.uint64) * _MIX
    words ^= words >> numpy.uint64(32)
    words *= _multipliers(matrix.shape[1])[matrix.indices]
    sums = numpy.concatenate([numpy.zeros(1, numpy.uint64), numpy.cumsum(words, dtype=numpy.uint64)])
    return _finalized(sums[matrix.indptr[1:]] - sums[matrix.indptr[:-1]])


@functools.lru_cache(maxsize=64)
def _multipliers(count):
    places = numpy.arange(1, count + 1, dtype=numpy.uint64)
    return _finalized(places * _MIX) | numpy.uint64(1)


def _finalized(hashes):
    """Return 64-bit numbers each bit of which depends on all bits of ``hashes`` (splitmix64)."""
    mixed = (hashes ^ (hashes >> numpy.uint64(30))) * _MIX_2
    mixed = (mixed ^ (mixed >> numpy.uint64(27))) * _MIX_3
    return mixed ^ (mixed >> numpy.uint64(31))
