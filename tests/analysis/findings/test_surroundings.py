"""Findings about files and packages that the code needs but the commit or the training environment lacks."""

from pathlib import Path

import pytest

from epochal.analysis.code import read_code
from epochal.analysis.files import list_code_files
from epochal.analysis.findings import Finding, find_in_files, find_in_sources, read_sources

READ = "import pandas as pd\nepochs = 1\ndf = pd.read_csv('data/train.csv')\n"


def find(folder: Path, files: dict[str, str], committed: set[str] | None = None) -> list[Finding]:
    """Return the findings for a folder with these files. ``committed`` names those in the commit (default: all)."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    code = read_code(folder)
    new = committed if committed is not None else list_code_files(folder)
    return list(find_in_files(read_sources(code.script), code.detection, folder, new, new))


@pytest.mark.parametrize(
    ("files", "committed", "message", "remedy"),
    [
        ({}, None, "data/train.csv is not in the commit.", "Commit the file, or put the data"),
        (
            {"train.csv": ""},
            None,
            "data/train.csv is not in the commit, but train.csv is.",
            "Change the path to train.csv.",
        ),
        (
            {"data/Train.csv": ""},
            None,
            "the two paths differ only in letter case.",
            "Change the path to data/Train.csv.",
        ),
        (
            {"data/train.csv.dvc": ""},
            None,
            "contains data/train.csv.dvc but not data/train.csv.",
            "Epochal does not fetch the data: commit",
        ),
        (
            {"data/train.csv": ""},
            {"nn.py"},
            "data/train.csv is ignored by git",
            'Commit it with git add --force data/train.csv && git commit -m "Add data/train.csv", or',
        ),
    ],
)
def test_finds_missing_file(
    files: dict[str, str], committed: set[str] | None, message: str, remedy: str, tmp_path: Path
) -> None:
    """The message mentions what was found instead, such as a file with the same name; the remedy says what to do."""
    (found,) = find(tmp_path, {"nn.py": READ, **files}, committed)
    assert (found.kind, found.path, found.line) == ("missing_file", "nn.py", 3)
    assert message in found.message
    assert found.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("files", "committed", "line", "message", "remedy"),
    [
        (
            {"nn.py": READ, "data/train.csv": "", "data.dvc": ""},
            {"nn.py"},
            3,
            "data/train.csv is tracked by DVC",
            "Epochal does not fetch the data: commit the file itself with git add --force data/train.csv",
        ),
        (
            {"nn.py": READ, "data/train.csv": "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n"},
            None,
            3,
            "data/train.csv is a Git LFS pointer",
            "Epochal does not",
        ),
        (
            {"nn.py": "epochs = 1\nimport load\n", "load.py": "", ".gitignore": "load.py\n"},
            {"nn.py"},
            2,
            "load.py is not in the commit: .gitignore line 1 excludes it.",
            'Commit it with git add --force load.py && git commit -m "Add load.py".',
        ),
        (
            {"nn.py": "epochs = 1\n", "requirements.txt": "numpy\ncv2\n"},
            None,
            2,
            "cv2 does not name an installable package.",
            "Write opencv-python-headless instead.",
        ),
        (
            {"nn.py": "import keras\nimport no_such\n"},
            None,
            2,
            "no_such is neither in",
            "Add the package that provides no_such to requirements.txt, or, if it is your own module, commit no_such.py or "
            "the folder no_such.",
        ),
        (
            {"nn.py": "import keras\nimport google.protobuf\nfrom google.colab import drive\n"},
            None,
            3,
            "google.colab exists only on Google Colab.",
            "Remove the lines that use it, or run them only there.",
        ),
        (
            {"nn.py": "from sklearn.svm import SVC\nfrom sklearn.preprocesing import StandardScaler\n"},
            None,
            2,
            "sklearn has no module sklearn.preprocesing.",
            "Did you mean sklearn.preprocessing?",
        ),
        (
            {"nn.py": "import keras\nimport cupy as cp\n"},
            None,
            2,
            "cupy works only on a GPU, but training runs without one.",
            "Remove the import, or import the module only if a GPU is available.",
        ),
        (
            {"nn.py": "import keras\nfrom models.forest import make\n", "Models/Forest.py": ""},
            None,
            2,
            "In the repository, models.forest is at Models/Forest.py.",
            "Write from Models.Forest import make.",
        ),
    ],
)
def test_finds_what_a_run_would_lack(
    files: dict[str, str], committed: set[str] | None, line: int, message: str, remedy: str, tmp_path: Path
) -> None:
    """The remedy is the one that a failed run would give."""
    (found,) = find(tmp_path, files, committed)
    assert found.line == line
    assert found.message.startswith(message)
    assert found.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("files", "message", "remedy"),
    [
        (
            {"nn.py": "x = open('/home/ada/churn/data/a.csv')\n", "data/a.csv": ""},
            "/home/ada/churn/data/a.csv is specific to one machine, but training may run on another.",
            'The repository contains the file, so change the path to "data/a.csv".',
        ),
        (
            {"nn.py": "import keras\nkeras.Sequential()\n", "keras.py": "EPOCHS = 1\n"},
            "keras.py hides the package keras but does not define Sequential.",
            "Rename keras.py.",
        ),
        (
            {"nn.py": "from random import choice\n", "random.py": "def seeds(): ...\n"},
            "random.py hides Python's random module but does not define choice.",
            "Rename random.py.",
        ),
        (
            {"nn.py": "from sklearn.datasets import load_iris\nimport sklearn.svm\n", "sklearn.py": "EPOCHS = 1\n"},
            "sklearn.py hides the package sklearn but does not define datasets.",
            "Rename sklearn.py.",
        ),
    ],
)
def test_remedy_names_a_file_of_the_repository(
    files: dict[str, str], message: str, remedy: str, tmp_path: Path
) -> None:
    """The remedy names the file to read instead, or the file to rename."""
    find(tmp_path, files)
    (found,) = find_in_sources(read_sources(read_code(tmp_path).script), files)
    assert (found.path, found.line, found.message, found.remedy) == ("nn.py", 1, message, remedy)


def test_finds_module_that_numpy_needs(tmp_path: Path) -> None:
    """A file that hides a module needed by NumPy is reported even if it defines everything that the code uses."""
    find(tmp_path, {"nn.py": "import numpy\nfrom random import seeds\n", "random.py": "def seeds(): ...\n"})
    (found,) = find_in_sources(read_sources(read_code(tmp_path).script))
    assert (found.path, found.line, found.remedy) == ("random.py", 0, "Rename random.py.")
    assert found.message == "random.py hides Python's random module, which NumPy needs."


def test_finds_script_that_hides_a_package(tmp_path: Path) -> None:
    """A script that is named like a package imports itself instead of the package."""
    text = "from xgboost import XGBClassifier\nXGBClassifier().fit(x, y)\n"
    find(tmp_path, {"nn.py": "", "xgboost.py": text})
    (found,) = find_in_sources(read_sources(read_code(tmp_path, "xgboost.py").script))
    assert (found.kind, found.path, found.line) == ("hidden_package", "xgboost.py", 1)
    assert found.message == "xgboost.py hides the package xgboost but does not define XGBClassifier."


@pytest.mark.parametrize(
    "files",
    [
        {"nn.py": "import datasets\ndatasets.load()\n", "datasets.py": "def load(): ...\n"},
        {"nn.py": "import toml\ntoml.load()\n", "toml.py": "from other import *\n", "other.py": ""},
        {"nn.py": "import lib.keras\nlib.keras.x\n", "lib/keras.py": ""},
        {"nn.py": "import keras.own\n", "keras/own.py": "", "keras.py": ""},
        {"nn.py": "try:\n    import keras.own\nexcept ImportError:\n    pass\n", "keras.py": ""},
        {"nn.py": "from datasets import *\n", "datasets.py": "x = 1\n"},
        {"nn.py": "import numpy\nfrom code import build\n", "code.py": "def build(): ...\n"},
        {"nn.py": "import numpy\nfrom types import SimpleNamespace\n", "types.py": ""},
    ],
)
def test_silent_about_modules_named_like_packages(files: dict[str, str], tmp_path: Path) -> None:
    """If the module defines what the code uses, the code means the module and not the package."""
    find(tmp_path, files)
    assert list(find_in_sources(read_sources(read_code(tmp_path).script), files)) == []


_LIBRARY = (
    "import logging\nimport keras\nLOG, EPOCHS = logging.getLogger(__name__), 5\n\ndef fit(x):\n    return x.fit()\n"
)
_RUNS = "from nn import fit\n\nif __name__ == '__main__':\n    fit(1)\n"
_CALL = "Call them at the end of the script or, if"


@pytest.mark.parametrize(
    ("others", "remedy"),
    [
        ({}, f'{_CALL} another file calls them, name that file in epochal.toml: script = "run.py".'),
        ({"go.py": _RUNS}, f'{_CALL} go.py calls them, name that file in epochal.toml: script = "go.py".'),
        (
            {"go.py": _RUNS, "tests/test_nn.py": _RUNS, "other.py": "print('other')\n", "lib.py": "import nn\n"},
            f'{_CALL} go.py calls them, name that file in epochal.toml: script = "go.py".',
        ),
        (
            {"go.py": _RUNS, "went.py": "import nn\nnn.fit(2)\n"},
            f'{_CALL} another file calls them, name that file in epochal.toml: script = "run.py".',
        ),
    ],
)
def test_finds_a_script_that_calls_nothing(others: dict[str, str], remedy: str, tmp_path: Path) -> None:
    """If exactly one other file calls the script's functions, the remedy names that file."""
    (found,) = find(tmp_path, {"nn.py": _LIBRARY, **others})
    assert (found.kind, found.path, found.line) == ("calls_nothing", "nn.py", 5)
    assert found.message == "nn.py only defines functions and calls none, so it trains nothing."
    assert found.remedy == remedy


