"""Capture and restore the state of a fit: everything that determines its next epochs."""

import functools
import random
import sys

import numpy

_GENERATORS = numpy.random.Generator, numpy.random.RandomState, random.Random


def capture(model):
    """Return the state of a fit: the variables of the model and optimizer, and the states of random number generators.

    The generators are those of Python, NumPy, Keras and TensorFlow's eager operations; the random state of the layers
    is among the model's variables.
    """
    from keras.src.backend.common import global_state

    generator = global_state.get_global_attribute("global_seed_generator")  # None if nothing has used it yet
    # Copy the values, because on a CPU a NumPy array may share the memory of the variable.
    variables, optimizer, seed = ([numpy.array(each) for each in group] for group in _variables_of(model, generator))
    return {
        "variables": variables,
        "optimizer": optimizer,
        "random": {
            "python": random.getstate(),
            "numpy": numpy.random.get_state(),
            "keras": seed,
            "tensorflow": operation_seeds.getstate() if (operation_seeds := _find_operation_seeds()) else None,
        },
    }


def restore(model, state, kept):
    """Restore the state that ``capture`` returned. If any variable cannot be restored, none is changed.

    ``kept``: which of the random number generators ``python`` and ``numpy`` to leave as they are.

    Raises ValueError if the number or shapes of the variables do not match this model and its optimizer.
    """
    from keras.src.random.seed_generator import global_seed_generator

    saved = state["variables"], state["optimizer"], state["random"]["keras"]
    current = _variables_of(model, global_seed_generator() if saved[2] else None)
    variables = [variable for group in current for variable in group]
    values = [value for group in saved for value in group]
    if [len(group) for group in current] != [len(group) for group in saved] or any(
        tuple(variable.shape) != value.shape for variable, value in zip(variables, values, strict=True)
    ):
        raise ValueError("the checkpoint's variables do not match the model's")
    before = [numpy.array(variable) for variable in variables]
    try:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    except Exception:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
        raise
    if "python" not in kept:
        random.setstate(state["random"]["python"])
    if "numpy" not in kept:
        numpy.random.set_state(state["random"]["numpy"])
    if (operation_seeds := _find_operation_seeds()) and (seeds := state["random"].get("tensorflow")):
        operation_seeds.setstate(seeds)


def find_generators(objects):
    """Return which of the global random number generators (``python``, ``numpy``) are among ``objects``.

    A method of a generator, such as random.random, counts as the generator itself.
    """
    owners = [getattr(each, "__self__", each) for each in objects]  # of a function such as random.random
    known = {"python": (random, random.random.__self__), "numpy": (numpy.random, numpy.random.random.__self__)}
    return {name for name, generators in known.items() if any(each is one for each in owners for one in generators)}


def draws_hidden_numbers(model):
    """Return whether a training step draws seeded random numbers with a stateful TensorFlow operation.

    Operations without a seed do not count, because they draw different numbers every time anyway.
    """
    cells = getattr(getattr(model, "train_function", None), "__closure__", None) or ()
    functions = [cell.cell_contents for cell in cells if hasattr(cell.cell_contents, "_list_all_concrete_functions")]
    return any(map(_draws_numbers, [each for one in functions for each in one._list_all_concrete_functions()]))


@functools.lru_cache(maxsize=16)  # a traced function does not change, and each checkpoint asks again
def _draws_numbers(concrete_function):
    graph = concrete_function.graph.as_graph_def()
    return any(
        node.op == "RngReadAndSkip" or any(node.attr[name].i for name in ("seed", "seed2") if name in node.attr)
        for node in (*graph.node, *(each for function in graph.library.function for each in function.node_def))
    )


def find_untracked_state(model, code):
    """Return the names of objects that hold training state outside the model's variables.

    Such an object is an attribute of the model or of one of its layers, or is read by ``code``, the script's code for
    the model. It may be an optimizer that the model was not compiled with, a TensorFlow variable, a random number
    generator from Python or NumPy (TensorFlow draws from such a generator only once, while tracing the code), or a
    layer or Keras variable that is not part of the model.
    """
    import keras

    known = {id(variable) for variable in model.variables}
    found, attributes = set(), set()
    for layer in model._flatten_layers():
        for name, value in vars(layer).items():
            if name.startswith("_self_"):  # TensorFlow's own lists of the other attributes
                continue
            values = (
                value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else [value]
            )
            attributes |= set(map(id, values))
            found |= {name for each in values if _holds_state(each, model.optimizer)}
    for name, value in code.objects.items():
        if id(value) in attributes:
            continue
        variables = [value] if isinstance(value, keras.Variable) else getattr(value, "trainable_variables", ())
        is_layer_or_variable = isinstance(value, (keras.layers.Layer, keras.Variable))
        is_other = is_layer_or_variable and any(id(each) not in known for each in variables)
        found |= {name} if is_other or _holds_state(value, model.optimizer) else set()
    return sorted(found)


def find_nonfinite(variables):
    """Return whether any of these variables holds NaN or infinity."""
    return any(not is_finite(numpy.asarray(variable)) for variable in variables)


def is_finite(array):
    """Return whether all values in an array are finite, that is, neither NaN nor infinite."""
    # The sum is not finite if any value is not, but it may also overflow.
    if array.dtype.kind in "biuO":
        return True
    array = array if array.dtype.kind in "fc" else array.astype(numpy.float32)  # bfloat16
    return bool(numpy.isfinite(array.sum(dtype=numpy.float64)) or numpy.isfinite(array).all())


def _holds_state(value, compiled):
    """Return whether ``value`` is a TensorFlow variable, a random number generator or an optimizer.

    Neither the optimizer ``compiled`` nor the optimizer that it wraps, if any, counts.
    """
    import keras

    if isinstance(value, keras.optimizers.Optimizer):
        return value is not compiled and value is not getattr(compiled, "inner_optimizer", None)
    owner = getattr(value, "__self__", value)  # of a function such as random.random
    if any(owner is module for module in (random, numpy.random)) or isinstance(owner, _GENERATORS):
        return True
    return type(value).__module__.startswith("tensorflow") and hasattr(value, "assign")


def _find_operation_seeds():
    """Return the random.Random instance that seeds TensorFlow's eager operations; None if the script set no seed."""
    context = sys.modules.get("tensorflow.python.eager.context")
    return getattr(context.context(), "_rng", None) if context else None


def _variables_of(model, generator):
    """Return three lists: the variables of the model, of its optimizer, and of the seed generator (if any)."""
    optimizer = model.optimizer
    if optimizer is not None and not optimizer.built:
        optimizer.build(model.trainable_variables)
    variables_of_optimizer = [] if optimizer is None else list(optimizer.variables)
    return model.variables, variables_of_optimizer, [] if generator is None else [generator.state]
