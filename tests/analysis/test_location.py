"""The choice of the script among the pushed files, and notebooks as scripts."""

import json
import re
from pathlib import Path
from textwrap import indent

import pytest

from epochal.analysis.script import diff, read_script
from epochal.errors import Reason, RunFailed
from tests.repositories import write_files


def _make_notebook(*cells: str, language: str = "python") -> str:
    """Return a notebook with these code cells, each stored as a list of lines, as in Jupyter's own files."""
    return json.dumps(
        {
            "cells": [
                {
                    "cell_type": "code",
                    "execution_count": 7,
                    "id": f"cell{number}",
                    "metadata": {},
                    "outputs": [{"output_type": "stream", "name": "stdout", "text": ["epochs = 2\n"]}],
                    "source": cell.splitlines(keepends=True),
                }
                for number, cell in enumerate(cells)
            ],
            "metadata": {"kernelspec": {"display_name": "K", "language": language, "name": "k"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        },
        indent=1,
        ensure_ascii=False,
    )


@pytest.mark.parametrize(
    ("names", "configured", "path"),
    [
        (["nn.py", "train.py", "a.ipynb"], "", "nn.py"),
        (["train.py", "model.py", "a.ipynb"], "", "train.py"),
        (["main.py", "src/train.py"], "", "main.py"),
        (["explore.ipynb", "model.py"], "", "explore.ipynb"),
        (["nn.py", "project/train.py"], "project/train.py", "project/train.py"),
    ],
)
def test_script_is_found(tmp_path: Path, names: list[str], configured: str, path: str) -> None:
    """The setting comes first, then nn.py, then the only train.py, main.py or notebook at the top level."""
    write_files(tmp_path, {name: _make_notebook("x = 1") if name.endswith(".ipynb") else "x = 1\n" for name in names})
    assert read_script(tmp_path, configured).committed_path == path


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("a.ipynb.py measured 0.36 on line 12. This is R².", "a.ipynb measured 0.36 on line 2 of cell 3. This is R²."),
        ("evaluate() on line 7 of a.ipynb.py failed", "evaluate() on line 1 of cell 2 of a.ipynb failed"),
        ("a.ipynb.py line 8: use utils.py line 9", "a.ipynb cell 2 line 2: use utils.py line 9"),
        ("a.ipynb.py: load() of utils.py failed on line 9", "a.ipynb: load() of utils.py failed on line 9"),
        ("a.ipynb.py failed: 5 fields in line 3", "a.ipynb failed: 5 fields in line 3"),
        ("utils.py failed on line 3", "utils.py failed on line 3"),
        (
            "a.ipynb.py failed. Remove lines 2, 3 and 7.",
            "a.ipynb failed. Remove lines 1 and 2 of cell 1 and line 1 of cell 2.",
        ),
        (
            "a.ipynb.py: x. Put lines 2 to 4 and 7 under",
            "a.ipynb: x. Put lines 1 to 3 of cell 1 and line 1 of cell 2 under",
        ),
        ("a.ipynb.py: x. Replace lines 7 and 8 with", "a.ipynb: x. Replace lines 1 and 2 of cell 2 with"),
        ("a.ipynb.py: x. Write cpu on lines 3 and 7 of b.csv", "a.ipynb: x. Write cpu on lines 3 and 7 of b.csv"),
    ],
)
def test_message_names_cells_of_a_notebook(tmp_path: Path, message: str, shown: str) -> None:
    """Only the trial has the exported script; the lines of other files are left as they are."""
    write_files(tmp_path, {"a.ipynb": _make_notebook("import os\nx = 1\ny = 2", "a = 1\nb = 2", "c = 1\nd = 2")})
    assert read_script(tmp_path, "").name_cells(message) == shown


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("%%time\nx = 1", "a.ipynb cell 2 line 3"),
        ("# %% load the data\nx = 1\n# %%", "a.ipynb cell 2 line 3"),
        ("%%bash\nls\n%%time", "a.ipynb cell 2 line 3"),
        ("\n\nx = 1\n\n\n", "a.ipynb cell 2 line 3"),
        ("", "a.ipynb cell 2 line 3"),
    ],
)
def test_cells_are_counted_as_in_jupyter(tmp_path: Path, cell: str, shown: str) -> None:
    """A comment or a magic in a cell may look like the mark of a new cell in the export."""
    write_files(tmp_path, {"a.ipynb": _make_notebook(cell, "%%time\n# %%\nfail()\n")})
    script = read_script(tmp_path, "")
    line = script.content.decode().splitlines().index("fail()") + 1
    assert script.name_cells(f"a.ipynb.py line {line}") == shown


