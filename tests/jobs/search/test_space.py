"""The search space: which constants it accepts, and the error messages about the others."""

from pathlib import Path

import pytest

from epochal.analysis.script import Script, parse_script, read_script
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
    """A float constant gets floats, even if [search] has whole numbers. The space keeps the order of [search]."""
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
        (
            "filtres",
            _NUMBERS,
            "Neither nn.py nor the files that it reads set this name to a number, a string, True or False. Did you mean filters?",
        ),
        ("x", _NUMBERS, "to a number, a string, True or False. Searchable names: augment, filters, optimizer, rate."),
        ("steps", _NUMBERS, "line 9 of nn.py does not assign a literal"),
        ("blocks", _NUMBERS, "it is assigned more than once: line 7 of nn.py, line 8 of nn.py."),
        ("units", _NUMBERS, "line 6 of nn.py assigns one literal to several names"),
        ("epochs", _NUMBERS, "this is the number of epochs, which [retrain] raises"),
        ("filters", Range(low=1.5, high=4), "it is set to 32 on line 2 of nn.py. Use whole numbers."),
        ("filters", Range(low=1, high=4, step=0.5), "Use whole numbers"),
        ("filters", Choices(choices=(8, 16.0)), "Use whole numbers"),
        ("filters", _TEXTS, "it is set to 32 on line 2 of nn.py. Give a range, or a list of numbers as choices"),
        ("filters", Choices(choices=(True, False)), "Give a range, or a list of numbers as choices"),
        ("optimizer", _NUMBERS, "it is set to 'sgd' on line 4 of nn.py. Give a list of strings as choices"),
        ("augment", _NUMBERS, "it is set to False on line 5 of nn.py. Give { choices = [true, false] }"),
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
    """The message has one line for each name, like the messages about other settings."""
    with pytest.raises(SettingsError) as error:
        read_space(_SCRIPT, {"x": _NUMBERS, "optimizer": _NUMBERS})
    assert [line.split(": ")[1] for line in str(error.value).splitlines()] == ["search.x", "search.optimizer"]


def test_epochs_are_recognised_by_their_use_in_fit() -> None:
    """The epochs may be a constant of any name, or a number in the call itself, which is then called epochs."""
    for script in (b"passes = 20\nmodel.fit(x, epochs=passes)\n", b"passes = 3\nmodel.fit(x, epochs=20)\n"):
        name = "passes" if b"=passes" in script else "epochs"
        with pytest.raises(SettingsError, match=r"number of epochs, which \[retrain\] raises"):
            read_space(parse_script(script), {name: _NUMBERS})


