"""Observe the rows that Keras reads: arrays all at once, other data batch by batch."""

import numpy

from .library import find_dataset_class, tree
from .rows import NotHashable

_CUTS = ("Take", "Skip", "Shard", "Filter", "Window")
"""Parts of the names of tf.data classes that drop rows."""


def watch(x, y, see, end_pass=None, restart=None, steps=None, note_first=None):
    """Arrange for ``see(x, y)`` to be called with the rows that Keras reads, and return the data to pass to Keras.

    ``y`` is None if there are no labels. ``end_pass()`` is called each time all data has been read and, for a
    generator, also after every ``steps`` batches. It is not called for a tf.data.Dataset, where each epoch is a pass.
    With other data, Keras reads ahead, so a pass does not end when an epoch does. ``restart()`` is called if a
    PyDataset is read again from its beginning, so that the incomplete pass is not counted.
    ``note_first(x, y)`` is called with the first batch of each epoch of a tf.data.Dataset or a generator; an epoch has
    ``steps`` batches, or all batches if ``steps`` is None.

    Returns ``x`` or its replacement, and the reason why the rows cannot be seen (empty if they can).
    """
    end_pass, restart = end_pass or (lambda: None), restart or (lambda: None)
    if x is None:
        return x, "no data was passed"
    if hasattr(x, "element_spec"):
        return _observe_tf_dataset(x, see, steps, note_first)
    if kind := find_dataset_class(x):
        if getattr(x, "use_multiprocessing", False):
            return x, "other processes read the data"
        return _observe_pydataset(x, kind, see, end_pass, restart), ""
    if hasattr(x, "__next__"):
        return _observe_generator(x, see, end_pass, steps, note_first), ""
    leaves = tree().flatten(x)
    if not leaves or not all(hasattr(leaf, "shape") or isinstance(leaf, (bool, int, float)) for leaf in leaves):
        return x, f"data of type {type(x).__name__} is not supported"
    see(x, y)
    end_pass()
    return x, ""


def unpack_batch(batch):
    """Return the x and y of a batch from a generator or dataset; y is None if the batch has no labels."""
    if isinstance(batch, (tuple, list)) and batch:
        return batch[0], batch[1] if len(batch) > 1 else None
    return batch, None


def shares_reshuffled_source(dataset, others):
    """Return whether ``dataset`` contains only part of a reshuffled dataset that is also a source of one of ``others``.

    ``dataset`` is a tf.data pipeline; ``others`` are datasets that a model was fitted on. If a dataset is shuffled
    anew each time it is read, a take or skip after the shuffle yields different rows each time, so the model may have
    been trained on any of them.
    """
    shuffles = {identity for identity, is_cut, is_shuffled in _walk(dataset) if is_cut and is_shuffled}
    return any(identity in shuffles for other in others if shuffles for identity, *_ in _walk(other))


def find_reshuffled(dataset):
    """Return the IDs of the datasets in a tf.data pipeline that are reshuffled in each epoch; empty for other data."""
    return {identity for identity, _, is_shuffled in _walk(dataset) if is_shuffled}


def _walk(dataset):
    """For each dataset in a pipeline, yield its ID, whether a later step drops rows, and whether it is reshuffled."""
    pending, seen = [(dataset, False)], set()
    while pending:
        node, is_cut = pending.pop()
        if (id(node), is_cut) in seen:
            continue
        seen.add((id(node), is_cut))
        name = type(node).__name__
        yield id(node), is_cut, "Shuffle" in name and bool(getattr(node, "_reshuffle_each_iteration", True))
        if "Cache" in name:  # cached rows are not shuffled again, so comparing the rows is enough
            continue
        is_cut = is_cut or any(word in name for word in _CUTS)
        pending += [(each, is_cut) for each in inputs_of(node)]


def inputs_of(node):
    """Return the datasets that a tf.data.Dataset was made from; empty if ``node`` is not a tf.data.Dataset."""
    inputs = getattr(node, "_inputs", None)
    return list(inputs()) if callable(inputs) else []


def _observe_tf_dataset(dataset, see, steps, note_first):
    import tensorflow

    if not isinstance(dataset, tensorflow.data.Dataset) or tensorflow.distribute.has_strategy():
        return dataset, "the dataset is distributed"
    flat = tensorflow.nest.flatten(dataset.element_spec)
    if not all(isinstance(spec, tensorflow.TensorSpec) and spec.shape.rank != 0 for spec in flat):
        return dataset, "the dataset has tensors that are not dense or not batched"
    structure = dataset.element_spec

    def see_batch(number, *tensors):
        batch = unpack_batch(tensorflow.nest.pack_sequence_as(structure, list(tensors)))
        if note_first and (number % steps if steps else number) == 0:
            note_first(*batch)
        see(*batch)
        return numpy.True_

    def observe(number, batch):
        is_seen = tensorflow.numpy_function(see_batch, [number, *tensorflow.nest.flatten(batch)], tensorflow.bool)
        with tensorflow.control_dependencies([is_seen]):
            return tensorflow.nest.map_structure(tensorflow.identity, batch)

    return dataset.enumerate().map(observe), ""


def _observe_pydataset(dataset, kind, see, end_pass, restart):
    seen = set()
    is_keras_2 = not hasattr(dataset, "num_batches")

    class Observed(kind):
        """A PyDataset that calls ``see`` once per batch in each pass, though Keras reads the first batches twice."""

        @property
        def num_batches(self):
            return len(dataset) if is_keras_2 else dataset.num_batches

        def __len__(self):
            return len(dataset)

        def __getitem__(self, index):
            batch = dataset[index]
            if index not in seen:
                seen.add(index)
                see(*unpack_batch(batch))
            if len(seen) == self.num_batches:  # num_batches is None if a pass has no end
                seen.clear()
                end_pass()
            return batch

        def on_epoch_begin(self):  # Keras 2 does not call it
            dataset.on_epoch_begin()

        def on_epoch_end(self):
            if seen:  # the pass is incomplete and will be read again, perhaps in another order
                seen.clear()
                restart()
            dataset.on_epoch_end()

    return Observed() if is_keras_2 else Observed(dataset.workers, False, dataset.max_queue_size)


def _observe_generator(batches, see, end_pass, steps, note_first):
    for count, batch in enumerate(batches, 1):
        if note_first and (count == 1 or (steps and count % steps == 1 % steps)):
            note_first(*unpack_batch(batch))
        see(*unpack_batch(batch))
        if steps and count % steps == 0:
            end_pass()
        yield batch
    end_pass()


def make_safe(see, output, fail):
    """Wrap ``see`` so that, if it raises an exception, ``fail(why)`` is called and training continues.

    The exception is also recorded as a fault in ``output``, unless the cause is that the rows cannot be hashed.
    """

    def wrapper(x, y):
        try:
            see(x, y)
        except NotHashable as kind:
            fail(f"the rows cannot be compared ({kind})")
        except Exception as fault:
            fail("internal error")
            output.record_fault(f"{type(fault).__name__}: {fault}")

    return wrapper