@pytest.mark.parametrize(
    "line",
    [
        "warnings.filterwarnings('ignore')",
        "np.random.seed(0)",
        "BASE = os.path.dirname(os.path.abspath(__file__))",
        "BASE = Path(__file__).resolve().parent",
        "CONFIG = dict(hidden=(64,), epochs=int('40'))",
        "NAME = 'run-{}'.format(1)",
        "if __name__ == '__main__':\n    pass",
        "class Net(Base):\n    'A net.'\n    units: int = 3\n    rows: list = field(default_factory=list)\n    @property\n"
        "    def size(self):\n        return fit(1)",
    ],
)
def test_settings_do_no_work(line: str, tmp_path: Path) -> None:
    """A script may silence warnings, set seeds and build constants without training anything."""
    imports = (
        "from dataclasses import field\nimport os\nimport warnings\nfrom pathlib import Path\nimport numpy as np\n"
    )
    (found,) = find(tmp_path, {"nn.py": f"{imports}{_LIBRARY}\n{line}\n"})
    assert (found.kind, found.line) == ("calls_nothing", 10)


_CLASS = "class Run:\n    'Trains.'\n    size = 3\n    def run(self):\n        print(fit(1))\n"


@pytest.mark.parametrize(
    ("others", "where", "file"),
    [
        ({}, "another file uses them", "run.py"),
        ({"go.py": "from nn import Run\nRun().run()\n"}, "go.py uses them", "go.py"),
    ],
)
def test_finds_a_script_that_only_defines_classes(
    others: dict[str, str], where: str, file: str, tmp_path: Path
) -> None:
    """Like functions, classes do nothing until something uses them."""
    (found,) = find(tmp_path, {"nn.py": f"import keras\n{_CLASS}", **others})
    assert (found.kind, found.line) == ("calls_nothing", 2)
    assert found.message == "nn.py only defines classes and uses none, so it trains nothing."
    assert (
        found.remedy
        == f'Use them at the end of the script or, if {where}, name that file in epochal.toml: script = "{file}".'
    )


