"""What requirements.txt may ask for, and everything that would let code or another index in."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.analysis.requirements import check_requirements, without_comments
from epochal.errors import Reason, RunFailed


def _refused(text: str) -> str:
    with pytest.raises(RunFailed) as failure:
        check_requirements(text)
    assert failure.value.reason is Reason.REFUSED_REQUIREMENT
    return failure.value.explanation


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\ufeffnumpy\r\n",
        "# -e . is only a comment\n\n  # --pre\nnumpy  # -r other.txt\n",
        "# -*- coding: utf-8 -*-\nnumpy\n",
        "numpy>=2,<3\nscikit-learn==1.9.*\nscikit_image~=0.25\nzope.interface!=5\n",
        "keras[extra, more] >= 3 ; python_version < '3.13' and sys_platform == \"linux\"\n",
        "numpy==2.4.6 \\\n    --hash=sha256:0a1b \\\n    --hash sha512:ffff\npandas\n",
        "numpy\\\n>=2\n",
        "numpy (>=2)",
    ],
)
def test_names_with_versions_are_allowed(text: str) -> None:
    """Names, versions, extras, markers, hashes and comments are what requirements are made of."""
    check_requirements(text)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("-e .", "options"),
        ("--editable=.", "options"),
        ("-r other.txt", "options"),
        ("-c constraints.txt", "options"),
        ("-i https://evil.example/simple", "options"),
        ("--index-url https://evil.example/simple", "options"),
        ("--extra-index-url=https://evil.example/simple", "options"),
        ("--find-links wheels", "options"),
        ("--no-binary :all:", "options"),
        ("--pre", "options"),
        ("--hash=sha256:0a", "options"),
        ("numpy --config-settings=x=y", "options"),
        ("numpy --hash=sha256:0a--pre", "options"),
        ("numpy -e .", "options"),
        ("numpy @ https://evil.example/numpy.whl", "address"),
        ("numpy @ file:///data/numpy", "address"),
        ("numpy @ ../numpy", "address"),
        ("git+https://github.com/ada/numpy", "address"),
        ("git+ssh://git@github.com/ada/numpy", "address"),
        ("git+git@github.com:ada/numpy", "address"),
        ("https://evil.example/numpy.tar.gz", "address"),
        ("./numpy", "file or folder"),
        ("/data/numpy", "file or folder"),
        ("~/numpy", "file or folder"),
        ("numpy.whl", "file or folder"),
        ("numpy-1.0.TAR.GZ", "file or folder"),
        ("numpy.zip[extra]", "file or folder"),
        ("numpy.whl ; python_version > '3'", "file or folder"),
        ("wheels/numpy", "not the name"),
        ("${PACKAGE}", "variables"),
        ("numpy==${VERSION}", "variables"),
        ("nu mpy", "not the name"),
        ("numpy>=", "not the name"),
        ("numpy; import os", "not the name"),
        ("num\0py", "control"),
        ("# comment\x0c--pre", "control"),
        ("# comment\u2028--pre", "control"),
    ],
)
def test_everything_else_is_refused(line: str, why: str) -> None:
    """Options, addresses, files, variables and nonsense are told with their line and the reason."""
    told = _refused(f"numpy\n\n{line}\npandas\n")
    assert told.startswith("requirements.txt line 3, ")
    assert why in told


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("numpy \\\n  --pre\n", 1),
        ("numpy\n-\\\n-pre", 2),
        ("numpy  # \\\n--pre\n", 2),  # pip takes the second line for a comment, uv for an option
        ("# \\\n--pre\n", 2),
        ("numpy\r--pre", 2),
        ("# coding: utf-7\n# +AAo---pre\n", 1),
        ("numpy\n# vim: set fileencoding=utf-7 :\n", 2),
    ],
)
def test_no_option_hides_behind_a_line_end(text: str, line: int) -> None:
    """Continued lines, comments and encodings that pip and uv read differently do not let an option through."""
    assert _refused(text).startswith(f"requirements.txt line {line}, ")


def test_no_password_is_told() -> None:
    """An address in the message has lost its user and password."""
    told = _refused("--index-url https://ada:s3cret@index.example/simple")
    assert "s3cret" not in told
    assert "https://index.example/simple" in told


_PIECES = st.lists(
    st.sampled_from(
        [
            "numpy",
            "==1",
            " ",
            "\n",
            "\\\n",
            "\r",
            "#",
            "--pre",
            "-e .",
            "@ ./x",
            ";",
            "[a]",
            " --hash=sha256:0a",
            "${X}",
        ]
    )
    | st.text(max_size=2)
)


@given(_PIECES.map("".join))
def test_any_text_is_allowed_or_refused(text: str) -> None:
    """Whatever is pushed is allowed or refused with a reason, and what is allowed holds no option in any line."""
    try:
        check_requirements(text)
    except RunFailed as failure:
        assert failure.reason is Reason.REFUSED_REQUIREMENT
    else:
        assert not re.search(r"^\s*(-[^-]|--(?!hash))", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("# Ours\nnumpy>=2  # not 1\r\n\n   \npandas", "numpy>=2\npandas\n"),
        ("numpy>=2\n", "numpy>=2\n"),
        ("# Nothing\n", ""),
        ("a#b\rpandas # two", "a#b\npandas\n"),
        ("numpy \\\n# one\n>=2\n", "numpy \\\n# one\n>=2\n"),
        ("# one\x0bnumpy\n", "# one\x0bnumpy\n"),
    ],
)
def test_comments_and_blank_lines_are_left_out(text: str, left: str) -> None:
    """What is installed stays, and all of it where it is doubtful which line a comment ends."""
    assert without_comments(text) == left
