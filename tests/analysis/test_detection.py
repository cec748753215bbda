"""Which framework trains, and which modules have to be there, told by the imports."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.analysis.detection import Detection, detect, detect_folder
from epochal.errors import Reason, RunFailed


def _detect(script: str, modules: dict[str, str] | None = None, override: str = "") -> Detection:
    return detect(script, lambda name: (modules or {}).get(name), override)


def _failure(script: str, modules: dict[str, str]) -> RunFailed:
    with pytest.raises(RunFailed) as failure:
        _detect(script, modules)
    return failure.value


_NO_IMPORT = "no import of keras, tensorflow, tf_keras, sklearn, torch, torchvision or lightning"


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
def test_the_framework_of_a_script(script: str, framework: str, why: str) -> None:
    """What trains is told with the line that says so."""
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
def test_local_modules_are_followed(script: str, modules: dict[str, str], why: str) -> None:
    """An import in a local module counts, relative, in packages and in circles."""
    assert _detect(script, modules).why == why


def test_a_local_module_hides_a_framework_of_its_name() -> None:
    """Python takes a torch.py beside nn.py before the installed package, and so does the detection."""
    assert _detect("import torch\nimport keras\n", {"torch": "x = 1\n"}).framework == "keras"


def test_two_frameworks_are_not_guessed_between() -> None:
    """Keras beside torch fails, with both lines and what to write; with the override it is decided."""
    failure = _failure("import keras\nimport model\n", {"model": "import torch\n"})
    assert failure.reason is Reason.SEVERAL_FRAMEWORKS
    for told in ("nn.py line 1 imports keras", "model.py line 1 imports torch", 'framework = "torch"', "epochal.toml"):
        assert told in failure.explanation
    detection = _detect("import keras\nimport torch\n", override="torch")
    assert detection == Detection("torch", "epochal.toml says so", ("keras", "torch"))


def test_the_modules_to_be_proven() -> None:
    """What runs whenever the code starts, local modules included; not what may be missing, nor what is Python's."""
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
    ("script", "modules", "told"),
    [
        ("x = 1\nif x\n", {}, "nn.py line 2: "),
        ("import model\n", {"model": "\n\nx = = 1\n"}, "model.py line 3: "),
        ("x = 1\0\n", {}, "nn.py "),
        ("x = " + "-" * 100_000 + "1\n", {}, "nn.py "),
    ],
)
def test_what_is_no_python(script: str, modules: dict[str, str], told: str) -> None:
    """A syntax error is told with its file and line before any training is started."""
    failure = _failure(script, modules)
    assert failure.reason is Reason.SYNTAX_ERROR
    assert failure.explanation.startswith(told)


def test_a_folder_is_read_as_python_reads_it(tmp_path: Path) -> None:
    """Byte order marks, coding cookies, packages and names too long for a file are all met in real folders."""
    (tmp_path / "nn.py").write_bytes(b"\xef\xbb\xbfimport pack.model\r\nimport data\r\nimport " + b"a" * 300 + b"\r\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack/__init__.py").write_bytes(b"# coding: latin-1\n# \xe9\nimport sklearn\n")
    (tmp_path / "pack/model.py").write_text("from . import tools\n")
    (tmp_path / "pack/tools.py").write_text("import keras\n")
    assert detect_folder(tmp_path).why == "pack/tools.py line 1 imports keras"
    assert detect_folder(tmp_path, "sklearn").framework == "sklearn"
    assert detect_folder(tmp_path).modules == ("a" * 300, "keras", "sklearn")  # data is a folder here


def test_a_folder_without_a_script(tmp_path: Path) -> None:
    """No nn.py at the top is a reason of its own, whatever epochal.toml says."""
    for override in ("", "keras"):
        with pytest.raises(RunFailed) as failure:
            detect_folder(tmp_path, override)
        assert failure.value.reason is Reason.NO_SCRIPT


def test_a_file_in_no_known_encoding(tmp_path: Path) -> None:
    """Bytes that are not in the file's encoding are a syntax error, to Python and to us."""
    (tmp_path / "nn.py").write_bytes(b"# \xe9\nimport keras\n")
    with pytest.raises(RunFailed) as failure:
        detect_folder(tmp_path)
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
def test_any_text_is_detected_or_told(script: str, modules: dict[str, str]) -> None:
    """Whatever is pushed, the answer is a framework or a RunFailed."""
    try:
        assert _detect(script, modules).framework in ("keras", "python")
    except RunFailed as failure:
        assert failure.reason is Reason.SYNTAX_ERROR