@pytest.mark.parametrize("start", ["@register\n", "class A(metaclass=Meta):\n    pass\n"])
def test_class_that_may_run_is_no_idle_script(start: str, tmp_path: Path) -> None:
    """A decorator or a metaclass may use a class as soon as it is defined."""
    assert find(tmp_path, {"nn.py": f"import keras\n{start}{_CLASS}"}) == []


def test_function_that_is_named_but_not_called_is_pointed_out(tmp_path: Path) -> None:
    """The parentheses are missing after the function's name."""
    (found,) = find(tmp_path, {"nn.py": f"{_LIBRARY}\nif __name__ == '__main__':\n    fit\n"})
    assert (found.kind, found.line) == ("calls_nothing", 9)
    assert found.remedy == "Write fit() instead of fit, which only names the function."


@pytest.mark.parametrize(
    "files",
    [
        {"nn.py": _LIBRARY + "CONFIG = dict(accuracy=fit(1))\n"},
        {"nn.py": _LIBRARY + "def dict(x):\n    return x\nCONFIG = dict(1)\n"},
        {"nn.py": _LIBRARY + "class Net:\n    resolve = fit\nNet().resolve()\n"},
        {"nn.py": _LIBRARY + "RESULTS = list(map(fit, [1]))\n"},
        {"nn.py": _LIBRARY + "if __name__ != '__main__':\n    pass\nelse:\n    fit(1)\n"},
        {"nn.py": _LIBRARY + "\nif __name__ == '__main__':\n    fit(1)\n"},
        {"nn.py": _LIBRARY + "RESULT = fit(1)\n"},
        {"nn.py": _LIBRARY + "class Trial:\n    score = fit(1)\n"},
        {"nn.py": _LIBRARY + "class Trial:\n    class Inner:\n        for x in range(3):\n            fit(x)\n"},
        {"nn.py": _LIBRARY.replace("def fit", "@main\ndef fit")},
        {"nn.py": _LIBRARY + "import work\n", "work.py": "print('trains')\n"},
        {"nn.py": "import work\n", "work.py": _LIBRARY},
    ],
)
def test_silent_about_a_script_that_may_do_something(files: dict[str, str], tmp_path: Path) -> None:
    """A call, a decorator or an imported module may start the training. A script without functions has none to call."""
    assert find(tmp_path, files) == []


