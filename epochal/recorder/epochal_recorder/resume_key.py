"""Build the resume key of a Keras fit. The fit resumes from a checkpoint only if its key has not changed."""

import re

from .data import describe
from .script_code import Code, describe_plain, is_instance_of_script, only_writes, read_callback

_MAX_VALUE_LENGTH = 40


def resume_key(model, arguments, callbacks):
    """Return the resume key of a fit: descriptions of its model, compilation, callbacks, batches and data.

    The result can be stored as JSON; its keys are shown to users (see ``describe_difference``). The numbers that Keras
    appends to names (dense_3) are replaced, because they depend on what else the script has created. ``model`` must be
    built. ``arguments``: the arguments of the call to fit, by name. ``callbacks``: the script's callbacks.
    """
    compiled = _read_config(model.get_compile_config)
    epochs = int(arguments.get("epochs", 1))
    variables = [[list(map(int, each.shape)), str(each.dtype), bool(each.trainable)] for each in model.variables]
    return {
        "the model": {"config": _renumber_names(_read_config(model.get_config)), "variables": variables},
        "the code of the model": code_of_model(model).values,
        "the optimizer": _renumber_names(compiled.get("optimizer") or _describe_optimizer(model.optimizer)),
        "the learning rate": _evaluate_schedule(model.optimizer),
        "the loss": {name: _as_plain(compiled.get(name, getattr(model, name, None))) for name in _LOSS},
        "the metrics": {name: _as_plain(compiled.get(name)) for name in ("metrics", "weighted_metrics")},
        "the callbacks": [_describe_callback(callback, epochs) for callback in callbacks],
        "the batches": {name: _as_plain(arguments.get(name)) for name in _BATCHES},
        "the training data": {name: describe(arguments.get(name)) for name in ("x", "y", "sample_weight")},
        "the validation data": describe(arguments.get("validation_data")),
    }


def code_of_model(model):
    """Return the script's own code that each training step runs: the code of the model, layers, loss and optimizer."""
    import keras

    losses = [loss for loss in keras.tree.flatten(getattr(model, "loss", None)) if loss is not None]
    owners = [*model._flatten_layers(), *losses, model.optimizer, getattr(model.optimizer, "_learning_rate", None)]
    owners = [owner for owner in owners if owner is not None and not isinstance(owner, str)]
    code = Code([*(owner for owner in owners if callable(owner)), *map(type, owners)])
    for owner in owners:
        if is_instance_of_script(owner):
            code.read_attributes(owner)
    return code


_LOSS = "loss", "loss_weights"
_STEPS = 0, *sorted({round(1.5**power) for power in range(33)})
"""The steps at which a learning-rate schedule is evaluated: 0 to about 430,000, closer together at the beginning."""
_BATCHES = (
    "batch_size",
    "steps_per_epoch",
    "shuffle",
    "class_weight",
    "initial_epoch",
    "validation_split",
    "validation_steps",
    "validation_freq",
)


def describe_difference(before, now):
    """Describe, for users, the first two differences between two resume keys; return an empty string if they are equal.

    ``before`` is the resume key in a checkpoint, ``now`` the resume key of this fit.
    """
    texts = []
    for part in now:
        for text in _find_differences(part, before.get(part), now[part]):
            # Leave out the levels that exist only in Keras' serialisation or in our description of the data.
            text = re.sub(r"^the callbacks: \d+: ", "the callback ", text)
            text = re.sub(r": layers: (\d+)", r": layer \1", re.sub(r": config(?=:)", "", text))
            texts.append(re.sub(r"(: 1)?: arrays: \d+", "", text))
    return "; ".join(list(dict.fromkeys(texts))[:2])


def _describe_callback(callback, epochs):
    """Return a callback's class and, if it may affect training, the values that its code reads."""
    code = read_callback(callback)
    values = {}
    if code.touches_model and not only_writes(callback):
        values = dict(code.values)
        # SwapEMAWeights reads it, too, but only to replace the model's weights, which is detected when it happens.
        if {"params", "epochs"} <= code.names and not type(callback).__module__.startswith("keras."):
            values["params['epochs']"] = epochs
    return {type(callback).__name__: values}


def _describe_optimizer(optimizer):
    """Return the class of an optimizer that Keras cannot serialise, and those of its attributes that are plain data."""
    plain = {name: describe_plain(value) for name, value in vars(optimizer).items()} if optimizer is not None else {}
    return {"class_name": type(optimizer).__name__} | {name: each for name, each in plain.items() if each is not None}


def _evaluate_schedule(optimizer):
    """Return the learning rate, or its values at some steps if it follows a schedule; None if it is unknown."""
    import keras

    schedule = getattr(optimizer, "_learning_rate", None)
    try:
        if not isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
            return None if schedule is None else float(schedule)
        steps = (keras.ops.convert_to_tensor(step, optimizer.iterations.dtype) for step in _STEPS)
        return {f"in step {number}": float(schedule(step)) for number, step in zip(_STEPS, steps, strict=True)}
    except Exception:  # a schedule may be the script's code; the other descriptions still tell optimizers apart
        return None


def _find_differences(path, before, now):
    if before == now:
        return
    if path.endswith(": sample"):
        yield f"{path.removesuffix(': sample')} has different values (is its split or shuffle seeded?)"
    elif isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            yield from _find_differences(f"{path}: {key}", before.get(key), now.get(key))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for index, pair in enumerate(zip(before, now, strict=True)):
            yield from _find_differences(f"{path}: {index + 1}", *pair)
    else:
        yield f"{path} {_shorten(before)} → {_shorten(now)}"


def _shorten(value):
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else f"a list of length {len(value)}"
    text = repr(value)
    return text if len(text) <= _MAX_VALUE_LENGTH else text[: _MAX_VALUE_LENGTH - 1] + "…"


def _read_config(get):
    """Call ``get`` and return its result as plain data, or {} if the call fails, as it may for a subclass of Model."""
    try:
        return _as_plain(get()) or {}
    except Exception:  # get_config may be Keras' or the script's; the variables still distinguish models
        return {}


def _as_plain(value):
    """Return ``value`` as plain data. An object that JSON cannot represent is replaced by its type and name."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        return {str(key): _as_plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_plain(inner) for inner in value]
    if getattr(value, "shape", None) == ():
        return value.item() if hasattr(value, "item") else float(value)
    return f"{type(value).__name__} {getattr(value, '__name__', '')}".strip()


def _renumber_names(config):
    """Return a serialised configuration with its numbered names (dense_3) renumbered in order of appearance."""
    names, counts, pending = {}, {}, [config]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            name = part.get("name")
            if isinstance(name, str) and name not in names:
                base = re.sub(r"_\d+$", "", name)
                counts[base] = counts.get(base, 0) + 1
                names[name] = f"{base}#{counts[base]}"
            pending.extend(reversed(part.values()))
        elif isinstance(part, list):
            pending.extend(reversed(part))
    return _replace_names(config, names)


def _replace_names(config, names):
    if isinstance(config, dict):
        return {key: _replace_names(inner, names) for key, inner in config.items()}
    if isinstance(config, list):
        return [_replace_names(inner, names) for inner in config]
    return names.get(config, config) if isinstance(config, str) else config
