"""Read the data of past epochs again, so that a resumed fit continues with the batches that would have come next.

The state of a shuffling tf.data pipeline or of a Python generator cannot be saved. But TensorFlow derives the seed of
each shuffle from the number of iterators created so far, and a generator's state depends on what has been read from it.
So reading the same data in the same way restores the state, and comparing some batches shows whether it did.
"""

import hashlib
import random
import re
import sys

import numpy

from .batches import find_reshuffled, inputs_of, unpack_batch
from .checkpoint import NotResumable, StartOver
from .library import find_dataset_class
from .rows import leaves_of
from .script_code import is_instance_of_script

_SIMPLE = frozenset(
    {
        "AssertCardinality",
        "Batch",
        "Cache",
        "Concatenate",
        "Filter",
        "Map",
        "Options",
        "PaddedBatch",
        "ParallelBatch",
        "ParallelMap",
        "Prefetch",
        "Range",
        "Shard",
        "Shuffle",
        "Skip",
        "TFRecord",
        "Take",
        "Tensor",
        "TensorSlice",
        "TextLine",
        "Zip",
    }
)
"""The kinds of tf.data.Dataset whose state depends on how many iterators were created, not on how far they were read.

Cache is an exception: its first iterator has to be read to the end.
"""
_OWN_STATE = re.compile(r"RngReadAndSkip|Assign\w*VariableOp")
"""Matches operations that change a variable, such as the state of a tf.random.Generator."""


class Replay:
    """Reads the data of past epochs again, unless a resumed fit can simply start reading at its next epoch.

    ``arguments``: the arguments of the script's call to fit.
    """

    def __init__(self, arguments):
        self._data = x = arguments.get("x")
        validation = arguments.get("validation_data")
        self._validation = unpack_batch(validation)[0] if isinstance(validation, (tuple, list)) else validation
        self.is_tf_dataset = hasattr(x, "element_spec")
        self.has_hidden_state = self.is_tf_dataset or _is_generator(x)
        """Whether only a comparison of batches can show that the data is in the same state as in the earlier trial."""
        self._steps = arguments.get("steps_per_epoch")
        is_endless = getattr(x, "num_batches", 0) is None
        self.is_needed = self.has_hidden_state or is_endless or bool(self._steps)
        self.is_reading = False
        """Whether the data of past epochs is currently being read again, without training the model on it."""
        self.digests = []
        """The digest of the first batch of each epoch read so far."""

    def note(self, x, y):
        """Record the digest of the first batch of an epoch."""
        digest = hashlib.blake2b(digest_size=8)
        for leaf in (*leaves_of(x), *leaves_of(y)):
            array = numpy.asarray(leaf)
            is_text = array.dtype.kind in "OUS"
            digest.update(repr(array.tolist()).encode() if is_text else numpy.ascontiguousarray(array).tobytes())
        self.digests.append(digest.hexdigest())

    def read_past(self, epochs, digests):
        """Read the data of the first ``epochs`` epochs of the fit again.

        ``digests``: the digests in the checkpoint. Returns the names (``python``, ``numpy``) of the random number
        generators whose state changed as the data was read. If nothing else draws from them, their state is now the
        same as it was after these epochs. Different data may be accepted if the script sets no seed, because training
        without a seed never repeats exactly. Raises NotResumable if the fit must train from the beginning, and
        StartOver if only a new process can do so. Must be called while Keras' fit is running.
        """
        if not self.is_needed or not epochs:
            return set()
        if self.has_hidden_state and (not digests or self._differs(digests)):
            # No batch could be seen, or the first batch, which Keras reads from a generator in advance, differs.
            if _is_seeded():
                raise NotResumable("the training data is not the same as in the earlier trial, or cannot be compared")
            return set()
        iterator = _find_epoch_iterator()
        whole = self._count_whole_epochs(epochs, iterator)
        before = _read_random_states()
        self.is_reading = True
        try:
            for number in range(epochs):
                if number < whole:
                    _read_epoch(iterator)
                else:
                    next(iter(iterator._distributed_dataset))
                    iter(iterator._distributed_dataset)  # Keras makes another iterator at the end of an epoch
                if self.has_hidden_state and self._differs(digests):
                    if self.is_tf_dataset and not _is_seeded():
                        return set()
                    raise StartOver(
                        f"the data of epoch {number + 1} differs from the earlier trial's (is the shuffling seeded?)"
                    )
        except Exception as fault:
            raise StartOver(f"the training data could not be read again: {type(fault).__name__}: {fault}") from fault
        finally:
            self.is_reading = False
        after = _read_random_states()
        return {name for name in after if after[name] != before[name]}

    def check(self, objects):
        """Raise NotResumable if a script that sets a seed reads data in a way that cannot be repeated.

        ``objects``: the objects that the script's callbacks read.
        """
        if not _is_seeded():
            return
        if sys.modules["keras"].backend.backend() == "torch" or type(self._data).__module__.startswith("torch."):
            raise NotResumable(
                "PyTorch shuffles the training data, and a checkpoint does not include PyTorch's random state"
            )
        if _is_generator(self._validation):
            raise NotResumable("the validation data comes from a generator, whose position is unknown")
        if find_dataset_class(self._validation) and not is_instance_of_script(self._validation):
            # Keras' image iterators draw random numbers for each batch, even if they change no image.
            raise NotResumable("reading the validation data may draw random numbers")
        if hasattr(self._validation, "element_spec"):
            _, operations, _ = _describe_pipeline(self._validation)
            if find_reshuffled(self._validation) or any(map(_OWN_STATE.search, operations)):
                raise NotResumable("the validation data is shuffled or drawn anew in each epoch")
        shuffled = find_reshuffled(self._data)
        if any(hasattr(each, "element_spec") and shuffled & find_reshuffled(each) for each in objects):
            raise NotResumable("a callback also reads the training data, and so changes how the data is shuffled")

    def check_validation(self, state):
        """Raise StartOver if reading the validation data changes its state or that of a global random number generator.

        Keras reads a batch in advance when it first validates, so in a resumed fit the state would be one batch ahead.
        ``state``: the ScriptState of the fit, after it was restored.
        """
        if not find_dataset_class(self._validation) or not _is_seeded():
            return
        before = _read_random_states(), state.digests()
        try:
            self._validation[0]
        except Exception as fault:
            raise StartOver(f"the validation data could not be read: {type(fault).__name__}: {fault}") from fault
        if (_read_random_states(), state.digests()) != before:
            raise StartOver("reading the validation data changes its state or that of a random number generator")

    def _differs(self, digests):
        return any(now != before for now, before in zip(self.digests, digests, strict=False))

    def _count_whole_epochs(self, epochs, iterator):
        """Return how many epochs, counted from the first, must be read to the end; at most ``epochs``.

        For each later epoch, reading the first batch is enough, provided that there are at least two such epochs: the
        second is needed to check that reading a single batch restores the state.
        """
        if not self.is_tf_dataset or self._steps or int(self._data.cardinality()) <= 0:
            return epochs
        if not hasattr(iterator, "_distributed_dataset"):  # Keras does not train with TensorFlow
            return epochs
        kinds, operations, has_resources = _describe_pipeline(self._data)
        has_own_state = has_resources or any("PyFunc" in each for each in operations)
        whole = 1 if "Cache" in kinds else 0
        return whole if kinds <= _SIMPLE and not has_own_state and epochs - whole >= 2 else epochs


