"""The search space: which constants it accepts, and the error messages about the others."""

import pytest

from epochal.analysis.script import parse_script
from epochal.errors import SettingsError
from epochal.jobs.search.space import read_space
from epochal.settings import Choices, Range

_SCRIPT = parse_script(b"""\
epochs = 20
filters = 32
rate = 0.01
optimizer = "sgd"
augment = False
units = width = 16
blocks = 2
blocks += 1
steps = len(data)
model.fit(x, y, epochs=epochs)
""")


def test_values_get_the_type_of_their_constant() -> None:
    """A constant that is a float gets floats, even from whole numbers. The space is in the order of [search]."""
    space = read_space(
        _SCRIPT,
        {
            "rate": Range(low=1, high=3, step=1),
            "filters": Range(low=1, high=3),
            "augment": Choices(choices=(True, False)),
            "optimizer": Choices(choices=("sgd", "adam")),
        },
    )
    assert [(dimension.constant.name, dimension.constant.line) for dimension in space] == [
        ("rate", 3),
        ("filters", 2),
        ("augment", 5),
        ("optimizer", 4),
    ]
    rate, filters = (dimension.values for dimension in space[:2])
    assert rate == Range(low=1.0, high=3.0, step=1.0)
    assert isinstance(rate, Range)
    assert not rate.is_integer
    assert filters == Range(low=1, high=3)
    (choices,) = read_space(_SCRIPT, {"rate": Choices(choices=(1, 2.5))})
    assert repr(choices.values) == "Choices(choices=(1.0, 2.5))"
    assert read_space(_SCRIPT, {}) == ()


_NUMBERS = Range(low=1, high=4)
_TEXTS = Choices(choices=("a", "b"))


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("filtres", _NUMBERS, "nn.py assigns no literal to this name at its top level. Did you mean filters?"),
        ("x", _NUMBERS, "at its top level. Searchable names: augment, filters, optimizer, rate."),
        ("steps", _NUMBERS, "line 9 of nn.py does not assign a literal"),
        ("blocks", _NUMBERS, "nn.py assigns it more than once, in lines 7, 8"),
        ("units", _NUMBERS, "line 6 of nn.py assigns one literal to several names"),
        ("epochs", _NUMBERS, "this is the number of epochs, which [retrain] raises"),
        ("filters", Range(low=1.5, high=4), "it is 32 in line 2 of nn.py, a whole number. Give whole numbers"),
        ("filters", Range(low=1, high=4, step=0.5), "a whole number"),
        ("filters", Choices(choices=(8, 16.0)), "a whole number"),
        ("filters", _TEXTS, "it is 32 in line 2 of nn.py. Give a range, or choices that are numbers"),
        ("filters", Choices(choices=(True, False)), "Give a range, or choices that are numbers"),
        ("optimizer", _NUMBERS, "it is 'sgd' in line 4 of nn.py. Give choices that are strings"),
        ("augment", _NUMBERS, "it is False in line 5 of nn.py. Give { choices = [true, false] }"),
    ],
)
def test_unsearchable_constants_are_refused(name: str, values: Range | Choices, message: str) -> None:
    """The message is one line with the file, the setting, the cause in nn.py, and usually the remedy."""
    with pytest.raises(SettingsError) as error:
        read_space(_SCRIPT, {"rate": Range(low=0.1, high=1), name: values})
    assert str(error.value).startswith(f"epochal.toml: search.{name}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_all_faults_are_reported_together() -> None:
    """The message has one line for each name, like that of other settings."""
    with pytest.raises(SettingsError) as error:
        read_space(_SCRIPT, {"x": _NUMBERS, "optimizer": _NUMBERS})
    assert [line.split(": ")[1] for line in str(error.value).splitlines()] == ["search.x", "search.optimizer"]


def test_epochs_are_recognised_by_their_use_in_fit() -> None:
    """They may be a constant of any name, or a number in the call itself, which is then called epochs."""
    for script in (b"passes = 20\nmodel.fit(x, epochs=passes)\n", b"passes = 3\nmodel.fit(x, epochs=20)\n"):
        name = "passes" if b"=passes" in script else "epochs"
        with pytest.raises(SettingsError, match=r"number of epochs, which \[retrain\] raises"):
            read_space(parse_script(script), {name: _NUMBERS})
