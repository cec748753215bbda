"""What requirements.txt may contain. Whatever could run code or use another package index is refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.analysis.requirements import check_requirements, find_wrong_names, strip_comments
from epochal.errors import Reason, RunFailed


def _catch_refusal(text: str) -> str:
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
    """Extras, markers, hashes and comments are allowed, too."""
    check_requirements(text)


def test_all_refused_lines_are_named() -> None:
    """Nobody should have to push once for every refused line."""
    explanation = _catch_refusal("numpy\ngit+https://example.org/a\n\n-e .\n")
    assert explanation.startswith(
        'requirements.txt line 2, "git+https://example.org/a": packages must come from the package index, not from a URL; '
        'line 4, "-e .": options are not allowed. Write package names'
    )


def test_names_that_are_not_those_of_packages_are_found() -> None:
    """Each finding gives the line and what to replace it with; correct package names are left alone."""
    text = (
        "# cv2\ncv2==4.9\nnumpy\nPIL ; python_version > '3'\nscikit-learn\nopencv-python\nsklearn==0.0  # old\n"
        "tensorflow_gpu>=2.4\nopencv\n"
    )
    assert find_wrong_names(text) == [
        (2, "cv2==4.9", "opencv-python-headless"),
        (4, "PIL ; python_version > '3'", "pillow ; python_version > '3'"),
        (7, "sklearn==0.0", "scikit-learn"),
        (8, "tensorflow_gpu>=2.4", "tensorflow"),
        (9, "opencv", "opencv-python-headless"),
    ]


def test_paths_of_another_computer_are_refused_with_what_to_write() -> None:
    """The admin's settings are mentioned only if another line needs them."""
    path = "numpy @ file:///croot/numpy_1682953417311/work\n"
    assert _catch_refusal(path).endswith(
        "Write package names with versions instead, as the command pip list --format=freeze prints them."
    )
    assert "[sandbox]" in _catch_refusal(f"{path}git+https://example.org/a\n")


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        (
            "numpy\n-r requirements/base.txt\n",
            "not allowed. Replace `-r requirements/base.txt` with the lines of that file.",
        ),
        (
            "-r a.txt\n-r b.txt\n",
            "Replace `-r a.txt` with the lines of that file. Replace `-r b.txt` with the lines of that file.",
        ),
        ("-c versions.txt\nnumpy\n", "Instead of using `-c versions.txt`, write versions after the package names."),
        ("-e .\n", "not allowed. Remove `-e .`, because the repository's own modules do not need to be installed."),
        (
            "--extra-index-url https://example.org/simple\n",
            "not allowed. Remove `--extra-index-url https://example.org/simple`, or ask the server's admin to set "
            '[sandbox] packages = "any" in server.toml.',
        ),
    ],
)
def test_remedy_for_an_option_is_one_that_works(text: str, remedy: str) -> None:
    """No setting of the server makes it read other files."""
    assert _catch_refusal(text).endswith(remedy)


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
        ("numpy @ https://evil.example/numpy.whl", "URL"),
        ("numpy @ file:///data/numpy", "this path exists only on the computer"),
        ("numpy @ ../numpy", "URL"),
        ("git+https://github.com/ada/numpy", "URL"),
        ("git+ssh://git@github.com/ada/numpy", "URL"),
        ("git+git@github.com:ada/numpy", "URL"),
        ("https://evil.example/numpy.tar.gz", "URL"),
        ("./numpy", "file or folder"),
        ("/data/numpy", "file or folder"),
        ("~/numpy", "file or folder"),
        ("numpy.whl", "file or folder"),
        ("numpy-1.0.TAR.GZ", "file or folder"),
        ("numpy.zip[extra]", "file or folder"),
        ("numpy.whl ; python_version > '3'", "file or folder"),
        ("wheels/numpy", "not a valid requirement"),
        ("${PACKAGE}", "variables"),
        ("numpy==${VERSION}", "variables"),
        ("nu mpy", "not a valid requirement"),
        ("numpy>=", "not a valid requirement"),
        ("numpy; import os", "not a valid requirement"),
        ("num\0py", "control"),
        ("# comment\x0c--pre", "control"),
        ("# comment\u2028--pre", "control"),
    ],
)
def test_everything_else_is_refused(line: str, why: str) -> None:
    """The message names the line and the reason."""
    message = _catch_refusal(f"numpy\n\n{line}\npandas\n")
    assert message.startswith("requirements.txt line 3, ")
    assert why in message


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
    """pip and uv differ on continued lines, comments and encodings; whatever either reads as an option is refused."""
    assert _catch_refusal(text).startswith(f"requirements.txt line {line}, ")


def test_message_hides_the_password() -> None:
    """The message shows a URL without its username and password."""
    message = _catch_refusal("--index-url https://ada:s3cret@index.example/simple")
    assert "s3cret" not in message
    assert "https://index.example/simple" in message


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
    """No text raises any other exception, and no line of an allowed text starts with an option other than --hash."""
    try:
        check_requirements(text)
    except RunFailed as failure:
        assert failure.reason is Reason.REFUSED_REQUIREMENT
    else:
        assert not re.search(r"^\s*(-[^-]|--(?!hash))", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "remaining"),
    [
        ("# Ours\nnumpy>=2  # not 1\r\n\n   \npandas", "numpy>=2\npandas\n"),
        ("numpy>=2\n", "numpy>=2\n"),
        ("# Nothing\n", ""),
        ("a#b\rpandas # two", "a#b\npandas\n"),
        ("numpy \\\n# one\n>=2\n", "numpy \\\n# one\n>=2\n"),
        ("# one\x0bnumpy\n", "# one\x0bnumpy\n"),
    ],
)
def test_comments_and_blank_lines_are_removed(text: str, remaining: str) -> None:
    """The text is left as it is if pip and uv might disagree about where a comment ends."""
    assert strip_comments(text) == remaining
