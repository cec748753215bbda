"""What uv prints if packages cannot be chosen, and the explanation."""

import subprocess
import sys
from pathlib import Path

import pytest
import uv

from epochal.runtimes.uv_errors import explain_uv_error

from .test_resolve import index as index
from .test_resolve import make_wheel


def explain(requirements: str, address: str) -> str:
    """Let uv choose versions from the index at ``address``, and explain its error."""
    command = [uv.find_uv_bin(), "pip", "compile", "--no-config", "--quiet", "--python", sys.executable]
    variables = {"UV_DEFAULT_INDEX": address, "UV_NO_CACHE": "1", "UV_HTTP_RETRIES": "0"}
    done = subprocess.run(
        [*command, "--only-binary", ":all:", "-"], input=requirements, capture_output=True, text=True, env=variables
    )
    assert done.returncode
    return explain_uv_error(done.stderr, requirements, "requirements.txt")


@pytest.mark.parametrize(
    ("requirements", "explanation"),
    [
        (
            "layers\nnone==1.2\n",
            "requirements.txt requires none, but there is no such package. Correct its name, or remove it.",
        ),
        (
            "cv2\nlayers\nPIL\n",
            "requirements.txt contains module names that are not package names. Write opencv-python-headless instead of "
            "cv2, pillow instead of PIL.",
        ),
        (
            "text==1.0\nnet==2.1\n",
            "requirements.txt: text needs net<2, but net==2.1 is required, too. Change the version of one of them.",
        ),
        ("layers==9.9\n", "requirements.txt: there is no layers==9.9. Require another version."),
        (
            "layers>=9\n",
            "requirements.txt requires layers>=9, but only layers<=3.2 is available. Require layers<=3.2 instead.",
        ),
        ("grammar==4.9\n", "requirements.txt: grammar==4.9 has no wheel, and building packages is not allowed."),
        ("old==1.0\n", "requirements.txt: old 1.0 does not exist for this version of Python. Require a newer version."),
    ],
)
def test_cause_and_remedy_are_named(index: Path, requirements: str, explanation: str) -> None:
    """The explanation names the requirement to change."""
    make_wheel(index, "old", "1.0")
    (index / "old-1.0-py3-none-any.whl").rename(index / "old-1.0-cp36-cp36m-any.whl")
    (index / "old").mkdir(exist_ok=True)
    (index / "old" / "index.html").write_text('<a href="../old-1.0-cp36-cp36m-any.whl">old-1.0-cp36-cp36m-any.whl</a>')
    assert explain(requirements, index.as_uri()).startswith(explanation)


def test_index_that_does_not_answer_is_named() -> None:
    """It is a fault of the network, not of the requirements, whatever they are."""
    explanation = explain("cv2\n", "http://127.0.0.1:9/simple")
    assert explanation == (
        "The training environment could not be built: http://127.0.0.1:9/simple/cv2/ could not be reached. Check the "
        "server's network and, if it is behind a corporate proxy, ca_bundle under [images] in $EPOCHAL_HOME/server.toml."
    )


def test_other_index_for_torch_is_offered() -> None:
    """PyPI has PyTorch, too."""
    output = (
        "error: Request failed after 3 retries\n  cause: Failed to fetch: https://download.pytorch.org/whl/cpu/torch/\n"
    )
    explanation = explain_uv_error(output, "", "requirements.txt")
    assert "https://download.pytorch.org/whl/cpu/torch/ could not be reached" in explanation
    assert 'under [images] in $EPOCHAL_HOME/server.toml, or set torch_index = "pypi" there' in explanation