def _read_epoch(iterator):
    """Read the data of one epoch to its end, as Keras' fit does. ``iterator``: the EpochIterator of the call to fit."""
    with iterator.catch_stop_iteration():
        for *_, batches in iterator:
            if hasattr(batches, "get_next_as_optional"):  # with TensorFlow, the training step reads the batches
                read = [batches.get_next_as_optional().has_value() for _ in range(iterator.steps_per_execution)]
                if not read[0]:
                    raise StopIteration


def _find_epoch_iterator():
    """Return the EpochIterator of the call to Keras' fit that is in progress. Raises NotResumable if none is found."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "fit" and "epoch_iterator" in frame.f_locals:
            return frame.f_locals["epoch_iterator"]
        frame = frame.f_back
    raise NotResumable("this version of Keras reads data in a way that Epochal does not support")


def _is_generator(data):
    return hasattr(data, "__next__") and not find_dataset_class(data)  # Keras' image iterators are PyDatasets, too


def _describe_pipeline(dataset):
    """Return the kinds of datasets in a tf.data pipeline, and the operations in its functions.

    The third result is whether the functions use resources, such as variables and tables.
    """
    import tensorflow

    kinds, operations, has_resources, pending = set(), set(), False, [dataset]
    while pending:
        node = pending.pop()
        kinds.add(type(node).__name__.strip("_").partition("Dataset")[0])
        for wrapper in node._functions():
            graph = wrapper.function.graph.as_graph_def()
            operations |= {each.op for each in graph.node}
            operations |= {each.op for function in graph.library.function for each in function.node_def}
            has_resources |= any(each.dtype == tensorflow.resource for each in wrapper.function.captured_inputs)
        pending += inputs_of(node)
    return kinds, operations, has_resources


def _is_seeded():
    """Return whether the script has set the random seed of Keras or TensorFlow."""
    from keras.src.backend.common import global_state

    context = sys.modules.get("tensorflow.python.eager.context")
    seeds = global_state.get_global_attribute("global_random_seed"), context and context.global_seed()
    return any(seed is not None for seed in seeds)


def _read_random_states():
    name, keys, *rest = numpy.random.get_state()
    return {"python": random.getstate(), "numpy": (name, keys.tobytes(), *rest)}