def test_finds_backslashes(tmp_path: Path) -> None:
    """If a path works only on Windows, the remedy is the path with forward slashes."""
    (found,) = find(tmp_path, {"nn.py": "x = open('data\\\\a.csv')\n", "data/a.csv": ""})
    assert (found.line, found.remedy) == (1, "Change the path to data/a.csv.")


@pytest.mark.parametrize(
    "text",
    [
        READ + "import os\nos.chdir('elsewhere')\n",
        "import pandas as pd\ndf.to_csv('a.csv')\ndf = pd.read_csv('a.csv')\n",
        "import numpy as np\nnp.savez('rows', x=x)\nnp.load('rows.npz')\n",
        "df.to_csv(f'{name}.csv')\nimport pandas as pd\npd.read_csv('a.csv')\n",
        "archive.extractall('data')\nopen('data/a.csv')\n",
        "import os\nif os.path.exists('a.csv'):\n    open('a.csv')\n",
        "try:\n    open('a.csv')\nexcept OSError:\n    pass\n",
        "open('a.csv', 'w')\nopen(name)\nopen(f'{name}.csv')\n",
        "def load():\n    open('a.csv')\nprint()\n",
        "import pandas as pd\npd.read_csv('data')\npd.read_csv('./data/b.csv')\n",
    ],
)
def test_silent_about_files(text: str, tmp_path: Path) -> None:
    """Files and folders that exist are not reported, nor are files that may be written first or never be read."""
    assert find(tmp_path, {"nn.py": text, "data/b.csv": ""}) == []


@pytest.mark.parametrize(
    ("requirements", "imported", "package"),
    [
        (None, "matplotlib.pyplot", "matplotlib"),
        ("tqdm==4.66\n# a comment\n", "cv2", "opencv-python-headless"),
        ("tensorflow\nnumpy\npandas\n", "matplotlib.pyplot", "matplotlib"),
        ("numpy>=2 ; python_version > '3.8'\n", "seaborn", "seaborn"),
    ],
)
def test_finds_missing_package(requirements: str | None, imported: str, package: str, tmp_path: Path) -> None:
    """The remedy names the package, whose name may differ from that of the module."""
    files = {"nn.py": f"epochs = 1\nimport keras, numpy, sklearn, PIL\nimport {imported}\n"}
    if requirements is not None:
        files["requirements.txt"] = requirements
    (found,) = find(tmp_path, files)
    assert (found.kind, found.path, found.line) == ("missing_package", "nn.py", 3)
    assert found.remedy == f"Add {package} to requirements.txt."


@pytest.mark.parametrize(
    ("files", "imported"),
    [
        ({}, "import os, numpy, pandas, PIL, sklearn, dateutil, h5py"),
        ({"requirements.txt": "Matplotlib>=3\nscikit_image\n"}, "import matplotlib.pyplot, skimage, tifffile"),
        ({}, "import google.protobuf, sklearn.inspection, sklearn.externals, sklearn.cross_validation_"),
        ({"requirements.txt": "google-colab\n"}, "import google.colab"),
        ({"requirements.txt": "tensorflow>=2.16\nmatplotlib\n"}, "import matplotlib, tensorboard"),
        ({"requirements.txt": "seaborn\n"}, "import matplotlib, seaborn"),
        ({"requirements.txt": "transformers\n"}, "import tqdm"),
        ({"requirements.txt": "opencv-contrib-python\n"}, "import cv2"),
        ({"pyproject.toml": "[project]\n"}, "import seaborn"),
        ({"helpers.py": ""}, "import helpers"),
        ({"src/helpers.py": ""}, "import helpers"),
        ({}, "try:\n    import seaborn\nexcept ImportError:\n    pass"),
    ],
)
def test_silent_about_packages(files: dict[str, str], imported: str, tmp_path: Path) -> None:
    """A module may be local, optional, part of the environment, or installed by a requirement or its dependencies."""
    assert find(tmp_path, {"nn.py": f"import keras\n{imported}\n", **files}) == []