@pytest.mark.parametrize(
    ("names", "configured", "facts"),
    [
        (["train.py", "main.py"], "", ["train.py and main.py", 'script = "train.py" or script = "main.py"']),
        (["a.ipynb", "b.ipynb"], "", ["a.ipynb and b.ipynb", 'script = "a.ipynb"']),
        (["model.py", "src/digits/train.py"], "", ['script = "src/digits/train.py"']),
        (["digits_classifier.py"], "", ['script = "digits_classifier.py"']),
        (["a.py", "b.py"], "", ['script = "path/to/train.py"']),
        (["model.py", "train_digits.py"], "", ['script = "train_digits.py"']),
        (["train_a.py", "train_b.py"], "", ['script = "path/to/train.py"']),
        ([".gitignore", "model.py"], "", ['name it in epochal.toml: script = "path/to/train.py".']),
        (
            [".gitignore", "src/train.py"],
            "",
            [
                "and .gitignore line 1 excludes main.py. If the training script is main.py, commit it with git add "
                '--force main.py && git commit -m "Add main.py". If it is another file, name it in epochal.toml: script = '
                '"src/train.py".',
            ],
        ),
        (["src/train.py"], "train.py", ['script = "train.py"', "Did you mean src/train.py? If not, commit train.py."]),
        (["nn.py"], "other.py", ['script = "other.py"', "not in the commit"]),
    ],
)
def test_message_says_what_to_write(tmp_path: Path, names: list[str], configured: str, facts: list[str]) -> None:
    """If no file or several files could be the script, the message gives the line to add to epochal.toml."""
    write_files(tmp_path, {name: "/mai*\n" if name == ".gitignore" else "x = 1\n" for name in names})
    with pytest.raises(RunFailed) as failure:
        read_script(tmp_path, configured)
    assert failure.value.reason is Reason.NO_SCRIPT
    assert [fact for fact in facts if fact not in failure.value.explanation] == []


_FIT = "model.fit(x, y)\nprint(model.score(x_test, y_test))\n"
_MAIN = f"def main():\n{indent(_FIT, '    ')}\n\nif __name__ == '__main__':\n    main()\n"
_MODULE = "def build(x, y):\n    return Model().fit(x, y)\n"
_PLACEHOLDER = "path/to/train.py"


