"""Explanations of what uv prints if it cannot resolve the requirements."""

import subprocess
import sys
from pathlib import Path

import pytest
import uv

from epochal.runtimes.uv_errors import explain_uv_error

from .test_resolve import index as index
from .test_resolve import make_sdist, make_wheel, run_resolve


def explain(requirements: str, address: str) -> str:
    """Let uv resolve the requirements from the index at ``address``, and explain its error."""
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
            "cv2\nlayers\nsklearn==0.0\n",
            "requirements.txt lists packages under the wrong names. Write opencv-python-headless "
            "instead of cv2 and scikit-learn instead of sklearn==0.0.",
        ),
        (
            "text==1.0\nnet==2.1\n",
            "requirements.txt: text needs net<2, but net==2.1 is also required. Change the version of one of them.",
        ),
        ("layers==9.9\n", "requirements.txt: layers==9.9 does not exist. Require a different version."),
        (
            "layers>=9\n",
            "requirements.txt requires layers>=9, but only layers<=3.2 is available. Require layers<=3.2 instead.",
        ),
        ("grammar==4.9\n", "requirements.txt: grammar==4.9 has no usable wheel, and building packages is not allowed."),
        (
            "source\n",
            "requirements.txt: no version of source has a wheel for the server's Python and operating system, and building "
            "packages is not allowed. Remove source, or the package that needs it, from requirements.txt and the "
            "code, or ask the admin",
        ),
        (
            "old==1.0\n",
            "requirements.txt: old 1.0 is not available for the server's version of Python. Require a newer old.",
        ),
        (
            "driver==1.0\n",
            "requirements.txt: driver 1.0 is available only for `win_amd64`, not for the server's operating system. "
            "Remove it, or require another version.",
        ),
    ],
)
def test_cause_and_remedy_are_named(index: Path, requirements: str, explanation: str) -> None:
    """The explanation names the requirement to change."""
    for name, tag in (("old", "cp36-cp36m-any"), ("driver", "py3-none-win_amd64")):
        make_wheel(index, name, "1.0")
        wheel = (index / f"{name}-1.0-py3-none-any.whl").rename(index / f"{name}-1.0-{tag}.whl").name
        (index / name).mkdir(exist_ok=True)
        (index / name / "index.html").write_text(f'<a href="../{wheel}">{wheel}</a>')
    (index / "source").mkdir(exist_ok=True)
    (index / "source" / "index.html").write_text("")
    for version in ("1.0", "2.0"):
        make_sdist(index, "source", version)
        with (index / "source" / "index.html").open("a") as page:
            page.write(f'<a href="../source-{version}.tar.gz">source-{version}.tar.gz</a>')
    assert explain(requirements, index.as_uri()).startswith(explanation)


def test_all_pins_without_a_wheel_are_named(index: Path, tmp_path: Path) -> None:
    """uv stops at the first such pin, but the explanation names them all, and the newest releases that have a wheel."""
    requirements = "plain==2.0\nlayers==3.1\ngrammar==4.9\n"
    done = run_resolve(tmp_path, index, requirements)
    assert done.returncode == 1
    assert ": plain==2.0, grammar==4.9. Require other versions (plain==1.1, grammar==4.8), " in explain_uv_error(
        done.stderr, requirements, "requirements.txt"
    )


def test_index_that_does_not_answer_is_named() -> None:
    """The cause is the network, not the requirements, whatever they are."""
    explanation = explain("cv2\n", "http://127.0.0.1:9/simple")
    assert explanation == (
        "The training environment could not be built: http://127.0.0.1:9/simple/cv2/ could not be reached. Check the "
        "server's network and, if it is behind a corporate proxy, ca_bundle under [images] in $EPOCHAL_HOME/server.toml."
    )


def test_other_index_for_torch_is_offered() -> None:
    """The explanation suggests PyPI, which has PyTorch, too."""
    output = (
        "error: Request failed after 3 retries\n  cause: Failed to fetch: https://download.pytorch.org/whl/cpu/torch/\n"
    )
    explanation = explain_uv_error(output, "", "requirements.txt")
    assert "https://download.pytorch.org/whl/cpu/torch/ could not be reached" in explanation
    assert 'under [images] in $EPOCHAL_HOME/server.toml, or set torch_index = "pypi" there' in explanation