def test_modules_of_a_virtual_environment_are_not_local(tmp_path: Path) -> None:
    """A package that exists only in a virtual environment inside the folder counts as missing."""
    files = {"venv/pyvenv.cfg": "", "venv/lib/seaborn/__init__.py": "", ".tox/seaborn/a.py": ""}
    (found,) = find(tmp_path, {"nn.py": "import keras\nimport seaborn\n", **files})
    assert found.kind == "missing_package"


def test_refused_requirement_has_its_line(tmp_path: Path) -> None:
    """A requirement that servers refuse by default is found before the push."""
    (found,) = find(tmp_path, {"nn.py": "import keras\n", "requirements.txt": "numpy\ngit+https://example.com/a\n"})
    assert (found.kind, found.path, found.line) == ("refused_requirement", "requirements.txt", 2)
    assert "from a URL" in found.message
    assert find(tmp_path, {}, {"nn.py"}) == []


@pytest.mark.parametrize(
    ("name", "text", "line", "message"),
    [
        ("environment.yml", "- python\n- pip: [numpy scikit-learn]\n", 3, '"numpy scikit-learn": this is not a valid'),
        ("environment.yaml", "# -e .\n- pip:\n  - numpy\n  - '-e .'\n", 5, '"-e .": options are not allowed.'),
        ("environment.yml", "- numpy >=1 <2\n- 'scipy ~1.5'\n", 0, '"scipy~1.5": this is not a valid requirement.'),
        ("environment.yml", "- &a numpy\n- pip: &b [a b]\n", 3, '"a b": this is not a valid requirement.'),
    ],
)
def test_refused_requirement_in_environment_yml(name: str, text: str, line: int, message: str, tmp_path: Path) -> None:
    """A run refuses what environment.yml lists for pip in the same way as in requirements.txt."""
    (found,) = find(tmp_path, {"nn.py": "import keras\n", name: f"dependencies:\n{text}"})
    assert (found.kind, found.path, found.line) == ("refused_requirement", name, line)
    assert found.message.startswith(message)


@pytest.mark.parametrize(
    "files",
    [
        {"environment.yml": "dependencies: [numpy, {pip: ['scikit-learn>=1.3,<2', 'a[b]', 'c >= 1']}]\n"},
        {"environment.yml": "dependencies: [numpy]\n", "environment.yaml": "dependencies: [{pip: [a b]}]\n"},
        {"environment.yml": "dependencies: [{pip: [a b]}]\n", "requirements.txt": "numpy\n"},
        {
            "environment.yml": "dependencies: [{pip: [a b]}]\n",
            "pyproject.toml": "[project]\ndependencies = ['numpy']\n",
        },
        {"environment.yml": "dependencies: [{pip: [a b]}]\n", "uv.lock": "version = 1\n"},
    ],
)
def test_silent_about_environment_yml(files: dict[str, str], tmp_path: Path) -> None:
    """A run reads only the first file that lists packages."""
    assert find(tmp_path, {"nn.py": "import keras\n", **files}) == []


def test_environment_yml_is_read_if_other_files_list_no_packages(tmp_path: Path) -> None:
    """A pyproject.toml may only configure tools."""
    files = {
        "requirements.txt": "",
        "pyproject.toml": "[tool.ruff]\n",
        "environment.yml": "dependencies: [{pip: [a b]}]\n",
    }
    (found,) = find(tmp_path, {"nn.py": "import keras\n", **files})
    assert (found.kind, found.path) == ("refused_requirement", "environment.yml")


def test_path_on_another_computer_needs_no_admin(tmp_path: Path) -> None:
    """pip freeze writes such paths in a conda environment. The remedy is to write names and versions instead."""
    text = "numpy @ file:///croot/numpy_1682953417311/work\n"
    (found,) = find(tmp_path, {"nn.py": "import keras\n", "requirements.txt": text})
    assert found.message == f'"{text.strip()}": this path exists only on the computer where the list was made.'
    assert found.remedy.startswith("Write package names with versions instead, as")


def test_finds_large_file(tmp_path: Path) -> None:
    """A file of more than 50 MB is reported if it would be committed without Git LFS."""
    for name, size in {"large.npz": 50_000_001, "small.npz": 50_000_000}.items():
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
    (found,) = find(tmp_path, {"nn.py": "epochs = 1\n"})
    assert (found.kind, found.path, found.line) == ("large_file", "large.npz", 0)
    assert find(tmp_path, {}, {"nn.py"}) == []
    assert find(tmp_path, {".gitattributes": "*.npz filter=lfs\n"}) == []