@pytest.mark.parametrize(
    ("files", "setting"),
    [
        ({"classify.py": _FIT, "model.py": _MODULE}, "classify.py"),
        ({"classify.py": f"if __name__ == '__main__':\n{indent(_FIT, '    ')}", "model.py": _MODULE}, "classify.py"),
        ({"classify.py": _MODULE.replace("build", "run"), "model.py": _MODULE}, _PLACEHOLDER),
        ({"classify.py": "print model.fit(x, y)\n", "model.py": _MODULE}, "classify.py"),
        ({"svm.py": _MAIN, "model.py": _MODULE}, "svm.py"),
        ({"svm.py": _MAIN, "baseline.py": _FIT}, _PLACEHOLDER),
        ({"svm.py": _MAIN, "plot.py": "a, b = train_test_split(x)\nz = PCA().fit_transform(a)\n"}, "svm.py"),
        ({"svm.py": "print(cross_val_score(SVC(), x, y))\n", "baseline.py": _FIT}, _PLACEHOLDER),
        ({"net.py": "def main():\n    loss.backward()\n\napp.run(main)\n", "baseline.py": _FIT}, _PLACEHOLDER),
        ({"net.py": "class Work:\n    def go(self):\n        loss.backward()\n\nWork().go()\n"}, "net.py"),
        ({"net.py": "class Work:\n    def go(self):\n        fit()\n\nWork().go()\n", "a.py": _FIT}, _PLACEHOLDER),
        ({"net.py": "class Work:\n    def __init__(self):\n        fit()\n\nWork()\n", "a.py": _FIT}, _PLACEHOLDER),
        ({"net.py": "@app.command()\ndef go():\n    fit()\n\napp()\n", "a.py": _FIT}, _PLACEHOLDER),
        ({"net.py": "def main():\n    go()\n\ndef go():\n    fit()\n\nmain()\n", "a.py": _FIT}, _PLACEHOLDER),
        (
            {"digits.py": "from engine import go\n\ngo()\n", "engine.py": "def go():\n    model.fit(x, y)\n"},
            "digits.py",
        ),
        ({"digits.py": "from engine import go as a\n\na()\n", "engine.py": "def go():\n    fit(x)\n"}, "digits.py"),
        ({"svm.py": _MAIN, "predict.py": "from svm import load\n\ndef main():\n    load()\n\nmain()\n"}, "svm.py"),
        *(({"svm.py": _MAIN, test: _FIT}, "svm.py") for test in ("svm_test.py", "test_svm.py", "tests/conftest.py")),
        ({"svm_test.py": _FIT}, _PLACEHOLDER),
        ({"latest.py": _FIT, "model.py": _MODULE}, "latest.py"),
        ({"svm.py": _FIT, "app/main.py": "serve()\n"}, _PLACEHOLDER),
        ({"svm.py": _FIT, "src/train.py": _FIT}, "src/train.py"),
        ({"a/train.py": _FIT, "b/train.py": _FIT}, _PLACEHOLDER),
    ],
)
def test_only_script_that_trains_when_run_is_named(tmp_path: Path, files: dict[str, str], setting: str) -> None:
    """Functions that run, directly or through others, count; functions that nothing uses, and tests, do not."""
    write_files(tmp_path, files)
    with pytest.raises(RunFailed, match=re.escape(f'script = "{setting}".')):
        read_script(tmp_path, "")


def test_script_that_fits_a_model_is_named(tmp_path: Path) -> None:
    """The other files are probably modules."""
    write_files(tmp_path, {"digits.py": "model.fit(x, y)\n", "layers.py": "x = 1\n", ".gitignore": "/mai*\n"})
    with pytest.raises(RunFailed, match=r'script = "digits\.py"'):
        read_script(tmp_path)


def test_ignored_notebook_is_explained(tmp_path: Path) -> None:
    """A commit does not show whether there is a notebook that git ignores, nor its name."""
    write_files(tmp_path, {".gitignore": "*.ipynb\n"})
    with pytest.raises(RunFailed) as failure:
        read_script(tmp_path)
    assert (
        ".gitignore line 1 excludes notebooks. If the training script is a notebook, commit it with git add --force "
        "NOTEBOOK.ipynb &&" in failure.value.explanation
    )


@pytest.mark.parametrize("configured", ["", "fit.py"])
def test_missing_script_is_not_ignored(tmp_path: Path, configured: str) -> None:
    """In a developer's folder, there is no such script to commit."""
    write_files(tmp_path, {"util.py": "x = 1\n", "a.py": "x = 1\n", ".gitignore": "fit.py\nmain.py\n"})
    with pytest.raises(RunFailed) as failure:
        read_script(tmp_path, configured, is_commit=False)
    assert "git" not in failure.value.explanation
    assert "epochal.toml" in failure.value.explanation


def test_ignored_script_is_explained(tmp_path: Path) -> None:
    """A script with a similar name is not suggested, because the one that was meant exists."""
    write_files(tmp_path, {"util.py": "x = 1\n", ".gitignore": "fit.py\n"})
    with pytest.raises(
        RunFailed,
        match=r"not in the commit: \.gitignore line 1 excludes it\. Commit it with git add --force fit\.py &&",
    ):
        read_script(tmp_path, "fit.py")


def test_notebook_in_another_language_is_refused(tmp_path: Path) -> None:
    """The message asks for a Python script, because saving the notebook again would not help."""
    (tmp_path / "a.ipynb").write_text(_make_notebook("x <- 1", language="R"), encoding="utf-8")
    with pytest.raises(
        RunFailed,
        match=r"a\.ipynb is a notebook in R, but Epochal supports only Python\. In epochal\.toml, name a Python script",
    ):
        read_script(tmp_path)


