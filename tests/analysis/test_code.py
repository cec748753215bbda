"""Reading the pushed code: script, framework and removed APIs."""

from pathlib import Path

from epochal.analysis.code import read_code
from epochal.analysis.detection import Detection

_SCRIPT = "import helpers\nfrom keras.optimizers import Adam\n\nepochs = 20\nAdam(lr=0.1)\n"


def test_code_is_read_as_a_whole(tmp_path: Path) -> None:
    """It has the script with its literals, the modules that must import, and the calls that newer Keras lacks."""
    (tmp_path / "nn.py").write_text(_SCRIPT)
    (tmp_path / "helpers.py").write_text("import numpy\n")
    code = read_code(tmp_path)
    assert code.detection == Detection("keras", "nn.py line 2 imports keras", ("keras.optimizers", "numpy"))
    assert code.script.content == _SCRIPT.encode()
    assert [epochs.number for epochs in code.script.epochs] == [20]
    assert [(removed.line, removed.what) for removed in code.removed_apis] == [(5, "Adam(lr=…)")]