_FILES = {
    "nn.py": """
import argparse, os, yaml
from model import build
parser = argparse.ArgumentParser()
parser.add_argument("--learning-rate", type=float, default=0.01)
parser.add_argument("--epochs", type=int, default=5)
args = parser.parse_args()
MOMENTUM = float(os.environ.get("MOMENTUM", "0.9"))
config = yaml.safe_load(open("config.yaml"))
settings = {"batch_size": 64, "optimizer": "sgd"}
parts = {"tree": {"depth": 2}, "plot": {"depth": 1}}
styles = {"depth": 3}

@dataclass
class Config:
    patience: int = 3

def train(model, steps=100, unused=1):
    clip = 0.5
    model.fit(x, y, epochs=args.epochs, batch_size=settings["batch_size"], shuffle=True)

train(build(), unused=2)
""",
    "model.py": "HEADS = 4\ndef build(units=16):\n    return [Dropout(rate=0.5), Dense(width=7), Dense(width=8)]\n",
    "config.yaml": "encoder:\n  layers: 2\ndecoder:\n  layers: 3\n  warmup: 0.1\n",
}


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Return a script whose hyperparameters are in many places."""
    for path, content in _FILES.items():
        (tmp_path / path).write_text(content)
    return read_script(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "path", "changed"),
    [
        ("learning_rate", 0.25, "nn.py", "type=float, default=0.25)"),
        ("MOMENTUM", 0.25, "nn.py", 'os.environ.get("MOMENTUM", "0.25")'),
        ("batch_size", 32, "nn.py", '{"batch_size": 32, '),
        ("patience", 7, "nn.py", "patience: int = 7\n"),
        ("steps", 7, "nn.py", "def train(model, steps=7, unused=1)"),
        ("unused", 7, "nn.py", "train(build(), unused=7)"),
        ("clip", 0.25, "nn.py", "clip = 0.25\n"),
        ("HEADS", 7, "model.py", "HEADS = 7\n"),
        ("units", 7, "model.py", "def build(units=7)"),
        ("rate", 0.25, "model.py", "Dropout(rate=0.25)"),
        ("warmup", 0.25, "config.yaml", "warmup: 0.25\n"),
        ("plot.depth", 7, "nn.py", '{"depth": 2}, "plot": {"depth": 7}'),
        ("encoder.layers", 7, "config.yaml", "encoder:\n  layers: 7\n"),
    ],
)
def test_hyperparameters_are_searched_wherever_they_are(
    script: Script, name: str, value: int | float, path: str, changed: str
) -> None:
    """A simple name is enough if it occurs in only one place. The dimension is named as in epochal.toml."""
    (dimension,) = read_space(script, {name: Choices(choices=(value, value * 2))})
    assert dimension.constant.name == name
    change = script.apply({dimension.constant: value})
    assert changed in change[path].decode()
    assert list(change) == [path]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("layers", 'several places: line 2 of config.yaml, line 4 of config.yaml. Write "encoder.layers" or "decoder.'),
        ("width", "Set it in one place only"),
        (
            "depth",
            'places: line 11 of nn.py, line 12 of nn.py. Write "tree.depth", "plot.depth" or "styles.depth" instead.',
        ),
        ("epochs", "this is the number of epochs, which [retrain] raises"),
        ("learningrate", "Did you mean learning_rate?"),
    ],
)
def test_ambiguous_names_are_refused(script: Script, name: str, message: str) -> None:
    """The message lists the places, and the names that distinguish them."""
    with pytest.raises(SettingsError) as error:
        read_space(script, {name: _NUMBERS})
    assert message in str(error.value)


def test_only_properties_of_the_network_are_suggested() -> None:
    """Seeds and arguments for loading or splitting data are not suggested; the message says what to write instead."""
    script = parse_script(
        b"x, y = load_digits(return_X_y=True)\ntrain_test_split(x, y, test_size=0.25)\nMLPClassifier(random_state=0)\n"
    )
    with pytest.raises(
        SettingsError, match=r"Assign a value to rate at the top level of nn\.py, and use rate in the code\."
    ):
        read_space(script, {"rate": _NUMBERS})


@pytest.mark.parametrize(
    ("name", "source", "message"),
    [
        ("seed", "seed = 1\n", "this is a random seed."),
        ("random_state", "MLPClassifier(random_state=1)\n", "this is a random seed."),
        ("run", "run = 1\ntrain_test_split(x, y, random_state=run)\n", "this is a random seed."),
        ("run", "run = 1\nkeras.utils.set_random_seed(run)\n", "this is a random seed."),
        (
            "val_split",
            "val_split = 1\nmodel.fit(x, y, validation_split=val_split)\n",
            "this decides which rows are validation data, on which a search compares trials.",
        ),
        (
            "val_split",
            "val_split = 1\nimage_dataset_from_directory('x', validation_split=val_split)\n",
            "this decides which rows are test data.",
        ),
        ("fold", "fold = 1\ntrain, test = list(KFold(5).split(x))[fold]\n", "this decides which rows are test data."),
        ("share", "share = 1\ntrain_test_split(x, y, test_size=share)\n", "this decides which rows are test data."),
    ],
)
def test_luck_is_not_searched(name: str, source: str, message: str) -> None:
    """A search over a seed, or over the size of the test data, would pick the test rows that suit the model best."""
    with pytest.raises(SettingsError) as error:
        read_space(parse_script(source.encode()), {name: _NUMBERS})
    assert message in str(error.value)
