"""Which fits weights come from: by what is in them, however they came from one network into another."""

import sys
from typing import Any

import numpy as np
import pytest

from .test_recorder import RECORDER

sys.path.insert(0, str(RECORDER))  # the training's Python finds it there

from epochal_recorder.lineage import Lineage

_SHAPES = ((40, 64), (64,), (64, 10), (10,))


@pytest.fixture
def random() -> np.random.Generator:
    """Return the same random numbers in each test."""
    return np.random.default_rng(0)


def _new(random: np.random.Generator) -> list[Any]:
    return [random.normal(size=shape).astype("float32") * (len(shape) > 1) for shape in _SHAPES]


def _trained(weights: list[Any], random: np.random.Generator, step: float = 0.3) -> list[Any]:
    return [each + step * random.normal(size=each.shape).astype("float32") for each in weights]


def test_weights_are_known_by_what_is_in_them(random: np.random.Generator) -> None:
    """Those that a fit made come from it; new ones, and those it began with, from none."""
    lineage, new = Lineage(), _new(random)
    lineage.remember_new(new)
    trained = _trained(new, random)
    lineage.remember(trained, {"a fit"})
    assert lineage.origin([each.copy() for each in trained]) == ({"a fit"}, True)
    assert lineage.origin(new) == (frozenset(), True)
    assert lineage.origin(_new(random)) == (frozenset(), False)


def test_shared_layers_come_from_each_of_their_fits(random: np.random.Generator) -> None:
    """A network made of another's trained layers, trained on."""
    lineage, one = Lineage(), _trained(_new(random), random)
    lineage.remember(one, {"one"})
    both = [*one[:2], *_new(random)[2:]]
    assert lineage.origin(both)[0] == {"one"}
    further = [*one[:2], *_trained(both[2:], random)]
    lineage.remember(further, {"one", "two"})
    assert lineage.origin(further)[0] == {"one", "two"}


def test_frozen_layers_come_from_no_fit(random: np.random.Generator) -> None:
    """A backbone that is not trained, or a table of positions, with a new head in each fold."""
    lineage, backbone = Lineage(), _new(random)[:2]
    for fold in range(3):
        head = _new(random)[2:]
        assert lineage.origin([*backbone, *head])[0] == frozenset()
        lineage.remember_new([*backbone, *head])
        lineage.remember([*backbone, *_trained(head, random)], {str(fold)})


def test_weights_near_known_ones_come_from_them_too(random: np.random.Generator) -> None:
    """An average over epochs, over two networks, or a few steps of a training loop of the script's own."""
    lineage, new = Lineage(), _new(random)
    epochs = [new]
    for _ in range(5):
        epochs.append(_trained(epochs[-1], random))
        lineage.remember(epochs[-1], {"one"})
    other = _trained(_new(random), random)
    lineage.remember(other, {"two"})
    average = [np.mean(each, axis=0) for each in zip(*epochs[1:], strict=True)]
    assert lineage.origin(average) == ({"one"}, False)
    ensemble = [(one + two) / 2 for one, two in zip(epochs[-1], other, strict=True)]
    assert lineage.origin(ensemble) == ({"one", "two"}, False)
    assert lineage.origin(_trained(epochs[-1], random, 0.01)) == ({"one"}, False)


def test_small_layers_are_known_together(random: np.random.Generator) -> None:
    """None of them has enough values to tell by itself where an average comes from."""
    lineage = Lineage()
    epochs = [[random.normal(size=shape) for shape in ((20, 16), (16, 8), (8, 2))]]
    for _ in range(3):
        epochs.append(_trained(epochs[-1], random))
        lineage.remember(epochs[-1], {"one"})
    average = [np.mean(each, axis=0) for each in zip(*epochs[1:], strict=True)]
    assert lineage.origin(average) == ({"one"}, False)
    fresh = [random.normal(size=each.shape) for each in average]
    assert lineage.origin(fresh) == (frozenset(), False)


def test_other_networks_of_the_same_shape_come_from_nowhere(random: np.random.Generator) -> None:
    """A hundred fresh networks beside ten trained ones."""
    lineage = Lineage()
    for number in range(10):
        lineage.remember(_trained(_new(random), random), {str(number)})
    assert all(lineage.origin(_new(random)) == (frozenset(), False) for _ in range(100))


def _fit(lineage: Lineage, identity: str, rows: Any) -> Any:
    fitted = lineage.begin(identity)
    fitted.add(rows.astype(np.uint64), np.zeros(len(rows)))
    fitted.end_pass()
    lineage.share(fitted)
    return fitted


def test_fits_of_the_same_rows_keep_them_once() -> None:
    """A loop that fits a thousand classifiers on the same data."""
    lineage = Lineage()
    one, same, other = (_fit(lineage, name, np.arange(start, 100)) for name, start in (("a", 0), ("b", 0), ("c", 1)))
    assert one.hashes is same.hashes
    assert other.hashes is not one.hashes


def test_the_rows_of_the_oldest_fits_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that splits the data anew in each of very many fits; what is not known any more is not called checked."""
    monkeypatch.setattr("epochal_recorder.lineage._MOST_ROWS_OF_ALL", 1_000)
    lineage = Lineage()
    fits = [_fit(lineage, str(number), np.arange(300) + 1_000 * number) for number in range(6)]
    assert [bool(fitted.unseen) for fitted in fits] == [True, True, False, False, False, False]
    assert [len(fitted.hashes) for fitted in fits] == [0, 0, 300, 300, 300, 300]


def test_it_goes_into_a_checkpoint_and_back(random: np.random.Generator) -> None:
    """In the next process the weights are known by the same fits, whose rows are there."""
    lineage, weights = Lineage(), _trained(_new(random), random)
    fitted, other = lineage.begin("a fit"), lineage.begin("another one")
    fitted.add(np.arange(100, dtype=np.uint64), np.zeros(100))
    fitted.end_pass()
    lineage.remember(weights, {"a fit"})
    lineage.remember(_trained(_new(random), random), {other.identity})
    later = Lineage()
    later.restore(lineage.state({"a fit"}))
    assert later.origin(weights) == ({"a fit"}, True)
    assert [len(rows.hashes) for rows in later.rows_of({"a fit"})] == [100]
