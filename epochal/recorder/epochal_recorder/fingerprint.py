"""What has to be the same for a fit to go on from a checkpoint: the model, how it is compiled, its batches and its data."""

import re

from .data import described

_LONGEST_VALUE = 40


def fingerprint(model, arguments):
    """Return the parts of what a fit trains, as JSON; ``model`` is built, ``arguments`` are those of the call.

    Numbers that Keras appends to names (dense_3) depend on what else the script made, and do not count.
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
    """Return what is different in words, the first two places of it; empty if nothing is.

    ``before`` comes from a file, ``now`` from a call of ``fingerprint``.
    """
    found = []
    for part in now:
        for place in _places(part, before.get(part), now[part]):
            # Without the levels that only Keras' serialisation, or ours, has.
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
    """Return a configuration as JSON; empty if the model cannot tell it (a subclass of Model need not)."""
    try:
        return _plain(get()) or {}
    except Exception:  # Keras' own, or the script's own get_config: the variables still tell models apart
        return {}


def _plain(value):
    """Return ``value`` as JSON gives it back; of what JSON has not, no more than its type and name."""
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
    """Return a serialised configuration with its automatic names numbered anew, in the order in which they stand there."""
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
