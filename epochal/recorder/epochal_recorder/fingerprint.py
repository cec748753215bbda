"""The resume key of a Keras fit: what must be equal for it to resume from a checkpoint."""

import re

from .data import described

_LONGEST_VALUE = 40


def fingerprint(model, arguments):
    """Return the resume key of a fit as JSON: descriptions of its model, compilation, batches and data.

    ``model`` must be built; ``arguments`` are those of the call of fit, by name. The keys of the result are words for
    users (``difference``). The numbers that Keras appends to names (dense_3) are left out, because they depend on what
    else the script has created.
    """
    compiled = _config(model.get_compile_config)
    variables = [[list(map(int, each.shape)), str(each.dtype), bool(each.trainable)] for each in model.variables]
    return {
        "the model": {"config": _without_numbers(_config(model.get_config)), "variables": variables},
        "the optimizer": _without_numbers(compiled.get("optimizer", type(model.optimizer).__name__)),
        "the loss": {name: _plain(compiled.get(name)) for name in ("loss", "loss_weights")},
        "the metrics": {name: _plain(compiled.get(name)) for name in ("metrics", "weighted_metrics")},
        "the batches": {name: _plain(arguments.get(name)) for name in _BATCHES},
        "the training data": {name: described(arguments.get(name)) for name in ("x", "y", "sample_weight")},
        "the validation data": described(arguments.get("validation_data")),
    }


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


def difference(before, now):
    """Return the first two differences between two resume keys, as text for users; empty if the keys are equal.

    ``before`` is the key in a checkpoint, ``now`` the one that ``fingerprint`` has returned for this fit.
    """
    found = []
    for part in now:
        for place in _places(part, before.get(part), now[part]):
            # Leave out the levels that exist only in Keras' serialisation or in our description of the data.
            place = re.sub(r": layers: (\d+)", r": layer \1", re.sub(r": config(?=:)", "", place))
            found.append(re.sub(r"(: 1)?: arrays: \d+", "", place))
    return "; ".join(list(dict.fromkeys(found))[:2])


def _places(path, before, now):
    if before == now:
        return
    if path.endswith(": sample"):
        yield f"{path.removesuffix(': sample')} has other values (is its split or shuffle seeded?)"
    elif isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            yield from _places(f"{path}: {key}", before.get(key), now.get(key))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for index, pair in enumerate(zip(before, now, strict=True)):
            yield from _places(f"{path}: {index + 1}", *pair)
    else:
        yield f"{path} {_short(before)} → {_short(now)}"


def _short(value):
    if isinstance(value, (dict, list)):
        return "of another kind" if isinstance(value, dict) else f"of {len(value)}"
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _config(get):
    """Return the configuration that ``get`` returns as JSON, or {} if it fails, as it may for a subclass of Model."""
    try:
        return _plain(get()) or {}
    except Exception:  # get_config may be Keras' or the script's; the variables still tell models apart
        return {}


def _plain(value):
    """Return ``value`` as JSON would give it back; objects that JSON does not have become their type and name."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if getattr(value, "shape", None) == ():
        return value.item() if hasattr(value, "item") else float(value)
    return f"{type(value).__name__} {getattr(value, '__name__', '')}".strip()


def _without_numbers(config):
    """Return a serialised configuration with its numbered names (dense_3) renumbered in order of appearance."""
    names, counts, waiting = {}, {}, [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            name = part.get("name")
            if isinstance(name, str) and name not in names:
                base = re.sub(r"_\d+$", "", name)
                counts[base] = counts.get(base, 0) + 1
                names[name] = f"{base}#{counts[base]}"
            waiting.extend(reversed(part.values()))
        elif isinstance(part, list):
            waiting.extend(reversed(part))
    return _renamed(config, names)


def _renamed(config, names):
    if isinstance(config, dict):
        return {key: _renamed(inner, names) for key, inner in config.items()}
    if isinstance(config, list):
        return [_renamed(inner, names) for inner in config]
    return names.get(config, config) if isinstance(config, str) else config
