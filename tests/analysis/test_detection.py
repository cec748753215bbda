"""Detection of the framework and of the modules that must be importable, based on the imports."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.analysis.code import read_code
from epochal.analysis.detection import Detection, detect
from epochal.errors import Reason, RunFailed


def _detect(script: str, modules: dict[str, str] | None = None, override: str = "") -> Detection:
    return detect(script, lambda name: (modules or {}).get(name), override)


def _catch_failure(script: str, modules: dict[str, str]) -> RunFailed:
    with pytest.raises(RunFailed) as failure:
        _detect(script, modules)
    return failure.value


_NO_IMPORT = (
    "no import of jax, flax, keras, tensorflow, tf_keras, lightgbm, sklearn, torch, torchvision, lightning, "
    "pytorch_lightning or xgboost"
)


@pytest.mark.parametrize(
    ("script", "framework", "why"),
    [
        ("import keras\n", "keras", "nn.py line 1 imports keras"),
        ("import numpy\n\nfrom keras.layers import Dense\n", "keras", "nn.py line 3 imports keras"),
        ("import tensorflow.keras as K\nimport keras\n", "keras", "nn.py line 1 imports tensorflow"),
        ("import tf_keras\n", "keras", "nn.py line 1 imports tf_keras"),
        ("import torch.nn as nn\n", "torch", "nn.py line 1 imports torch"),
        ("from sklearn.svm import SVC\n", "sklearn", "nn.py line 1 imports sklearn"),
        ("import sklearn\nimport keras\n", "keras", "nn.py line 2 imports keras"),
        ("import sklearn; import torch\n", "torch", "nn.py line 1 imports torch"),
        ("import sklearn\nimport xgboost as xgb\n", "xgboost", "nn.py line 2 imports xgboost"),
        ("import xgboost\nimport lightgbm\n", "xgboost", "nn.py line 1 imports xgboost"),
        ("import lightgbm, xgboost\n", "lightgbm", "nn.py line 1 imports lightgbm"),
        ("import flax.linen as nn\nimport jax\n", "jax", "nn.py line 1 imports flax"),
        (
            "import jax\nimport tensorflow_datasets\nimport tensorflow as tf\n",
            "keras",
            "nn.py line 3 imports tensorflow",
        ),
        ("def main():\n    import keras\n", "keras", "nn.py line 2 imports keras"),
        ("try:\n    import keras\nexcept ImportError:\n    keras = None\n", "keras", "nn.py line 2 imports keras"),
        (
            "# import keras\ntext = 'import keras'\n",
            "python",
            _NO_IMPORT,
        ),
        (
            "import kerastuner\nfrom . import keras\nfrom .torch import nn\n",
            "python",
            _NO_IMPORT,
        ),
        ("if TYPE_CHECKING:\n    import torch\nimport keras\n", "keras", "nn.py line 3 imports keras"),
        ("\ufeffimport keras\r\n", "keras", "nn.py line 1 imports keras"),
    ],
)
def test_framework_is_detected_from_imports(script: str, framework: str, why: str) -> None:
    """The reason names the line. Comments, strings, relative imports and imports for type checkers do not count."""
    detection = _detect(script)
    assert (detection.framework, detection.why) == (framework, why)


@pytest.mark.parametrize(
    ("script", "modules", "why"),
    [
        ("import model\n", {"model": "\nimport tensorflow\n"}, "model.py line 2 imports tensorflow"),
        ("from parts import model\n", {"parts.model": "import keras\n"}, "parts/model.py line 1 imports keras"),
        (
            "import parts\n",
            {
                "parts": "from .model import build\n",
                "parts.__init__": "…",
                "parts.model": "from .. import own\n",
                "own": "import keras\n",
            },
            "own.py line 1 imports keras",
        ),
        ("import parts.a.b\n", {"parts.a": "import keras\n"}, "parts/a.py line 1 imports keras"),
        (
            "import a\n",
            {"a": "import b\n", "b": "import a\nimport nn\nimport keras\n", "nn": "import a\n"},
            "b.py line 3 imports keras",
        ),
        (
            "import parts\n",
            {"parts": "import keras\n", "parts.__init__": "import keras\n"},
            "parts/__init__.py line 1 imports keras",
        ),
    ],
)
def test_imports_of_local_modules_count(script: str, modules: dict[str, str], why: str) -> None:
    """Imports also count in packages, in modules that import each other, and if they are relative."""
    assert _detect(script, modules).why == why


def test_local_module_shadows_a_framework() -> None:
    """Python imports a torch.py next to nn.py instead of the installed package."""
    assert _detect("import torch\nimport keras\n", {"torch": "x = 1\n"}).framework == "keras"


def test_several_frameworks_need_the_setting() -> None:
    """The failure names both imports and the setting to add. With the setting, the framework is known."""
    failure = _catch_failure("import keras\nimport model\n", {"model": "import torch\n"})
    assert failure.reason is Reason.SEVERAL_FRAMEWORKS
    for part in ("nn.py line 1 imports keras", "model.py line 1 imports torch", 'framework = "torch"', "epochal.toml"):
        assert part in failure.explanation
    detection = _detect("import keras\nimport torch\n", override="torch")
    assert detection == Detection("torch", "set in epochal.toml", ("keras", "torch"))


def test_unconditional_imports_are_listed() -> None:
    """Modules that are always imported must be installed. The list omits optional and standard library imports."""
    script = """
