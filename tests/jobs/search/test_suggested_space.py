"""The search space that ``epochal init`` suggests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.analysis.script import parse_script
from epochal.jobs.search.space import read_space
from epochal.jobs.search.suggested_space import suggest
from epochal.settings import Choices, Range


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("learning_rate = 0.0047", Range(low=0.0005, high=0.05, log=True)),
        ("LR = 1e-3", Range(low=0.0001, high=0.01, log=True)),
        ("batch_size = 100", Choices(choices=(32, 64, 128, 256))),
        ("batch_size = 1", Choices(choices=(1, 2))),
        ("filters = 32", Choices(choices=(16, 32, 64, 128))),
        ("conv1_filters = 1", Choices(choices=(1, 2, 4))),
        ("dense_units = 10", Choices(choices=(4, 8, 16, 32))),
        ("numHidden = 64", Choices(choices=(32, 64, 128, 256))),
        ("conv_blocks = 2", Range(low=1, high=4)),
        ("n_layers = 3", Range(low=1, high=5)),
        ("dropout = 0.3", Range(low=0.0, high=0.5)),
        ("momentum = 0.9", Range(low=0.5, high=0.99)),
        ("weight_decay = 0.0", Range(low=1e-6, high=1e-2, log=True)),
        ("l2 = 0.01", Range(low=0.001, high=0.1, log=True)),
        ("def main():\n    filters = 32", Choices(choices=(16, 32, 64, 128))),
        ("parser.add_argument('--batch-size', type=int, default=64)", Choices(choices=(16, 32, 64, 128))),
        ("model.compile(SGD(learning_rate=0.1))", Range(low=0.01, high=1.0, log=True)),
        ("import sklearn; C = 1.0", Range(low=0.1, high=10.0, log=True)),
        ("import sklearn; n_estimators = 100", Range(low=25, high=400, log=True)),
        ("import sklearn; n_neighbors = 1", Range(low=1, high=4, log=True)),
        ("import sklearn; k = 7; KNeighborsClassifier(n_neighbors=k)", Range(low=1, high=28, log=True)),
        ("import sklearn; max_depth = 4", Range(low=1, high=6)),
    ],
)
def test_suggestion_depends_on_name_and_value(line: str, values: Range | Choices) -> None:
    """Rates vary by powers of ten, sizes by powers of two, layers by one, and fractions within their usual bounds.

    Names are recognised in any naming style.
    """
    assert list(suggest(parse_script(line.encode())).values()) == [values]


@pytest.mark.parametrize(
    "line",
    [
        "epochs = 20",
        "seed = 42",
        "num_classes = 10",
        "image_size = 28",
        "height = 28; width = 28",
        "test_size = 0.2",
        "threshold = 0.5",
        "C = 3.0",  # without scikit-learn it may be a number of channels
        "learning_rate = 1",
        "learning_rate = 0.0",
        "dropout = 0",
        "filters = -1",
        "optimizer = 'sgd'",
        "learning_rate = 0.1; learning_rate /= 2",
        "this is no Python",
    ],
)
def test_other_constants_get_no_suggestion(line: str) -> None:
    """Such constants have unknown names or unusual values, or cannot be searched."""
    assert suggest(parse_script(line.encode())) == {}


_NAMES = st.sampled_from(
    [
        "lr",
        "batch_size",
        "filters",
        "units",
        "width",
        "layers",
        "dropout",
        "momentum",
        "l2",
        "C",
        "max_depth",
        "n_estimators",
    ]
)
_NUMBERS = st.integers() | st.floats(allow_nan=False)


@given(st.dictionaries(_NAMES, _NUMBERS))
def test_suggestion_is_a_valid_search_space(constants: dict[str, int | float]) -> None:
    """Whatever values the constants have, the suggestion is accepted for the same script."""
    lines = [f"{name} = {value!r}\n".replace("inf", "1e999") for name, value in constants.items()]
    script = "".join(["import sklearn\n", *lines]).encode()
    suggested = suggest(parse_script(script))
    assert [dimension.constant.name for dimension in read_space(parse_script(script), suggested)] == list(suggested)
