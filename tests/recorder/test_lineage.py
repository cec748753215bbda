"""Which fits a model's weights come from: weights are identified by their values, however they got into the model."""

import sys
from typing import Any

import numpy as np
import pytest

from .test_recorder import RECORDER

sys.path.insert(0, str(RECORDER))  # where Python finds the recorder during training

from epochal_recorder.lineage import LOADED, Lineage

_SHAPES = ((40, 64), (64,), (64, 10), (10,))


@pytest.fixture
def random() -> np.random.Generator:
    """Return a generator that draws the same numbers in each test."""
    return np.random.default_rng(0)


def _draw_weights(random: np.random.Generator) -> list[Any]:
    return [random.normal(size=shape).astype("float32") * (len(shape) > 1) for shape in _SHAPES]


def _train(weights: list[Any], random: np.random.Generator, step: float = 0.3) -> list[Any]:
    return [each + step * random.normal(size=each.shape).astype("float32") for each in weights]


def test_weights_are_identified_by_their_values(random: np.random.Generator) -> None:
    """A copy of trained weights comes from the fit that made them; initial and unknown weights come from none."""
    lineage, initial = Lineage(), _draw_weights(random)
    lineage.remember_untrained(initial)
    trained = _train(initial, random)
    lineage.remember(trained, {"a fit"})
    assert lineage.find_origin([each.copy() for each in trained]) == ({"a fit"}, True)
    assert lineage.find_origin(initial) == (frozenset(), True)
    assert lineage.find_origin(_draw_weights(random)) == (frozenset(), False)


def test_shared_layers_come_from_all_their_fits(random: np.random.Generator) -> None:
    """A model takes trained layers from another one and is then trained further."""
    lineage, trained = Lineage(), _train(_draw_weights(random), random)
    lineage.remember(trained, {"one"})
    combined = [*trained[:2], *_draw_weights(random)[2:]]
    assert lineage.find_origin(combined)[0] == {"one"}
    trained_further = [*trained[:2], *_train(combined[2:], random)]
    lineage.remember(trained_further, {"one", "two"})
    assert lineage.find_origin(trained_further)[0] == {"one", "two"}


def test_frozen_layers_come_from_no_fit(random: np.random.Generator) -> None:
    """In each fold, an untrained backbone gets a new head, and no fit changes the backbone."""
    lineage, backbone = Lineage(), _draw_weights(random)[:2]
    for fold in range(3):
        head = _draw_weights(random)[2:]
        assert lineage.find_origin([*backbone, *head])[0] == frozenset()
        lineage.remember_untrained([*backbone, *head])
        lineage.remember([*backbone, *_train(head, random)], {str(fold)})


def test_loaded_weights_are_told_from_those_of_this_trial(random: np.random.Generator) -> None:
    """Weights that a fit knows, that the trial saved or that a library loads itself do not count as loaded."""
    lineage, fitted, saved, backbone = Lineage(), *(_draw_weights(random) for _ in range(3))
    lineage.remember(fitted, {"a fit"})
    lineage.remember_saved(saved)
    loaded = _draw_weights(random)
    for weights in (fitted, saved, [*backbone[:2], *loaded[2:]]):
        lineage.remember_loaded(weights)
    assert lineage.find_origin(fitted) == ({"a fit"}, True)
    assert lineage.find_origin(saved) == (frozenset(), False)
    assert lineage.find_origin([*backbone[:2], *loaded[2:]]) == ({LOADED}, True)
    lineage.remember_pretrained(backbone)
    assert lineage.find_origin(backbone) == (frozenset(), True)
    assert lineage.find_origin([*backbone[:2], *loaded[2:]]) == ({LOADED}, True)
    assert [bool(rows.why_unseen) for rows in lineage.rows_of({LOADED})] == [True]


def test_vectors_of_a_loaded_model_identify_nothing(random: np.random.Generator) -> None:
    """A new model that is normalised with the same data has the same means as the loaded one."""
    lineage, means = Lineage(), random.normal(size=12)
    lineage.remember_loaded([means, *_draw_weights(random)])
    assert lineage.find_origin([means, np.ones((3, 3))]) == (frozenset(), True)