from __future__ import annotations
import os, numpy as np, pandas
from tensorflow.keras.layers import Dense
from helpers import load, net
from . import nowhere
from .nowhere import nothing
with np.errstate():
    import scipy.stats
try:
    import sure
finally:
    pass
try:
    import cupy
except (ImportError, OSError):
    import fallback
try:
    import optional
except:
    pass
if True:
    import conditional
if typing.TYPE_CHECKING:
    import stubs
def main():
    import late
    import lazy
    import twice
import twice
"""
    helpers = {"helpers": "import cv2\n", "lazy": "import heavy\nimport twice\n", "twice": "import deep\n"}
    assert _detect(script, helpers).modules == (
        "cv2",
        "deep",
        "numpy",
        "pandas",
        "scipy.stats",
        "sure",
        "tensorflow.keras.layers",
    )


@pytest.mark.parametrize(
    ("script", "modules", "expected"),
    [
        ("x = 1\nif x\n", {}, "nn.py line 2: "),
        ("import model\n", {"model": "\n\nx = = 1\n"}, "model.py line 3: "),
        (
            "x = 1\nprint x\n",
            {},
            "nn.py line 2: this is Python 2 code (Missing parentheses in call to 'print')",
        ),
        ("try:\n    x\nexcept OSError, e:\n    y\n", {}, "nn.py line 3: this is Python 2 code ("),
        ("x = 1\0\n", {}, "nn.py "),
        ("x = " + "-" * 100_000 + "1\n", {}, "nn.py "),
    ],
)
def test_invalid_python_is_a_syntax_error(script: str, modules: dict[str, str], expected: str) -> None:
    """The run fails before anything is trained, and the message starts with the file name."""
    failure = _catch_failure(script, modules)
    assert failure.reason is Reason.SYNTAX_ERROR
    assert failure.explanation.startswith(expected)


def test_folder_is_read_as_python_reads_it(tmp_path: Path) -> None:
    """This covers byte order marks, encoding declarations, packages, and names too long for a file."""
    (tmp_path / "nn.py").write_bytes(b"\xef\xbb\xbfimport pack.model\r\nimport data\r\nimport " + b"a" * 300 + b"\r\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack/__init__.py").write_bytes(b"# coding: latin-1\n# \xe9\nimport sklearn\n")
    (tmp_path / "pack/model.py").write_text("from . import tools\n")
    (tmp_path / "pack/tools.py").write_text("import keras\n")
    assert read_code(tmp_path).detection.why == "pack/tools.py line 1 imports keras"
    assert read_code(tmp_path, framework="sklearn").detection.framework == "sklearn"
    assert read_code(tmp_path).detection.modules == ("a" * 300, "keras", "sklearn")  # data is a local folder here


def test_missing_script_has_its_own_reason(tmp_path: Path) -> None:
    """Setting ``framework`` does not hide that nn.py is missing."""
    for override in ("", "keras"):
        with pytest.raises(RunFailed) as failure:
            read_code(tmp_path, framework=override)
        assert failure.value.reason is Reason.NO_SCRIPT


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("!pip install -q tqdm einops", "Remove the line, and add tqdm and einops to requirements.txt."),
        (
            "%matplotlib inline\ny = 1\n!pip install -q tqdm",
            "nn.py line 2: %matplotlib works only in a notebook (likewise !pip on line 4). Remove the lines, and add tqdm to",
        ),
        ('!pip install -q "tqdm>=4" # progress', "Remove the line, and add tqdm>=4 to requirements.txt."),
        ('!pip install -q einops "pandas<3"; ls', "Remove the line, and add einops and pandas<3 to requirements.txt."),
        ("!pip install tqdm && pip list | grep tqdm", "Remove the line, and add tqdm to requirements.txt."),
        ("!pip install tqdm && pip -q install einops | tee log", "and add tqdm and einops to requirements.txt."),
        (
            "!apt-get update -qq && apt-get install -y graphviz; python -m pip install tqdm",
            "Remove the line, and add tqdm to",
        ),
        (
            "!pip install -U pip git+https://e.org/x.git#egg=x ./y $z tqdm",
            "Remove the line, and add tqdm to requirements.txt.",
        ),
        (
            "!conda install -y -c conda-forge python=3.11 pytorch=2.1 tqdm",
            "and add torch==2.1.* and tqdm to requirements.txt.",
        ),
        ("!pip install git+https://example.org/x.git", "works only in a notebook. Remove the line."),
        ("!apt-get install -y graphviz", "works only in a notebook. Remove the line."),
        ("!pip install -r requirements.txt", "works only in a notebook. Remove the line."),
        ("!pip install -e . tqdm -i https://example.org/simple", "Remove the line, and add tqdm to requirements.txt."),
        ("%matplotlib inline", "nn.py line 2: %matplotlib works only in a notebook. Remove the line."),
        ("    !wget https://example.org/a.zip", "!wget works only in a notebook. Replace the line with pass."),
        (
            "    !pip install tqdm\n%cd x",
            "(likewise %cd on line 3). Replace each of the lines with pass, and add tqdm to",
        ),
    ],
)
def test_line_of_a_notebook_is_named(line: str, remedy: str) -> None:
    """IPython understands these lines, but Python does not."""
    failure = _catch_failure(f"if True:\n{line}\n" if line.startswith(" ") else f"x = 1\n{line}\n", {})
    assert failure.reason is Reason.NOTEBOOK_CODE
    assert remedy in failure.explanation


def test_undecodable_file_is_a_syntax_error(tmp_path: Path) -> None:
    """Python rejects bytes that are invalid in the file's encoding, and so does the detection."""
    (tmp_path / "nn.py").write_bytes(b"# \xe9\nimport keras\n")
    with pytest.raises(RunFailed) as failure:
        read_code(tmp_path)
    assert failure.value.reason is Reason.SYNTAX_ERROR
    assert failure.value.explanation.startswith("nn.py ")


_LINES = st.sampled_from(
    [
        "import keras",
        "import a.b as c",
        "from . import a",
        "from ... import b",
        "from .a import *",
        "if x:",
        "  import b",
        "try:",
        "é",
    ]
)


@given(
    st.lists(_LINES).map("\n".join) | st.text(),
    st.dictionaries(st.sampled_from(["a", "b", "a.b"]), st.lists(_LINES).map("\n".join)),
)
def test_any_text_gives_a_framework_or_a_syntax_error(script: str, modules: dict[str, str]) -> None:
    """Whatever is pushed, the detection raises no other exception."""
    try:
        assert _detect(script, modules).framework in ("keras", "python")
    except RunFailed as failure:
        assert failure.reason in (Reason.SYNTAX_ERROR, Reason.NOTEBOOK_CODE)
