"""Every known kind of failure: the script really runs, and the explanation says what to do about it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from epochal.analysis.script import read_script
from epochal.errors import Reason
from epochal.results.diagnosis import explain_failed_imports
from epochal.results.remedies import Origin
from epochal.runtimes.imports import ImportFailed, check_imports_once

from .test_diagnosis import run_and_diagnose

_LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n"
_SGD = "def SGD(decay=0, **kwargs):\n    raise ValueError(f'Argument(s) not recognized: {kwargs}')\n"

_LAZY = "import importlib\ndef get(name):\n    return importlib.import_module(name)\n"
_PANDAS = """\
def read_csv(path):
    exec(compile("open(path, encoding='utf-8').read() or fail()", "pandas/_libs/parsers.pyx", "exec"), globals() | locals())
class EmptyDataError(ValueError): ...
def fail():
    raise EmptyDataError("No columns to parse from file")
"""


def _read_csv(content: bytes) -> dict[str, str]:
    script = (
        f"open('a.csv', 'wb').write({content!r})\nimport sys\nsys.path.append('site-packages')\nimport pandas as pd\n"
    )
    return {"nn.py": f"{script}FILE = 'a.csv'\npd.read_csv(FILE)\n", "site-packages/pandas.py": _PANDAS}


def _import_backend(call: str, error: str) -> dict[str, str]:
    script = "import sys\nsys.path.append('site-packages')\nfrom matplotlib.backends import backend_qtagg\n"
    return {
        "nn.py": f"{script}def show():\n    {call}\n",
        "site-packages/matplotlib/backends/backend_qtagg.py": f"raise ImportError({error!r})\n",
    }


def _import(statement: str, *modules: str) -> dict[str, str]:
    """Return a script that runs ``statement`` while the given modules seem to be installed but are empty."""
    script = "import sys\nfrom types import ModuleType\nsys.path.insert(0, 'site-packages')\n"
    return {"nn.py": f"{script}sys.modules |= {{name: ModuleType(name) for name in {modules}}}\n{statement}\n"}


def _make_notebook(*cells: str) -> str:
    """Return a notebook with these code cells."""
    common: dict[str, object] = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    return json.dumps(
        {"cells": [common | {"source": cell} for cell in cells], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    )


def _raise(error: str) -> dict[str, str]:
    return {"nn.py": f"raise {error}\n"}


@pytest.mark.parametrize(
    ("files", "reason", "facts"),
    [
        # Files.
        (
            {"nn.py": "open('/srv/runs/3/trials/1/code/data/a.csv')\n", "Data/A.csv": ""},
            Reason.MISSING_FILE,
            "data/a.csv is not in the commit, but Data/A.csv is: the two paths differ only in letter case.",
        ),
        (
            {"nn.py": "open('/srv/runs/3/trials/1/scratch/home/a.csv')\n"},
            Reason.MISSING_FILE,
            "~/a.csv does not exist, because the home folder is empty during training.",
        ),
        (
            {"nn.py": "import logging\nlogging.basicConfig(filename='logs/a.log')\n", ".gitignore": "logs/\n"},
            Reason.MISSING_FILE,
            "The folder logs does not exist, because git does not store empty folders. Create it in the script: "
            'os.makedirs("logs", exist_ok=True).',
        ),
        (
            {"nn.py": "from pathlib import Path\nPath('out/a.txt').write_text('0.9')\n", "in/a.txt": ""},
            Reason.MISSING_FILE,
            'os.makedirs("out", exist_ok=True).',
        ),
        (
            {"nn.py": "from pathlib import Path\nPath('out/a.txt').open('a')\n"},
            Reason.MISSING_FILE,
            'os.makedirs("out", exist_ok=True).',
        ),
        (
            {"nn.py": "import json\nwith open(\n    'out/a.txt',\n    mode='w',\n) as file:\n    json.dump(1, file)\n"},
            Reason.MISSING_FILE,
            'os.makedirs("out", exist_ok=True).',
        ),
        ({"nn.py": "import os\nos.mkdir('out/a')\n"}, Reason.MISSING_FILE, 'os.makedirs("out", exist_ok=True).'),
        (
            _raise("OSError(\"Cannot save file into a non-existent directory: '/srv/runs/3/trials/1/code/out'\")"),
            Reason.MISSING_FILE,
            'os.makedirs("out", exist_ok=True).',
        ),
        (
            {"nn.py": "import os\nos.chdir('in')\nopen('in/b.txt', 'w')\n", "in/a.txt": ""},
            Reason.MISSING_FILE,
            "The commit contains the target folder, but the script had already removed it or changed to another folder.",
        ),
        (
            {"nn.py": "from pathlib import Path\nPath('/home/anna_/nn/acc.txt').write_text('0.9')\n"},
            Reason.MISSING_FILE,
            "The folder /home/anna_/nn does not exist on the training machine. Write to a path inside the repository instead.",
        ),
        (
            {"nn.py": "open('../anna_/acc.txt', 'w')\n"},
            Reason.MISSING_FILE,
            "The folder ../anna_ does not exist on the training machine. Write to",
        ),
        (
            {
                "nn.py": "import sys\nsys.path.append('site-packages')\nimport nets\nnets.save_model('/home/anna/a.h5')\n",
                "site-packages/nets.py": "def save_model(path):\n    raise PermissionError(13, 'Permission denied', path)\n",
            },
            Reason.SCRIPT_ERROR,
            "Training cannot write to /home/anna/a.h5. Write to a path inside the repository instead.",
        ),
        (
            {"nn.py": "open('/proc/model.joblib', 'wb')\n"},
            Reason.SCRIPT_ERROR,
            "Training cannot write to /proc/model.joblib. Write to a path inside the repository instead.",
        ),
        (
            {"nn.py": "import json\njson.dump(json.load(open('in/a.json')), open('out/a.json', 'w'))\n"},
            Reason.MISSING_FILE,
            "in/a.json is not in the commit. Commit the file, or",
        ),
        (
            {
                "nn.py": "import sys\nsys.path.append('site-packages')\nfrom nets import read_csv\n"
                "print(read_csv('in/a.csv'), open('out.txt', 'w'))\n",
                "site-packages/nets.py": "def read_csv(path):\n    open(path)\n",
            },
            Reason.MISSING_FILE,
            "in/a.csv is not in the commit. Commit the file, or",
        ),
        ({"nn.py": "open('saved/w.npz', 'rb')\n"}, Reason.MISSING_FILE, "saved/w.npz is not in the commit. Commit"),
        (
            _read_csv(b"K\xc3\xb6ln,1\n" * 800 + b"M\xfcnchen,1\n"),
            Reason.SCRIPT_ERROR,
            "nn.py line 6: UnicodeDecodeError: 'utf-8' codec can't decode byte 0xfc in position 6401: invalid start byte. a.csv "
            'is not UTF-8: pass encoding="cp1252" to read_csv(), or save the file as UTF-8.',
        ),
        (_read_csv(b"1 \x81\n"), Reason.SCRIPT_ERROR, 'a.csv is not UTF-8: pass encoding="latin-1" to read_csv(), or'),
        (
            {
                "nn.py": "open('a.csv', 'wb').write(b'5 \\x80')\nopen('b.txt', 'w').write('5')\nfile = open('a.csv')\n"
                "print(open('b.txt'), file.read())\n"
            },
            Reason.SCRIPT_ERROR,
            'a.csv is not UTF-8: pass encoding="cp1252" where the file is opened, or save the file as UTF-8.',
        ),
        (_read_csv("a,b".encode("utf-16")), Reason.SCRIPT_ERROR, 'pass encoding="utf-16" to read_csv(), or save'),
        (
            _read_csv(b""),
            Reason.SCRIPT_ERROR,
            "nn.py line 6: EmptyDataError: No columns to parse from file. a.csv is empty (0 bytes). Commit the file with its "
            "contents, or",
        ),
        (
            {
                "nn.py": "open('a.csv', 'wb').write(b'\\xfc')\nfile = open('a.csv', encoding='utf-8')\nfor line in file: ...\n"
            },
            Reason.SCRIPT_ERROR,
            'The file is not UTF-8: pass encoding="latin-1" where the file is opened, or save the file as UTF-8.',
        ),
        # Imports.
        ({"nn.py": "import cv2\n"}, Reason.IMPORT_ERROR, "Add opencv-python-headless to requirements.txt."),
        ({"nn.py": "import part\n", "part.py": "import skimage\n"}, Reason.IMPORT_ERROR, "Add scikit-image to"),
        (
            {"nn.py": "import config\n", ".gitignore": "*.pyc\n/config.py\n"},
            Reason.IMPORT_ERROR,
            "config.py is not in the commit: .gitignore line 2 excludes it. Commit it with git add --force config.py && "
            'git commit -m "Add config.py".',
        ),
        ({"nn.py": "import net\n", "src/net.py": ""}, Reason.IMPORT_ERROR, "Write `import src.net as net`."),
        (
            {"nn.py": "from flowers.data import split, load as l\n", "src/flowers/data.py": ""},
            Reason.IMPORT_ERROR,
            "In the repository, flowers.data is at src/flowers/data.py. Write `from src.flowers.data import split, load as l`.",
        ),
        (
            {"nn.py": "from models.forest import make\n", "Models/Forest.py": "def grow(): ...\n"},
            Reason.IMPORT_ERROR,
            "In the repository, models.forest is at Models/Forest.py. Write `from Models.Forest import make`.",
        ),
        (
            {"nn.py": "from Models import forest\n", "Models/Forest.py": ""},
            Reason.IMPORT_ERROR,
            "Write `from Models import Forest as forest`.",
        ),
        (
            {"nn.py": "from models import Net\n", "models/net.py": "class Net: ...\n"},
            Reason.IMPORT_ERROR,
            "Write `from models.net import Net`.",
        ),
        (
            {"nn.py": "import net\n", "my-models/net.py": ""},
            Reason.IMPORT_ERROR,
            'my-models/net.py, where nn.py cannot find it. Write `import sys; sys.path.append("my-models")` above the import.',
        ),
        (
            {"nn.py": "from models.tree import make\n", "models/forest.py": ""},
            Reason.IMPORT_ERROR,
            "The repository has no module models.tree. Commit it, or correct the name in the import.",
        ),
        (
            {"nn.py": "from models import tree\n", "models/forest.py": ""},
            Reason.IMPORT_ERROR,
            "The repository has no module models.tree. Commit it, or correct the name in the import.",
        ),
        ({"nn.py": "import skimage\n", "Skimage.py": ""}, Reason.IMPORT_ERROR, "Add scikit-image to requirements.txt."),
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
            "Write `from net import f, g as h` instead:",
        ),
        ({"nn.py": "from . import net\n", "net.py": ""}, Reason.IMPORT_ERROR, "Write `import net` instead:"),
        (
            {"nn.py": "import keras.layers\n", "keras.py": ""},
            Reason.IMPORT_ERROR,
            "keras.py in the repository hides the package keras. Rename the file.",
        ),
        (
            {"nn.py": "from data.loader import load\n", ".gitignore": "data/\n"},
            Reason.IMPORT_ERROR,
            "if it is your own module, commit it despite .gitignore line 1: git add --force data/*.py && git commit.",
        ),
        (
            {"nn.py": "import model.layers\n", "model.py": ""},
            Reason.IMPORT_ERROR,
            "model.py is a file, not a folder, so it has no module layers. Correct the import or, if you mean an installed "
            "package called model, rename the file.",
        ),
        (
            {"nn.py": "from utils.plots import draw\n", "utils.py": "", "utils/plots.py": "def draw(): ...\n"},
            Reason.IMPORT_ERROR,
            "utils.py hides the folder utils. Rename the file or the folder.",
        ),
        (
            {"nn.py": "import keras\nkeras.Sequential\n", "keras.py": ""},
            Reason.IMPORT_ERROR,
            "keras.py in the repository hides the package keras. Rename the file.",
        ),
        (
            {"nn.py": "from keras import Sequential\n", "keras.py": ""},
            Reason.IMPORT_ERROR,
            "keras.py in the repository hides the package keras. Rename the file.",
        ),
        (
            {
                "nn.py": "import numpy\nfrom random import set_seed\nimport secrets\n",
                "random.py": "def set_seed(): ...\n",
            },
            Reason.IMPORT_ERROR,
            "random.py in the repository hides Python's random module, which other code needs. Rename the file.",
        ),
        (
            {"nn.py": "import random\nrandom.shuffle([])\n", "random.py": "def shuffled(): ...\n"},
            Reason.IMPORT_ERROR,
            "random.py in the repository hides Python's random module, which other code needs. Rename the file.",
        ),
        (
            {"nn.py": "import xgboost\n", "xgboost.py": "from xgboost import XGBClassifier\n"},
            Reason.IMPORT_ERROR,
            "xgboost.py in the repository hides the package xgboost. Rename the file.",
        ),
        (
            {"nn.py": "import datasets\n", "datasets.py": "import b\nx = 1\n", "b.py": "from datasets import x\n"},
            Reason.IMPORT_ERROR,
            "Move one",
        ),
        (
            {"nn.py": "from profile import build\n", "profile.py": ""},
            Reason.IMPORT_ERROR,
            "profile.py does not define build. Define it,",
        ),
        (
            {"nn.py": "from types import build\n", "types.py": "def build(): ...\n"},
            Reason.IMPORT_ERROR,
            "Python imports its own module types instead of types.py. Rename the file.",
        ),
        ({"nn.py": "import own\nown.layer\n", "own.py": ""}, Reason.SCRIPT_ERROR, "has no attribute 'layer'."),
        ({"nn.py": "import sklearn_extra.cluster\n"}, Reason.IMPORT_ERROR, "Add scikit-learn-extra to requirements"),
        (
            _raise(
                "ImportError('numpy.dtype size changed, may indicate binary incompatibility. Expected 96 from C header, got 88')"
            ),
            Reason.IMPORT_ERROR,
            "was built for NumPy 1. Add numpy<2 to requirements.txt.",
        ),
        (
            _raise(
                "ImportError('ConfusionMatrixDisplay.plot requires matplotlib. You can install matplotlib with `pip install "
                "matplotlib`')"
            ),
            Reason.IMPORT_ERROR,
            "Add matplotlib to requirements.txt.",
        ),
        (
            _raise("ImportError(\"Missing optional dependency 'tabulate'.  Use pip or conda to install tabulate.\")"),
            Reason.IMPORT_ERROR,
            "Add tabulate to requirements.txt.",
        ),
        (
            {
                "nn.py": "import sys\nsys.path.append('site-packages')\nimport pandas\npandas.style()\n",
                "site-packages/pandas.py": "def style():\n    raise AttributeError(\"The '.style' accessor requires jinja2\")\n",
            },
            Reason.IMPORT_ERROR,
            "Add jinja2 to requirements.txt.",
        ),
        (
            _raise("ImportError('`Import sklearn` failed.  Use pip or conda to install the sklearn package.')"),
            Reason.IMPORT_ERROR,
            "Add scikit-learn to requirements.txt.",
        ),
        (
            _raise(
                "ImportError(\"Pandas requires version '3.1.2' or newer of 'openpyxl' (version '2.6' currently installed).\")"
            ),
            Reason.IMPORT_ERROR,
            "In requirements.txt, require openpyxl>=3.1.2.",
        ),
        (
            _raise(
                "ImportError('IterativeImputer is experimental. You need to explicitly import enable_iterative_imputer:\\n"
                "from sklearn.experimental import enable_iterative_imputer')"
            ),
            Reason.IMPORT_ERROR,
            "Write `from sklearn.experimental import enable_iterative_imputer` above the import.",
        ),
        (
            {
                "nn.py": "import sys\nsys.path.append('site-packages')\nimport sklearn\n",
                "site-packages/sklearn.py": "raise ImportError('undefined symbol: _ZN5torch3jit')\n",
            },
            Reason.IMPORT_ERROR,
            "In requirements.txt, pin compatible versions of scikit-learn and its dependencies.",
        ),
        (
            _import("from sklearn.metrics import f1, accuracy", "sklearn", "sklearn.metrics"),
            Reason.IMPORT_ERROR,
            "sklearn.metrics has no f1. Did you mean f1_score?",
        ),
        (
            _import("from sklearn.ensemble import RandomForest", "sklearn", "sklearn.ensemble"),
            Reason.IMPORT_ERROR,
            "Did you mean RandomForestClassifier or RandomForestRegressor?",
        ),
        (
            _import("from sklearn.metrics import root_mean_squared_error", "sklearn", "sklearn.metrics"),
            Reason.IMPORT_ERROR,
            "Correct the name or, in requirements.txt, pin a version of scikit-learn that has it.",
        ),
        (
            _import("import sklearn.zzz", "sklearn"),
            Reason.IMPORT_ERROR,
            "has no sklearn.zzz. Correct the name or, in requirements.txt, pin a version of scikit-learn that has it.",
        ),
        (
            _import("from numpy import product", "numpy"),
            Reason.IMPORT_ERROR,
            "NumPy has removed np.product: write np.prod instead.",
        ),
        (
            _import("from scipy.misc import imread", "scipy"),
            Reason.IMPORT_ERROR,
            "SciPy has removed scipy.misc.imread: write imageio.imread (package imageio) instead.",
        ),
        (
            _import(
                "from importlib import import_module\nimport_module('scipy.misc').comb(3, 2)", "scipy", "scipy.misc"
            ),
            Reason.SCRIPT_ERROR,
            "SciPy has removed scipy.misc.comb: write scipy.special.comb instead.",
        ),
        (
            _import("import sklearn", "numpy", "numpy.core", "numpy.core.numeric")
            | {"site-packages/sklearn/__init__.py": "from numpy.core.numeric import ComplexWarning\n"},
            Reason.IMPORT_ERROR,
            "sklearn was built for NumPy 1. Add numpy<2 to requirements.txt.",
        ),
        (
            _import("import imblearn", "sklearn", "sklearn.utils")
            | {"site-packages/imblearn/__init__.py": "from sklearn.utils import parse_version\n"},
            Reason.IMPORT_ERROR,
            "In requirements.txt, pin compatible versions of imbalanced-learn and scikit-learn.",
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
        (
            {
                "nn.py": "import sys\nsys.path.append('site-packages')\nimport hub\nhub.load()\n",
                "site-packages/hub.py": "import etils.lazy_imports\ndef load():\n    etils.lazy_imports.get('none_such')\n",
                "site-packages/etils/lazy_imports.py": _LAZY,
            },
            Reason.IMPORT_ERROR,
            "nn.py line 4: ModuleNotFoundError: No module named 'none_such'. hub needs none_such: add none-such to "
            "requirements.txt.",
        ),
        (
            {
                "nn.py": "import sys\nsys.path.append('site-packages')\nimport etils.lazy_imports\n"
                "etils.lazy_imports.get('none_such')\n",
                "site-packages/etils/lazy_imports.py": _LAZY,
            },
            Reason.IMPORT_ERROR,
            "Add the package that provides none_such to requirements.txt, or, if it is your own module, commit",
        ),
        (
            {
                "nn.py": "import sys\nsys.path.append('site-packages')\nimport hub\nhub.locate('none_such')\n",
                "site-packages/hub.py": "import importlib\ndef locate(name):\n    importlib.import_module(name)\n",
            },
            Reason.IMPORT_ERROR,
            "Add the package that provides none_such to requirements.txt, or, if it is your own module, commit",
        ),
        # Libraries and programs of the system.
        (
            _raise("ImportError('libGL.so.1: cannot open shared object file: No such file or directory')")
            | {"requirements.txt": "opencv-python>=4\n"},
            Reason.SYSTEM_LIBRARY,
            "Replace opencv-python with opencv-python-headless in ",
        ),
        (_raise("OSError('PortAudio library not found')"), Reason.SYSTEM_LIBRARY, "the Debian package libportaudio2"),
        ({"nn.py": "import subprocess\nsubprocess.run(['ffmpeg'])\n"}, Reason.SYSTEM_LIBRARY, "the program FFmpeg"),
        (
            {"nn.py": "import subprocess\nsubprocess.run(['no_such'])\n"},
            Reason.SYSTEM_LIBRARY,
            "no_such is not installed where training runs",
        ),
        (
            {"nn.py": "import subprocess\nsubprocess.check_call('no_such download -d \"a\"', shell=True)\n"},
            Reason.SYSTEM_LIBRARY,
            "no_such is not installed where training runs",
        ),
        (
            {"nn.py": "import subprocess\nsubprocess.run('cd . && no_such', shell=True, check=True)\n"},
            Reason.SYSTEM_LIBRARY,
            "The program that the line starts is not installed where training runs",
        ),
        (
            _raise("ImportError('You must install pydot (`pip install pydot`) for `plot_model` to work.')"),
            Reason.SYSTEM_LIBRARY,
            "or add pydot to requirements.txt and ask the admin to install the Debian package graphviz in the server's "
            "base image (or on the server, if it trains without Docker).",
        ),
        (
            _raise("ImportError('You must install graphviz (see https://x.org/) for `plot_model` to work.')"),
            Reason.SYSTEM_LIBRARY,
            "Remove the line, or ask the admin to install the Debian package graphviz in",
        ),
        # Names that Python or scikit-learn lacks.
        (
            {"nn.py": "import json\nfrom collections import Mapping\n"},
            Reason.IMPORT_ERROR,
            "collections.Mapping was removed from Python. Use from collections.abc import Mapping.",
        ),
        ({"nn.py": "import cPickle\n"}, Reason.IMPORT_ERROR, "Use import pickle as cPickle."),
        (
            {"nn.py": "import time\nstart = time.clock()\n"},
            Reason.SCRIPT_ERROR,
            "time.clock was removed from Python. Use time.perf_counter.",
        ),
        (
            {"nn.py": "from json import laods\n"},
            Reason.IMPORT_ERROR,
            "Python has no json.laods. Correct the name or, if Python has moved or removed it, use its replacement.",
        ),
        (
            {"nn.py": "from commands import train\n", "commands.py": ""},
            Reason.IMPORT_ERROR,
            "commands.py does not define train.",
        ),
        (
            {
                "nn.py": "import sys\nsys.path.append('site-packages')\nimport hub\n",
                "site-packages/hub/__init__.py": "from collections import Mapping\n",
            },
            Reason.IMPORT_ERROR,
            "hub was written for another version of Python. In requirements.txt, require a newer version of hub.",
        ),
        (
            {
                "nn.py": "import sys\nsys.path.append('site-packages')\nfrom sklearn.metric import accuracy_score\n",
                "site-packages/sklearn/__init__.py": "",
            },
            Reason.IMPORT_ERROR,
            "sklearn has no module sklearn.metric. Did you mean sklearn.metrics?",
        ),
        (
            {
                "nn.py": "import sys\nsys.path.append('site-packages')\nfrom sklearn.externals import joblib\n",
                "site-packages/sklearn/externals/__init__.py": "",
            },
            Reason.IMPORT_ERROR,
            "sklearn.externals.joblib was removed from scikit-learn. Use import joblib.",
        ),
        # Removed names of a framework, in the line that fails or in an earlier one.
        (
            {
                "nn.py": "import sys\nsys.path.append('site-packages')\nfrom tensorflow.keras.optimizers import SGD\n"
                "sgd = SGD(lr=0.01, decay=1e-6)\n",
                "site-packages/tensorflow/keras/optimizers.py": _SGD,
            },
            Reason.SCRIPT_ERROR,
            "SGD(lr=…) was removed from Keras. Use learning_rate=….",
        ),
        (
            {
                "nn.py": "import os\nif os.environ.get('LEGACY'):\n    from tensorflow.keras.optimizers.legacy import Adam\n"
                "raise ImportError('`keras.optimizers.legacy` is not supported in Keras 3.')\n"
            },
            Reason.IMPORT_ERROR,
            "On line 3, use from tensorflow.keras.optimizers import Adam.",
        ),
        (
            {"nn.py": "import tensorflow as tf\ntf.contrib\n", "tensorflow.py": ""},
            Reason.SCRIPT_ERROR,
            "tensorflow.contrib was removed from TensorFlow. Use other packages, because TensorFlow 2 has no contrib module.",
        ),
        (
            {
                "nn.py": "loss='categorical_crossentropy'\nraise ValueError('Arguments `target` and `output` must '\n"
                "    'have the same rank (ndim). Received: target.shape=(None,), output.shape=(None, 10)')\n"
            },
            Reason.SCRIPT_ERROR,
            "On line 1, write sparse_categorical_crossentropy instead.",
        ),
        (
            {
                "nn.py": '"""Not\ncategorical_crossentropy."""\n# nor categorical_crossentropy\n'
                "def make():  # categorical_crossentropy\n    'Use categorical_crossentropy.'\n"
                "    return CategoricalCrossentropy()\n"
                "raise ValueError('Arguments `target` and `output` must '\n"
                "    'have the same rank (ndim). Received: target.shape=(None,), output.shape=(None, 10)')\n"
            },
            Reason.SCRIPT_ERROR,
            "On line 6, write SparseCategoricalCrossentropy instead.",
        ),
        (
            {
                "nn.py": "from concurrent.futures import ProcessPoolExecutor\nfrom multiprocessing import get_context\n"
                "with ProcessPoolExecutor(1, get_context('spawn')) as pool:\n    print(list(pool.map(abs, [1])))\n"
            },
            Reason.SCRIPT_ERROR,
            "Each process that nn.py spawns runs the script again and fails before doing any work. Put the code that leads to "
            'this line and to ProcessPoolExecutor() on line 3 under `if __name__ == "__main__":`.',
        ),
        (
            {
                "nn.py": "import multiprocessing as mp\nmp.set_start_method('spawn')\ndef start():\n    return mp.Pool(1)\n"
                "with start() as pool:\n    pool.map(abs, [1])\n"
            },
            Reason.SCRIPT_ERROR,
            'Put the code that leads to this line and to Pool() on line 4 under `if __name__ == "__main__":`.',
        ),
        (
            {
                "nn.py": "import multiprocessing as mp\nif __name__ == '__main__':\n    mp.set_start_method('spawn')\n"
                "from pools import start\nwith start() as pool:\n    pool.map(abs, [1])\n",
                "pools.py": "import multiprocessing as mp\ndef start():\n    return mp.Pool(1)\n",
            },
            Reason.SCRIPT_ERROR,
            'Put the code that leads to this line under `if __name__ == "__main__":`.',
        ),
        (
            {
                "nn.py": "import multiprocessing as mp\ndef start():\n    mp.set_start_method('forkserver')\n"
                "    job = mp.Process(target=len, args=('x' * 10**7,))\n    job.start()\n    job.join()\nstart()\n",
            },
            Reason.SCRIPT_ERROR,
            "Put the code that leads to this line, to Process() on line 4 and to set_start_method() on line 3 under "
            '`if __name__ == "__main__":`.',
        ),
        (
            {
                "nn.py": "from nets.Small import build\nbuild()\n",
                "nets/Small.py": "lambda: losses.CategoricalCrossentropy()\ndef build():\n    raise ValueError('Arguments `target` "
                "and `output` must have the same shape. Received: target.shape=(None, 1), output.shape=(None, 10)')\n",
            },
            Reason.SCRIPT_ERROR,
            "On line 1 of nets/Small.py, write SparseCategoricalCrossentropy instead.",
        ),
        # What an unattended training does not have.
        (
            {"nn.py": "import sys\nepochs = int(sys.argv[1])\n"},
            Reason.SCRIPT_ERROR,
            "nn.py line 2: IndexError: list index out of range. nn.py receives no command-line arguments during training, so use "
            "fixed values",
        ),
        (
            {"nn.py": "import os\nos.environ['WANDB_KEY_']\n"},
            Reason.SCRIPT_ERROR,
            "nn.py line 2: KeyError: 'WANDB_KEY_'. The environment variable WANDB_KEY_ is not set during training. "
            'Give it a default: os.environ.get("WANDB_KEY_", "…").',
        ),
        (
            {"nn.py": "import os\nos.environ['EPOCHAL_DATA']\n"},
            Reason.SCRIPT_ERROR,
            "EPOCHAL_DATA is not set, because the server has no data folder. Ask the server's admin to add the data setting to",
        ),
        (
            {"nn.py": "import os\nseed = int(os.getenv('SEED_'))\n"},
            Reason.SCRIPT_ERROR,
            'Give it a default: os.environ.get("SEED_", "…").',
        ),
        (
            {"nn.py": "import os\nfolder = os.environ.get('DATA_')\nos.path.join(folder, 'a.csv')\n"},
            Reason.SCRIPT_ERROR,
            'Give it a default: os.environ.get("DATA_", "…").',
        ),
        (
            {
                "nn.py": "import os\nPATHS = {'in': os.getenv('IN_'), 'out': os.getenv('OUT_')}\n"
                "os.path.join(PATHS['out'], 'a.csv')\n"
            },
            Reason.SCRIPT_ERROR,
            'Give it a default: os.environ.get("OUT_", "…").',
        ),
        (
            {"nn.py": "rate = float(input('rate? '))\n"},
            Reason.NEEDS_INPUT,
            "answer input(). Write the value directly in the code: rate",
        ),
        (
            {"nn.py": "rate = float(input('rate? '))\n# input()\nif rate:\n    size = int(input())\n"},
            Reason.NEEDS_INPUT,
            "answer input(). Write the values directly into lines 1 and 4.",
        ),
        (
            {
                "nn.py": "def ask(text):\n    answer = input(text)\n    return int(answer)\nrate = ask('rate? ')\n"
                "size = ask('size? ')\n"
            },
            Reason.NEEDS_INPUT,
            "answer input(). Replace the calls to ask() on lines 4 and 5 with fixed values.",
        ),
        (
            {
                "nn.py": "from asking import ask\nrate, size = (\n    ask('rate? '),\n    ask('size? '),\n)\n",
                "asking.py": "def ask(text):\n    return int(input(text))\n",
            },
            Reason.NEEDS_INPUT,
            "answer input(). Replace the calls to ask() on lines 3 and 4 of nn.py with fixed values.",
        ),
        ({"nn.py": "import getpass\nkey = getpass.getpass()\n"}, Reason.NEEDS_INPUT, "getpass()"),
        ({"nn.py": "get_ipython().system('ls')\n"}, Reason.NOTEBOOK_CODE, "nn.py line 1: "),
        (
            {"nn.py": "x = 1\ndisplay(x)\n"},
            Reason.NOTEBOOK_CODE,
            "works only in a notebook. Use print() on line 2 instead.",
        ),
        (
            {"nn.py": "get_ipython().system('ls')\nx = 1\nget_ipython().system('ls')\n"},
            Reason.NOTEBOOK_CODE,
            "works only in a notebook. Remove lines 1 and 3.",
        ),
        (
            {"nn.py": "get_ipython().system('ls')\nget_ipython().run_line_magic('time', 'model.fit(x, y)')\n"},
            Reason.NOTEBOOK_CODE,
            "works only in a notebook. Remove line 1, and on line 2, replace the magic command with the code that it runs.",
        ),
        (
            {
                "nn.py": "IN_COLAB = 'google.colab' in str(get_ipython())\nif IN_COLAB:\n"
                "    get_ipython().system('ls')\nget_ipython().system('ls')\n"
            },
            Reason.NOTEBOOK_CODE,
            "works only in a notebook. On line 1, write IN_COLAB = False instead, and remove line 4.",
        ),
        (
            {
                "nn.py": "from setup import set_up\nset_up()\n",
                "setup.py": "def set_up():\n    ip = get_ipython()\n    if ip:\n        ip.system('ls')\n"
                "    get_ipython().system('ls')\n    print(get_ipython().getoutput('nproc')[0] + get_ipython().user)\n"
                "    return len(get_ipython().getoutput('ls'))\n",
            },
            Reason.NOTEBOOK_CODE,
            "works only in a notebook. In setup.py, on line 2, write ip = None instead, remove lines 5 and 6, and on line 7, "
            "write code that does not need get_ipython().",
        ),
        (
            {
                "nn.py": "from shown import show\nshow(1)\n",
                "shown.py": "def show(x):\n    display(x)\n    display(x)\n",
            },
            Reason.NOTEBOOK_CODE,
            "works only in a notebook. Use print() on lines 2 and 3 of shown.py instead.",
        ),
        (
            {
                "nn.py": "from IPython import get_ipython\nipython = get_ipython()\nipython.system(\n    'ls'\n)\n",
                "IPython.py": "def get_ipython():\n    pass\n",
            },
            Reason.NOTEBOOK_CODE,
            "get_ipython() returns None in a script, so ipython.system fails. Remove line 3.",
        ),
        (
            {"nn.py": "get_ipython().run_cell_magic('time', '', 'model.fit(x, y)\\n')\n"},
            Reason.NOTEBOOK_CODE,
            "works only in a notebook. On line 1, replace the magic command with the code that it runs.",
        ),
        (
            {
                "nn.py": "import sys\nsys.path.insert(0, 'site-packages')\nfrom click import core\n\ncore.main()\n",
                "site-packages/click/__init__.py": "",
                "site-packages/click/core.py": "import sys\ndef main():\n    print('Usage: nn.py NAME')\n"
                "    print('Error: Missing argument NAME.\\n')\n    print('bye')\n    sys.exit(2)\n",
            },
            Reason.SCRIPT_ERROR,
            "nn.py ended on line 5 while parsing its command line. Epochal runs it without arguments, so give each "
            "required argument or option a default, as in default=20. It printed: 'Error: Missing argument NAME.'",
        ),
        (
            _raise("UnboundLocalError(\"cannot access local variable 'batch_outputs'\")"),
            Reason.SCRIPT_ERROR,
            "The call received no samples. Check the path, filter or split that leaves the data empty.",
        ),
        (
            {"nn.py": "history = {}\nhistory['val_acc']\n"},
            Reason.SCRIPT_ERROR,
            "With metrics=[\"accuracy\"], write 'val_accuracy' instead of 'val_acc'.",
        ),
        (
            {"nn.py": "history = {}\nlambda: compile(metrics=['acc'])\nhistory['val_accuracy']\n"},
            Reason.SCRIPT_ERROR,
            "With metrics=[\"acc\"], write 'val_acc' instead of 'val_accuracy'.",
        ),
        (
            {
                "nn.py": "import net\nhistory = {}\nhistory['accuracy']\n",
                "net.py": "lambda: compile(metrics=['mae', metrics.SparseTopKCategoricalAccuracy()])\n",
            },
            Reason.SCRIPT_ERROR,
            "With metrics=[metrics.SparseTopKCategoricalAccuracy()], write 'sparse_top_k_categorical_accuracy' instead of "
            "'accuracy'.",
        ),
        (
            {"nn.py": "history = {}\nlambda: compile(metrics=[BinaryAccuracy(name='hits')])\nhistory['val_acc']\n"},
            Reason.SCRIPT_ERROR,
            "With metrics=[BinaryAccuracy(name='hits')], write 'val_hits' instead of 'val_acc'.",
        ),
        (
            {
                "nn.py": "lambda: SparseCategoricalCrossentropy()\nraise ValueError('Argument `output` must have rank (ndim) '\n"
                "    '`target.ndim - 1`. Received: target.shape=(None, 3), output.shape=(None, 3)')\n"
            },
            Reason.SCRIPT_ERROR,
            "The labels are one-hot vectors, which SparseCategoricalCrossentropy does not accept. On line 1, write "
            "CategoricalCrossentropy instead.",
        ),
        (
            _raise("ValueError('Invalid dtype: str320')"),
            Reason.SCRIPT_ERROR,
            "The labels or features contain strings. Convert them to numbers, for example by encoding the labels with "
            "LabelEncoder from scikit-learn.",
        ),
        (
            {"nn.py": "import numpy as np\nnp.zeros(3, dtype=np.int)\n"},
            Reason.SCRIPT_ERROR,
            "nn.py line 2: AttributeError: module 'numpy' has no attribute 'int'. NumPy has removed np.int: write int or "
            "np.int64 instead.",
        ),
        (
            {
                "nn.py": "import sys\nsys.path.append('site-packages')\nimport keras\nmodel = keras.Model()\n"
                "model.compile('sgd', 'mse', ['accuracy'])\nmodel.fit()\n",
                "site-packages/keras.py": "class Model:\n    def compile(*args): ...\n    def fit(self):\n        raise ValueError("
                "\"dtype='string' is not a valid dtype for Keras type promotion.\")\n",
            },
            Reason.SCRIPT_ERROR,
            "Support for metrics as compile()'s third argument was removed from Keras. On line 5, use metrics=['accuracy'].",
        ),
        (
            {"nn.py": "import argparse\np = argparse.ArgumentParser()\np.add_argument('x')\np.parse_args()\n"},
            Reason.SCRIPT_ERROR,
            "nn.py ended on line 4 while parsing its command line. Epochal runs it without arguments, so give x "
            'nargs="?" and a default.',
        ),
        (
            {
                "nn.py": "import argparse\np = argparse.ArgumentParser()\np.add_argument('x')\np.add_argument('y')\n"
                "p.add_argument('--rate', required=True)\np.parse_args()\n"
            },
            Reason.SCRIPT_ERROR,
            'so give x and y nargs="?" and a default, and give --rate a default instead of required=True. The last line',
        ),
        (
            {
                "nn.py": "import argparse\np = argparse.ArgumentParser()\nsub = p.add_subparsers(dest='job', required=True)\n"
                "p.parse_args()\n"
            },
            Reason.SCRIPT_ERROR,
            "so pass the training subcommand to parse_args(). The last line",
        ),
        (
            {
                "nn.py": "import argparse\np = argparse.ArgumentParser()\nsub = p.add_subparsers(required=True)\n"
                "sub.add_parser('eval')\nsub.add_parser(name='train')\np.parse_known_args()\n"
            },
            Reason.SCRIPT_ERROR,
            'without arguments, so pass the training subcommand to parse_known_args(), as in parse_known_args(["train"]). ',
        ),
        (
            {
                "nn.py": "import options\noptions.parse()\n",
                "options.py": "import argparse\ndef parse():\n    p = argparse.ArgumentParser()\n"
                "    p.add_argument('--data', required=True)\n    p.add_argument('x')\n"
                "    sub = p.add_subparsers(dest='cmd', required=True)\n    sub.add_parser('run')\n"
                "    sub.add_parser('eval')\n    return p.parse_args()\n",
            },
            Reason.SCRIPT_ERROR,
            'nn.py ended while parsing its command line. Epochal runs it without arguments, so give x nargs="?" and '
            "a default, and give --data a default instead of required=True, and pass the training subcommand to parse_args() "
            'on line 9 of options.py, as in parse_args(["run"]).',
        ),
        (
            {
                "nn.py": "import argparse\np = argparse.ArgumentParser()\nsub = p.add_subparsers(metavar='JOB', required=True)\n"
                "sub.add_parser('net').add_subparsers(required=True).add_parser('train')\np.parse_args()\n"
            },
            Reason.SCRIPT_ERROR,
            "so pass the training subcommand to parse_args(). The last line",
        ),
        (
            {
                "nn.py": "import argparse\np = argparse.ArgumentParser()\nsub = p.add_subparsers(dest='job', required=True)\n"
                "sub.add_parser('train').add_argument('path')\np.parse_args(['train'])\n"
            },
            Reason.SCRIPT_ERROR,
            'without arguments, so give path nargs="?" and a default. The last line',
        ),
        (
            {
                "nn.py": "import argparse\np = argparse.ArgumentParser()\nsub = p.add_subparsers()\n"
                "sub.add_parser('fit')\np.parse_args()\np.error('no command')\n"
            },
            Reason.SCRIPT_ERROR,
            'so pass the training subcommand to parse_args(), as in parse_args(["fit"]). The last line',
        ),
        *(
            (
                {
                    "nn.py": f"import argparse, sys\np = argparse.ArgumentParser()\nsub = p.add_subparsers(dest='cmd')\n"
                    f"sub.add_parser('train').set_defaults(func=print)\nargs = p.parse_args({arguments})\n{end}\n"
                },
                Reason.SCRIPT_ERROR,
                'script without arguments, so pass the training subcommand to parse_args(), as in parse_args(["train"]).',
            )
            for arguments, end in [
                ("", "if not hasattr(args, 'func'):\n    p.print_help()\n    sys.exit(1)"),
                ("sys.argv[1:]", "if getattr(args, 'func', None) is None:\n    sys.exit('Choose a job')"),
                ("", "if args.cmd == 'train':\n    print(1)\nelse:\n    sys.exit(3)"),
                ("", "def main():\n    p.print_usage()\n    return 2\nsys.exit(main())"),
            ]
        ),
        *(
            (
                {
                    "nn.py": f"import argparse\np = argparse.ArgumentParser()\nsub = p.add_subparsers(dest='cmd', required=True)\n"
                    f"s = sub.add_parser('eval')\ns.add_argument('--model', required=True)\n{code}p.parse_args()\n"
                },
                Reason.SCRIPT_ERROR,
                f'so pass the training subcommand to parse_args(), as in parse_args(["train"]){remedy}. The last line',
            )
            for code, remedy in [
                (
                    "s = sub.add_parser('train')\ns.add_argument('-s', '--seed', type=int, required=True)\n"
                    "s.add_argument('path')\ns.add_argument('-c', default=1.0)\ns.add_argument('more', nargs='*')\n"
                    "s = sub.add_parser('plot')\ns.add_argument('image')\n",
                    ', and give path of train nargs="?" and a default, and give -s/--seed of train a default instead of '
                    "required=True",
                ),
                ("sub.add_parser('train').add_argument('x')\n", ', and give x of train nargs="?" and a default'),
                ("sub.add_parser('train').add_argument('-x', required=False)\n", ""),
                ("s = sub.add_parser('train')\ns.add_argument('--rate', default=0.1)\n", ""),
            ]
        ),
        (
            {"nn.py": "from optparse import OptionParser\np = OptionParser()\np.error('--rate is missing')\n"},
            Reason.SCRIPT_ERROR,
            "nn.py ended on line 3 while parsing its command line. Epochal runs it without arguments, so give each required "
            "argument a default. The last line",
        ),
        (
            {"nn.py": "import sys\nif len(sys.argv) != 2:\n    print('Usage: nn.py RATE')\n    sys.exit(2)\n"},
            Reason.SCRIPT_ERROR,
            'The last line of its output was: "Usage: nn.py RATE" Epochal runs the script without arguments, so use fixed values '
            "instead of sys.argv.",
        ),
        (
            {
                "nn.py": "lambda: matplotlib.use('TkAgg')\nraise ImportError(\"Cannot load backend 'TkAgg' which requires the 'tk' "
                "interactive framework, as 'headless' is currently running\")\n"
            },
            Reason.NO_DISPLAY,
            "remove matplotlib.use('TkAgg').",
        ),
        (
            _import_backend("matplotlib.use('TkAgg')", "No module named 'tkinter'"),
            Reason.NO_DISPLAY,
            "remove matplotlib.use('TkAgg').",
        ),
        (
            _import_backend("plt.switch_backend('Qt5Agg')", "Failed to import any of the following Qt binding modules"),
            Reason.NO_DISPLAY,
            "Training runs without a display: remove plt.switch_backend('Qt5Agg').",
        ),
        (
            _raise("RuntimeError('no display name and no $DISPLAY environment variable')"),
            Reason.NO_DISPLAY,
            "Training runs without a display: remove the code that opens and uses the window, or save the image to a file",
        ),
        ({"nn.py": "gpus = []\nprint(gpus[0])\n"}, Reason.NO_GPU, "without a GPU. Put line 2 under `if gpus:`."),
        (
            {
                "nn.py": "gpus = []\nif gpus:\n    print(gpus[0])\nprint(gpus[0])\nprint(gpus[1], gpus[:2])\nprint(gpus[:2])\n"
            },
            Reason.NO_GPU,
            "Training runs without a GPU. Put lines 4 and 5 under `if gpus:`.",
        ),
        (
            {"nn.py": "gpus = []\nfirst = gpus[0]\nprint(first)\n"},
            Reason.NO_GPU,
            "Replace line 2 with code that works without a GPU.",
        ),
        (
            {"nn.py": "def find_gpus():\n    return []\nprint(\n    find_gpus()[0],\n    2048,\n)\n"},
            Reason.NO_GPU,
            "Training runs without a GPU. Remove lines 3 to 6.",
        ),
        (
            {"nn.py": "gpus = []\nassert gpus, 'No GPU found'\nwith tf.device('/GPU:0'):\n    net.to('cuda')\n"},
            Reason.NO_GPU,
            'Remove line 2, write "/CPU:0" as the device on line 3, and replace line 4 with pass.',
        ),
        (
            {
                "nn.py": "gpus = []\nif not gpus:\n    raise OSError('No GPU found')\nwith tf.device('/GPU:0'):\n    f()\n"
            },
            Reason.NO_GPU,
            'Remove the if statement on lines 2 and 3, and write "/CPU:0" as the device on line 4.',
        ),
        (
            {
                "nn.py": "def check(gpu):\n    if not gpu:\n        raise OSError('No GPU: PyTorch needs CUDA')\ncheck('')\n"
            },
            Reason.NO_GPU,
            "Training runs without a GPU. Replace the if statement on lines 2 and 3 with pass.",
        ),
        (
            {"nn.py": "gpu = ''\nif gpu:\n    print(gpu)\nelse:\n    raise OSError('No GPU found')\n"},
            Reason.NO_GPU,
            "Remove the if statement on lines 2 to 5.",
        ),
        (
            {"nn.py": "gpu = ''\nif gpu:\n    batch = 9\nelse:\n    raise OSError('No GPU found')\nprint(batch)\n"},
            Reason.NO_GPU,
            "Replace line 5 with code that works without a GPU.",
        ),
        (
            {"nn.py": "gpu = ''\nif gpu:\n    pass\nelif not gpu:\n    raise OSError('No GPU found')\n"},
            Reason.NO_GPU,
            "Replace line 5 with pass.",
        ),
        (
            {
                "nn.py": "import sys\nsys.path.append('site-packages')\nfrom lightgbm import fit\n"
                "fit({\n    'device': 'gpu',\n})\n",
                "site-packages/lightgbm.py": "def fit(params):\n    raise ValueError('No OpenCL device found')\n",
            },
            Reason.NO_GPU,
            "Training runs without a GPU. On line 5, write 'device': 'cpu'.",
        ),
        (
            {
                "nn.py": "class tf:\n    def device(name): return open('nn.py')\ndef train():\n    raise ValueError('No GPU')\n"
                "with tf.device('/GPU:0'):\n    print(1)\n    train()\n"
            },
            Reason.NO_GPU,
            'Training runs without a GPU. Write "/CPU:0" as the device on line 5.',
        ),
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
        ({"nn.py": "import subprocess\nsubprocess.run(['nvidia-smi'])\n"}, Reason.NO_GPU, "Remove line 2."),
        (
            _raise("LookupError('\\n*****\\n  Resource \\x1b[93mpunkt_tab\\x1b[0m not found.')"),
            Reason.NO_NETWORK,
            "epochal data fetch nltk:punkt_tab on the server; this fills the dataset cache. The error was: nn.py line 1: "
            "LookupError: Resource punkt_tab not found.",
        ),
        (
            {
                "nn.py": "def main():\n    nltk.download('stopwords')\nraise LookupError('Resource punkt_tab not found.')\n"
            },
            Reason.NO_NETWORK,
            "run epochal data fetch nltk:stopwords and epochal data fetch nltk:punkt_tab on the server",
        ),
        (
            {
                "nn.py": "import sys\nsys.path.insert(0, 'site-packages')\nfrom sklearn.datasets._openml import fetch\nfetch()\n",
                "site-packages/sklearn/__init__.py": "",
                "site-packages/sklearn/datasets/__init__.py": "",
                "site-packages/sklearn/datasets/_openml.py": "def fetch():\n    raise ConnectionError('not known')\n",
            },
            Reason.NO_NETWORK,
            "To provide the data, save it to a file once, for example with numpy.savez(); then commit the file, or put "
            "the data in the server's data folder (the data setting in $EPOCHAL_HOME/server.toml)",
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
            "The commit contains data/a.csv.dvc but not data/a.csv, because data/.gitignore line 1 excludes it. "
            "Epochal does not fetch the data: commit the file itself with git add --force data/a.csv && git commit",
        ),
        (
            {"nn.py": "import json\njson.load(open('a.json'))\n", "a.json": ""},
            Reason.SCRIPT_ERROR,
            "a.json is empty (0",
        ),
        (
            {"nn.py": "import json\nwith open('a.json') as file:\n    config = json.load(file)\n", "a.json": ""},
            Reason.SCRIPT_ERROR,
            "nn.py line 3: JSONDecodeError: Expecting value: line 1 column 1 (char 0). a.json is empty (0 bytes).",
        ),
        (
            {
                "nn.py": "import json\nfrom pathlib import Path\nPATH = Path('a.json')\njson.loads(PATH.read_text())\n",
                "a.json": "",
            },
            Reason.SCRIPT_ERROR,
            "a.json is empty (0",
        ),
        (
            {
                "nn.py": "from reading import read\nFILE = 'a.json'\nread(FILE)\n",
                "reading.py": "import json\ndef read(path):\n    file = open(path)\n    return json.load(file)\n",
                "a.json": "",
            },
            Reason.SCRIPT_ERROR,
            "a.json is empty (0 bytes). Commit the file with its contents, or",
        ),
        ({"nn.py": "import json\njson.load(open('a.json'))\n", "a.json": _LFS}, Reason.MISSING_FILE, "Git LFS pointer"),
        (
            {"nn.py": "import json\nprint(json.load(open('a.json')))\n", "a.json": _LFS},
            Reason.MISSING_FILE,
            "Git LFS pointer",
        ),
        (
            {
                "nn.py": "from churn.data import load\nload()\n",
                "churn/data.py": "import os\nFOLDER = os.path.dirname(os.path.abspath(__file__))\n\n"
                "def load():\n    open(f'{FOLDER}/data/a.csv')\n",
                "data/a.csv": "",
            },
            Reason.MISSING_FILE,
            "churn/data/a.csv is not in the commit, but data/a.csv is. churn/data.py builds the path from its own folder "
            "(__file__): make the path point to data/a.csv.",
        ),
        (
            {
                "nn.py": "from glob import glob\nif not glob('./data/*.csv'):\n    raise ValueError('No objects to concatenate')\n",
                ".gitignore": "*.csv\n",
            },
            Reason.MISSING_FILE,
            "No file in the commit matches data/*.csv: .gitignore line 1 excludes such files. Commit the files with git add "
            "--force data/*.csv && git commit, or put the data in",
        ),
        (
            {
                "nn.py": "import glob\nfiles = glob.glob('data/*/*.csv')\nraise ValueError('No objects to concatenate')\n",
                "data/a.csv": "",
            },
            Reason.MISSING_FILE,
            "No file in the commit matches data/*/*.csv. Commit the files, or put the data in",
        ),
        (
            {"nn.py": "import os\nopen(os.path.abspath('a.csv'))\n"},
            Reason.MISSING_FILE,
            "a.csv is not in the commit. Commit",
        ),
    ],
)
def test_explanation_says_what_to_do(tmp_path: Path, files: dict[str, str], reason: Reason, facts: str) -> None:
    """Besides the line, the explanation contains the facts that the developer needs."""
    diagnosed, explanation = run_and_diagnose(tmp_path, files)
    assert diagnosed is reason, explanation
    assert facts in explanation


@pytest.mark.parametrize(
    ("arguments", "end"),
    [
        ("['train']", "p.print_usage()\nsys.exit(1)"),
        ("['train']", "if not hasattr(args, 'rate'):\n    sys.exit('no rate')"),
        ("", "sys.exit('The data is incomplete')"),
        ("", "if args.cmd is None:\n    print('trains')\nsys.exit(1)"),
        ("", "if hasattr(args, 'func'):\n    sys.exit('The accuracy is too low')"),
    ],
)
def test_subcommand_is_not_named_if_another_cause_may_end_the_script(tmp_path: Path, arguments: str, end: str) -> None:
    """The script passes a subcommand, or its end does not depend on the subcommand, or has a default one."""
    code = (
        "import argparse, sys\np = argparse.ArgumentParser()\np.set_defaults(func=print)\n"
        f"p.add_subparsers(dest='cmd').add_parser('train')\nargs = p.parse_args({arguments})\n{end}\n"
    )
    assert "pass the subcommand" not in run_and_diagnose(tmp_path, {"nn.py": code})[1]


@pytest.mark.parametrize("text", ["from tools.prep import split", "from tools import prep", "import tools.io.prep"])
def test_module_in_a_submodule_is_not_called_uncommitted(tmp_path: Path, text: str) -> None:
    """A snapshot of the commit has an empty folder for the submodule. ``git add`` refuses the files in it."""
    (tmp_path / "code" / "tools").mkdir(parents=True)
    reason, explanation = run_and_diagnose(tmp_path, {"nn.py": f"{text}\n"})
    assert reason is Reason.IMPORT_ERROR
    assert "tools is a git submodule, and Epochal does not fetch its files. To commit them" in explanation


@pytest.mark.parametrize(
    ("files", "explanation"),
    [
        (
            _read_csv(b"\x1f\x8b\x08"),  # of a gzip file
            "nn.py line 6: UnicodeDecodeError: 'utf-8' codec can't decode byte 0x8b in position 1: invalid start byte.",
        ),
        (
            {"nn.py": "import os\nuser = os.getenv('USER_') or 'ada'\nprint(user + None)\n"},
            'nn.py line 3: TypeError: can only concatenate str (not "NoneType") to str.',
        ),
        (
            {
                "nn.py": "import sys\nsys.path.append('site-packages')\nimport nets\n",
                "site-packages/nets.py": "import numpy as np\nnp.int\n",
            },
            "nn.py line 3: AttributeError: module 'numpy' has no attribute 'int'.",
        ),
        (
            {
                "nn.py": "import sys\nsys.path.append('site-packages')\nimport nets\n",
                "site-packages/nets.py": "import os\nos.environ['RANK_']\n",
            },
            "nn.py line 3: KeyError: 'RANK_'.",
        ),
        (
            {
                "nn.py": "history = {}\nlambda: compile(metrics=['acc'])\nhistory['val_acc']\n"
            },  # without validation data
            "nn.py line 3: KeyError: 'val_acc'.",
        ),
        (
            {
                "nn.py": "import json\ndef main(log):\n    with open('a.json') as file:\n        json.load(file)\n"
                "with open('b.txt', 'w') as log:\n    main(log)\n",
                "a.json": "no",
            },
            "nn.py line 4: JSONDecodeError: Expecting value: line 1 column 1 (char 0).",
        ),
        (
            {
                "nn.py": "from glob import glob\nfrom pathlib import Path\nglob('data/*.csv')\nPath('data').glob('x/*.csv')\n"
                "raise ValueError('No objects to concatenate')\n",
                "data/a.csv": "",
            },
            "nn.py line 5: ValueError: No objects to concatenate.",
        ),
        (
            {"nn.py": "print('a.json', f'{1} a.json')\n{0: 1}[2]\n", "a.json": _LFS},
            "nn.py line 2: KeyError: 2.",
        ),
        (
            {
                "nn.py": "import os\nfrom concurrent.futures import ProcessPoolExecutor\nfrom multiprocessing import get_context\n"
                "def leave():\n    os._exit(1)\n"
                "if __name__ == '__main__':\n    with ProcessPoolExecutor(1, get_context('spawn')) as pool:\n"
                "        pool.submit(leave).result()\n"
            },
            "nn.py line 8: BrokenProcessPool: A process in the process pool was terminated abruptly while the future was running "
            "or pending.",
        ),
        (
            {"nn.py": "raise AttributeError(\"The '.style' accessor requires patience\")\n"},
            "nn.py line 1: AttributeError: The '.style' accessor requires patience.",
        ),
        (
            {"nn.py": "import os\nprint(os.environ.get('HOME') + None)\n"},
            'nn.py line 2: TypeError: can only concatenate str (not "NoneType") to str.',
        ),
    ],
)
def test_unknown_cause_has_no_remedy(tmp_path: Path, files: dict[str, str], explanation: str) -> None:
    """A remedy for a similar exception would not work, so only the exception is shown."""
    assert run_and_diagnose(tmp_path, files) == (Reason.SCRIPT_ERROR, explanation)


def test_unknown_import_error_has_no_remedy(tmp_path: Path) -> None:
    """A package whose function fails later than at its import has compatible dependencies."""
    files = {
        "nn.py": "import sys\nsys.path.append('site-packages')\nimport nets\nnets.load()\n",
        "site-packages/nets.py": "def load():\n    raise ImportError('no backend')\n",
    }
    assert run_and_diagnose(tmp_path, files) == (Reason.IMPORT_ERROR, "nn.py line 4: ImportError: no backend.")


@pytest.mark.parametrize(
    ("error", "explanation"),
    [
        (
            "OSError('Name or service not known')",
            "nn.py could not reach a network address. Check the address. If it is correct, ",
        ),
        (
            "LookupError('Resource wordnet not found.')",
            "nltk.download() could not reach a network address. To ",
        ),
    ],
)
def test_failure_of_a_network_is_not_called_a_rule(tmp_path: Path, error: str, explanation: str) -> None:
    """A script that may use the network is not told that network access is forbidden."""
    _, found = run_and_diagnose(tmp_path, _raise(error), network=True)
    assert found.startswith(explanation)


def test_all_failed_imports_are_explained_in_the_order_of_their_lines(tmp_path: Path) -> None:
    """This covers a package that is not installed, and a module whose import fails for another reason."""
    (tmp_path / "nn.py").write_text("import json\nimport yaml_\nimport cv2.data\nimport old\n")
    (tmp_path / "packages").mkdir()
    old = "raise ValueError('numpy.dtype size changed. Expected 96 from C header, got 88 from PyObject')\n"
    (tmp_path / "packages" / "old.py").write_text(old)

    def run(arguments: list[str]) -> tuple[int, str]:
        variables = os.environ | {"PYTHONPATH": str(tmp_path / "packages")}
        command = [sys.executable, "-S", *arguments]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    with pytest.raises(ImportFailed) as failure:
        check_imports_once(tmp_path / "proven", "python", ["cv2.data", "json", "old", "yaml_"], run)
    assert list(failure.value.errors) == ["cv2.data", "old"]
    reason, explanation = explain_failed_imports(failure.value.errors, failure.value.output, Origin(tmp_path))
    assert reason is Reason.IMPORT_ERROR
    assert explanation.splitlines() == [
        "nn.py line 3: ModuleNotFoundError: No module named 'cv2'. Add opencv-python-headless to requirements.txt.",
        "nn.py line 4: ValueError: numpy.dtype size changed. Expected 96 from C header, got 88 from PyObject. old was built "
        "for NumPy 1. Add numpy<2 to requirements.txt.",
    ]
    with pytest.raises(ImportFailed) as failure:
        check_imports_once(tmp_path / "proven", "python", ["cv2.data", "yaml_"], run)
    _, explanation = explain_failed_imports(failure.value.errors, failure.value.output, Origin(tmp_path))
    assert [line.partition(": ")[0] for line in explanation.splitlines()] == ["nn.py line 2", "nn.py line 3"]


@pytest.mark.parametrize(
    ("cells", "explanation"),
    [
        (("x = 1", "%%time\ndisplay(x)"), "Use print() on line 2 of cell 2 instead."),
        (
            ("x = 1\ndisplay(x)", "x = 2\ndisplay(x)\ndisplay(x)"),
            "Use print() on line 2 of cell 1 and lines 2 and 3 of cell 2 instead.",
        ),
    ],
)
def test_remedy_names_the_cells_of_a_notebook(tmp_path: Path, cells: tuple[str, ...], explanation: str) -> None:
    """Whoever committed a notebook knows neither the exported script nor its lines."""
    (tmp_path / "a.ipynb").write_text(_make_notebook(*cells))
    script = read_script(tmp_path, "a.ipynb")
    _, explained = run_and_diagnose(tmp_path, {script.path: script.content.decode()}, script.path)
    assert script.name_cells(explained).endswith(
        f" display() is not available when the notebook runs as a script. {explanation}"
    )


@pytest.mark.parametrize(
    ("cells", "explanation"),
    [
        (
            ("x = 1", "class A:\n    files = !ls\n    print(files)"),
            " files is assigned on line 2 of cell 2 of a.ipynb. That line is a shell command or a magic command, and is left out "
            "when the notebook runs as a script: write Python code that assigns files.",
        ),
        (
            ("x = 1", "%%capture --no-stderr out\nprint(1)", "print(out.stdout)"),
            " out is assigned on line 1 of cell 2 of a.ipynb. That line is a shell command or a magic command, and is left out "
            "when the notebook runs as a script: write Python code that assigns out.",
        ),
        (
            ("x = 1", "%%bash --out files --err errors\nls", "print(errors)"),
            " errors is assigned on line 1 of cell 2 of a.ipynb. That line is a shell command or a magic command, and is left out "
            "when the notebook runs as a script: write Python code that assigns errors.",
        ),
        (
            ("x = 1", "%%script bash --out files\nls", "print(files)"),
            " files is assigned on line 1 of cell 2 of a.ipynb. That line is a shell command or a magic command, and is left out "
            "when the notebook runs as a script: write Python code that assigns files.",
        ),
        (
            ("x = 1", "%%capture out --no-stderr\nprint(1)", "print(out.stdout)"),
            " out is assigned on line 1 of cell 2 of a.ipynb. That line is a shell command or a magic command, and is left out "
            "when the notebook runs as a script: write Python code that assigns out.",
        ),
        (
            ("x = 1", "%%capture --no-stderr out --no-display\nprint(1)", "print(out.stdout)"),
            " out is assigned on line 1 of cell 2 of a.ipynb. That line is a shell command or a magic command, and is left out "
            "when the notebook runs as a script: write Python code that assigns out.",
        ),
        (
            ("x = 1", "%%bash -s 'a b' --out=files  --err  errors\nls", "print(errors)"),
            " errors is assigned on line 1 of cell 2 of a.ipynb. That line is a shell command or a magic command, and is left out "
            "when the notebook runs as a script: write Python code that assigns errors.",
        ),
        (("%%capture x y --no-stderr\nx = 1", "print(x, y)"), "NameError: name 'y' is not defined."),
        (("%%bash -c 'ls --out files'\nls", "print(files)"), "NameError: name 'files' is not defined."),
        (("%%bash --out\nls", "print(files)"), "NameError: name 'files' is not defined."),
        (("%%bash -c don't --out files\nls", "print(files)"), "NameError: name 'files' is not defined."),
        (("%%capture --no-stderr\nx = 1", "print(x, stderr)"), "NameError: name 'stderr' is not defined."),
        (("# files = !ls", "print(files)"), "NameError: name 'files' is not defined."),
    ],
)
def test_left_out_assignment_is_named(tmp_path: Path, cells: tuple[str, ...], explanation: str) -> None:
    """The notebook shows the assignment, so the error alone would be puzzling."""
    (tmp_path / "a.ipynb").write_text(_make_notebook(*cells))
    script = read_script(tmp_path, "a.ipynb")
    _, explained = run_and_diagnose(tmp_path, {script.path: script.content.decode()}, script.path)
    assert script.name_cells(explained).endswith(explanation)


@pytest.mark.parametrize(
    ("line", "module", "error", "remedy"),
    [
        ("from google.colab import drive", "google.colab", "No module named 'google'", "exists only on Google Colab."),
        ("from Utils import seed", "Utils", "No module named 'Utils'", "Write `from utils import seed`."),
        (
            "from sklearn.grid_search import GridSearchCV",
            "sklearn.grid_search",
            "No module named 'sklearn.grid_search'",
            "Use from sklearn.model_selection import GridSearchCV.",
        ),
    ],
)
def test_failed_import_in_a_notebook_is_explained_as_in_a_script(
    tmp_path: Path, line: str, module: str, error: str, remedy: str
) -> None:
    """The statement is found in the notebook's export, which is not in the folder with the code."""
    (tmp_path / "a.ipynb").write_text(_make_notebook(f"x = 1\n{line}\n"))
    (tmp_path / "utils.py").write_text("seed = 1\n")
    errors = {module: f"ModuleNotFoundError: {error}"}
    _, explanation = explain_failed_imports(errors, "", Origin(tmp_path, "a.ipynb.py"))
    assert explanation.startswith(f"a.ipynb.py line 3: ModuleNotFoundError: {error}. ")
    assert remedy in explanation