def test_weights_close_to_known_ones_have_the_same_origin(random: np.random.Generator) -> None:
    """Averages over epochs or models and a few unobserved training steps stay close to the known weights."""
    lineage, initial = Lineage(), _draw_weights(random)
    epochs = [initial]
    for _ in range(5):
        epochs.append(_train(epochs[-1], random))
        lineage.remember(epochs[-1], {"one"})
    other = _train(_draw_weights(random), random)
    lineage.remember(other, {"two"})
    average = [np.mean(each, axis=0) for each in zip(*epochs[1:], strict=True)]
    assert lineage.find_origin(average) == ({"one"}, False)
    ensemble = [(one + two) / 2 for one, two in zip(epochs[-1], other, strict=True)]
    assert lineage.find_origin(ensemble) == ({"one", "two"}, False)
    assert lineage.find_origin(_train(epochs[-1], random, 0.01)) == ({"one"}, False)


def test_small_layers_are_identified_together(random: np.random.Generator) -> None:
    """No single layer has enough values to find the origin of an average."""
    lineage = Lineage()
    epochs = [[random.normal(size=shape) for shape in ((20, 16), (16, 8), (8, 2))]]
    for _ in range(3):
        epochs.append(_train(epochs[-1], random))
        lineage.remember(epochs[-1], {"one"})
    average = [np.mean(each, axis=0) for each in zip(*epochs[1:], strict=True)]
    assert lineage.find_origin(average) == ({"one"}, False)
    unrelated = [random.normal(size=each.shape) for each in average]
    assert lineage.find_origin(unrelated) == (frozenset(), False)


def test_unrelated_networks_of_the_same_shape_have_no_origin(random: np.random.Generator) -> None:
    """None of a hundred new models is mistaken for a relative of ten trained ones."""
    lineage = Lineage()
    for number in range(10):
        lineage.remember(_train(_draw_weights(random), random), {str(number)})
    assert all(lineage.find_origin(_draw_weights(random)) == (frozenset(), False) for _ in range(100))


def _fit(lineage: Lineage, identity: str, rows: Any) -> Any:
    fitted = lineage.register(identity)
    fitted.add(rows.astype(np.uint64), np.zeros(len(rows)))
    fitted.end_pass()
    lineage.share_rows(fitted)
    return fitted


def test_fits_on_the_same_rows_store_them_once() -> None:
    """A loop may fit a thousand classifiers on the same data."""
    lineage = Lineage()
    one, same, other = (_fit(lineage, name, np.arange(start, 100)) for name, start in (("a", 0), ("b", 0), ("c", 1)))
    assert one.hashes is same.hashes
    assert other.hashes is not one.hashes


def test_rows_of_the_oldest_fits_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop may make a new split for each of very many fits; dropped rows must not count as checked."""
    monkeypatch.setattr("epochal_recorder.lineage._MAX_ROWS_OF_ALL", 1_000)
    lineage = Lineage()
    fits = [_fit(lineage, str(number), np.arange(300) + 1_000 * number) for number in range(6)]
    assert [bool(fitted.why_unseen) for fitted in fits] == [True, True, False, False, False, False]
    assert [len(fitted.hashes) for fitted in fits] == [0, 0, 300, 300, 300, 300]


def test_lineage_survives_a_checkpoint(random: np.random.Generator) -> None:
    """The next process can trace the weights to their fit, and has the rows of that fit."""
    lineage, weights = Lineage(), _train(_draw_weights(random), random)
    fitted, other = lineage.register("a fit"), lineage.register("another one")
    fitted.add(np.arange(100, dtype=np.uint64), np.zeros(100))
    fitted.end_pass()
    lineage.remember(weights, {"a fit"})
    lineage.remember(_train(_draw_weights(random), random), {other.identity})
    restored = Lineage()
    restored.restore(lineage.state({"a fit"}))
    assert restored.find_origin(weights) == ({"a fit"}, True)
    assert [len(rows.hashes) for rows in restored.rows_of({"a fit"})] == [100]
