"""Each kind of failure that is known: the script really runs, and the explanation names what to do about it."""

from pathlib import Path

import pytest

from epochal.errors import Reason

from .test_diagnosis import run_and_diagnose

_LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n"


def _raise(error: str) -> dict[str, str]:
    return {"nn.py": f"raise {error}\n"}


@pytest.mark.parametrize(
    ("files", "reason", "facts"),
    [
        # Imports.
        ({"nn.py": "import cv2\n"}, Reason.IMPORT_ERROR, "Add opencv-python-headless to requirements.txt."),
        ({"nn.py": "import part\n", "part.py": "import skimage\n"}, Reason.IMPORT_ERROR, "Add scikit-image to"),
        (
            {"nn.py": "import config\n", ".gitignore": "*.pyc\n/config.py\n"},
            Reason.IMPORT_ERROR,
            "config.py is not in the commit: .gitignore line 2 leaves it out. Commit it with git add --force config.py.",
        ),
        ({"nn.py": "import net\n", "src/net.py": ""}, Reason.IMPORT_ERROR, "Write `from src.net import …`."),
        (
            {"nn.py": "from net import biuld\n", "net.py": "def build(): ...\n"},
            Reason.IMPORT_ERROR,
            "It defines build.",
        ),
        (
            {"nn.py": "import a\n", "a.py": "import b\nx = 1\n", "b.py": "from a import x\n"},
            Reason.IMPORT_ERROR,
            "Move one",
        ),
        (
            {"nn.py": "from .net import f, g as h\n", "net.py": ""},
            Reason.IMPORT_ERROR,
            "Write `from net import f, g as h`:",
        ),
        ({"nn.py": "from . import net\n", "net.py": ""}, Reason.IMPORT_ERROR, "Write `import net`:"),
        (
            {"nn.py": "import keras_.layers\n", "keras_.py": ""},
            Reason.IMPORT_ERROR,
            "keras_.py in the repository hides",
        ),
        ({"nn.py": "from google.colab import drive\n"}, Reason.IMPORT_ERROR, "exists only on Google Colab. Remove"),
        (
            {
                "nn.py": "import sys\nsys.path.append('site-packages')\nimport hub\n",
                "site-packages/hub/__init__.py": "import cv2\n",
            },
            Reason.IMPORT_ERROR,
            "hub needs cv2: add opencv-python-headless to requirements.txt.",
        ),
        # Libraries and programs of the system.
        (
            _raise("ImportError('libGL.so.1: cannot open shared object file: No such file or directory')")
            | {"requirements.txt": "opencv-python>=4\n"},
            Reason.SYSTEM_LIBRARY,
            "Write opencv-python-headless instead of opencv-python in requirements.txt.",
        ),
        (_raise("OSError('PortAudio library not found')"), Reason.SYSTEM_LIBRARY, "the Debian package libportaudio2"),
        ({"nn.py": "import subprocess\nsubprocess.run(['ffmpeg'])\n"}, Reason.SYSTEM_LIBRARY, "the program FFmpeg"),
        ({"nn.py": "import subprocess\nsubprocess.run(['no_such'])\n"}, Reason.SYSTEM_LIBRARY, "no_such is a program"),
        (
            _raise("ImportError('You must install pydot (`pip install pydot`) for `plot_model` to work.')"),
            Reason.SYSTEM_LIBRARY,
            "pydot and the program graphviz",
        ),
        # What an unattended training does not have.
        (
            {"nn.py": "rate = float(input('rate? '))\n"},
            Reason.NEEDS_INPUT,
            "answer input(). Write the value itself into the line: rate",
        ),
        ({"nn.py": "import getpass\nkey = getpass.getpass()\n"}, Reason.NEEDS_INPUT, "getpass()"),
        ({"nn.py": "get_ipython().system('ls')\n"}, Reason.NOTEBOOK_CODE, "nn.py line 1: "),
        (
            {"nn.py": "import argparse\np = argparse.ArgumentParser()\np.add_argument('x')\np.parse_args()\n"},
            Reason.SCRIPT_ERROR,
            "nn.py ended in line 4, where it parses its command line",
        ),
        (
            {
                "nn.py": "# matplotlib.use('TkAgg')\nraise ImportError(\"Cannot load backend 'TkAgg' which requires the 'tk' "
                "interactive framework, as 'headless' is currently running\")\n"
            },
            Reason.NO_DISPLAY,
            "remove matplotlib.use('TkAgg').",
        ),
        (
            {
                "nn.py": "import sys\nsys.path.append('site-packages')\nimport matplotlib\nmatplotlib.use('TkAgg')\n",
                "site-packages/matplotlib/__init__.py": "def use(name):\n    raise ModuleNotFoundError("
                "\"No module named 'tkinter'\")\n",
            },
            Reason.NO_DISPLAY,
            "remove matplotlib.use('TkAgg').",
        ),
        ({"nn.py": "gpus = []\nprint(gpus[0])\n"}, Reason.NO_GPU, "Put it under `if gpus:`, or remove it."),
        (
            _raise("AssertionError('Torch not compiled with CUDA enabled')"),
            Reason.NO_GPU,
            "torch.cuda.is_available() else",
        ),
        (
            _raise("RuntimeError('… use torch.load with map_location=… cuda.is_available() is False')"),
            Reason.NO_GPU,
            "map_location",
        ),
        ({"nn.py": "import subprocess\nsubprocess.run(['nvidia-smi'])\n"}, Reason.NO_GPU, "the training has none"),
        (
            _raise("LookupError('\\n*****\\n  Resource \\x1b[93mpunkt_tab\\x1b[0m not found.')"),
            Reason.NO_NETWORK,
            "epochal data fetch nltk:punkt_tab on the server to fill the dataset cache. The error: nn.py line 1: LookupError: "
            "Resource punkt_tab not found.",
        ),
        # Errors inside other errors.
        (
            {
                "nn.py": "from multiprocessing import Pool\ndef f(x):\n    return 1 / x\nif __name__ == '__main__':\n"
                "    with Pool(1) as pool:\n        pool.map(f, [0])\n"
            },
            Reason.SCRIPT_ERROR,
            "nn.py line 3: ZeroDivisionError: division by zero.",
        ),
        (
            {
                "nn.py": "import subprocess, sys\nsubprocess.run([sys.executable, 'part.py'], check=True)\n",
                "part.py": "x = 1\n{}['a']\n",
            },
            Reason.SCRIPT_ERROR,
            "part.py line 2: KeyError: 'a'.",
        ),
        (
            {"nn.py": "import sys\ntry:\n    {}['a']\nexcept KeyError:\n    sys.exit('failed')\n"},
            Reason.SCRIPT_ERROR,
            "nn.py line 3: KeyError: 'a'.",
        ),
        (
            {"nn.py": "import sys\nsys.excepthook = print\n{}['a']\n"},
            Reason.SCRIPT_ERROR,
            "nn.py line 3: KeyError: 'a'.",
        ),
        # Files.
        (
            {"nn.py": "open('data/a.csv')\n", "data/a.csv.dvc": "", "data/.gitignore": "/a.csv\n"},
            Reason.MISSING_FILE,
            "The commit contains data/a.csv.dvc but not data/a.csv, because data/.gitignore line 1 leaves it out.",
        ),
        ({"nn.py": "import json\njson.load(open('a.json'))\n", "a.json": _LFS}, Reason.MISSING_FILE, "Git LFS pointer"),
        (
            {"nn.py": "import os\nopen(os.path.abspath('a.csv'))\n"},
            Reason.MISSING_FILE,
            "a.csv is not in the commit. Commit",
        ),
    ],
)
def test_explanation_says_what_to_do(tmp_path: Path, files: dict[str, str], reason: Reason, facts: str) -> None:
    """The facts are in the explanation, next to the line."""
    diagnosed, explanation = run_and_diagnose(tmp_path, files)
    assert diagnosed is reason, explanation
    assert facts in explanation