def test_notebook_is_exported_without_its_magics(tmp_path: Path) -> None:
    """Magics and shell commands become comments, but a statement that a magic only times still runs."""
    cells = "%matplotlib inline\n!pip install x\nepochs = 2", "%%time\n%time y = epochs + 1\nprint(y)"
    (tmp_path / "a.ipynb").write_text(_make_notebook(*cells), encoding="utf-8")
    names: dict[str, object] = {}
    exec(read_script(tmp_path).content, names)
    assert names["y"] == 3


@pytest.mark.parametrize(
    "block",
    [
        "if False:\n    !pip install tqdm",
        "if False:\n    %pip install tqdm\nelse:\n    x = 1",
        "if True:\n    x = 1\nelse:\n    !wget https://example.org/a.csv \\\n        -o b.csv",
        "try:\n    import json\nexcept ImportError:\n    # the parser\n    !pip install json",
        "try:\n    %cd /content\nfinally:\n    files = !ls",
        "for _ in range(2):\n\t%matplotlib inline\n\n",
        "with open(os.devnull):\n    !ls\n    x = 1",
        "def f():\n    %load_ext x",
    ],
)
def test_block_of_magics_does_nothing(tmp_path: Path, block: str) -> None:
    """A block may consist of magics alone: leaving them out must neither empty it nor move the lines after it."""
    write_files(tmp_path, {"a.ipynb": _make_notebook(f"import os\n{block}", "# %pip\ny = 2\ntext = '''\n    !ls'''")})
    script = read_script(tmp_path)
    names: dict[str, object] = {}
    exec(script.content, names)
    assert (names["y"], names["text"], names.get("x", 1)) == (2, "\n    !ls", 1)
    line = script.content.decode().splitlines().index("y = 2") + 1
    assert script.name_cells(f"a.ipynb.py line {line}") == "a.ipynb cell 2 line 2"


def test_change_of_a_notebook_touches_only_its_literal(tmp_path: Path) -> None:
    """The diff that a developer adopts applies to the notebook, and leaves outputs and other cells alone."""
    before = _make_notebook("name = 'é'\nepochs = 20  # all\n", "print(epochs)\n")
    (tmp_path / "a.ipynb").write_text(before, encoding="utf-8")
    script = read_script(tmp_path)
    assert script.epochs
    change = script.apply({script.epochs[0].constant: 30})
    assert {path: content.decode() for path, content in change.items()} == {
        "a.ipynb": before.replace("epochs = 20  # all", "epochs = 30  # all")
    }
    assert [line for line in diff(tmp_path, change, "digits").splitlines() if line.startswith(("+", "-"))] == [
        "--- a/digits/a.ipynb",
        "+++ b/digits/a.ipynb",
        '-    "epochs = 20  # all\\n"',
        '+    "epochs = 30  # all\\n"',
    ]
    assert b"epochs = 30" in script.files_to_train({script.epochs[0].constant: 30})["a.ipynb.py"]


def test_notebook_that_has_the_line_twice_is_not_changed(tmp_path: Path) -> None:
    """It is unclear which of the notebook's two lines to change, but the trial still trains with the change."""
    (tmp_path / "a.ipynb").write_text(_make_notebook("epochs = 20\n", "if False:\n    pass\nepochs = 20\n"))
    script = read_script(tmp_path)
    for constant in script.constants:
        assert script.apply({constant: 30}) == {}
        assert b"epochs = 30" in script.files_to_train({constant: 30})["a.ipynb.py"]


@pytest.mark.parametrize(
    ("name", "notebook", "remedy"),
    [
        ("a.ipynb", "{", "Restore an earlier version of the notebook: git log --oneline -- a.ipynb lists"),
        ("my a.ipynb", "{", "the commits that changed it, and git checkout COMMIT -- 'my a.ipynb' restores"),
        ("a.ipynb", "[1]", "Save it again in Jupyter."),
        ("a.ipynb", '{\n<<<<<<< HEAD\n"cells": []\n', "Resolve the merge conflict in it, and commit the result."),
    ],
)
def test_unreadable_notebook_is_reported(tmp_path: Path, name: str, notebook: str, remedy: str) -> None:
    """The message names the file and says what is wrong."""
    (tmp_path / name).write_text(notebook)
    with pytest.raises(RunFailed, match=r"a\.ipynb cannot be read as a notebook: ") as failure:
        read_script(tmp_path)
    assert failure.value.reason is Reason.SYNTAX_ERROR
    assert remedy in failure.value.explanation
