"""``epochal check``, as a user types it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from epochal.cli import make_app
from tests.repositories import git, make_repository

SCRIPT = """\
import numpy
import keras

EPOCHS = 20
learning_rate = 0.01
model = keras.Sequential([keras.layers.Dense(10, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=EPOCHS)
model.evaluate(x_test, y_test)
"""


def check(*arguments: str) -> tuple[int, str]:
    """Return the exit status and the output of ``epochal check``."""
    done = CliRunner().invoke(make_app("check"), ["check", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.output


def check_json(folder: Path) -> Any:
    """Return what ``epochal check --json`` prints."""
    status, output = check(str(folder), "--json")
    found = json.loads(output)
    assert status == (0 if found["can_start"] else 1)
    return found


_REFUSED = '1 warning; a run would be refused unless the server\'s admin has set packages = "any"'


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write files into a folder, make it a repository with an empty commit, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "First")
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_facts_of_a_sound_script(tmp_path: Path) -> None:
    """The output says what a run would train, where each fact comes from, and that no problem was found."""
    status, output = check(str(write(tmp_path, {"nn.py": SCRIPT, "epochal.toml": "threshold = 0.9\n"})))
    assert status == 0
    assert output.splitlines() == [
        "script:     nn.py",
        "framework:  Keras (nn.py line 2 imports keras)",
        "epochs:     20 (EPOCHS in nn.py:4)",
        "metric:     accuracy, measured by evaluate() in nn.py:9",
        "threshold:  0.9",
        "search:     nothing, because epochal.toml has no [search]; a search could change learning_rate",
        "nothing found; a run can start",
    ]


def test_json_has_file_line_and_remedy(tmp_path: Path) -> None:
    """The JSON object has the same facts, and each finding with its location and remedy."""
    files = {"nn.py": SCRIPT.replace("import numpy", "import matplotlib")}
    files["epochal.toml"] = "[search]\nlearning_rate = { low = 0.001, high = 0.1, log = true }\n"
    found = check_json(write(tmp_path, files))
    assert found == {
        "can_start": True,
        "projects": [
            {
                "project": "",
                "can_start": True,
                "script": "nn.py",
                "framework": "keras",
                "framework_why": "nn.py line 2 imports keras",
                "epochs": {"value": 20, "path": "nn.py", "line": 4, "cell": None},
                "metric": {"value": "accuracy, measured by evaluate()", "path": "nn.py", "line": 9, "cell": None},
                "threshold": 0.8,
                "search": ["learning_rate = { low = 0.001, high = 0.1, log = true }"],
                "searchable": [],
                "findings": [
                    {
                        "kind": "missing_package",
                        "severity": "warning",
                        "path": "nn.py",
                        "line": 1,
                        "cell": None,
                        "message": "matplotlib is neither in the training environment for Keras nor in requirements.txt.",
                        "remedy": "Add matplotlib to requirements.txt.",
                    }
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("files", "kind", "path", "line", "text"),
    [
        ({"other.py": ""}, "no_script", ".", None, "script = "),
        ({"nn.py": "x = 1\ny = (\n"}, "syntax_error", "nn.py", 2, "never closed"),
        ({"nn.py": "import keras\nimport torch\n"}, "several_frameworks", "nn.py", 1, 'framework = "keras"'),
        (
            {"nn.py": "", "epochal.toml": "\nthreshhold = 0.9\n"},
            "settings",
            "epochal.toml",
            2,
            "Did you mean threshold?",
        ),
        ({"nn.py": "", "epochal.toml": "threshold = 80\n"}, "settings", "epochal.toml", 1, "less than or equal to 1"),
        ({"nn.py": "", "epochal.toml": "max_epochs = 9\n"}, "settings", "epochal.toml", 1, "[retrain] table"),
        (
            {"nn.py": "", "epochal.toml": "[retrain]\npatience = 3\nmax_epoch = 9\n"},
            "settings",
            "epochal.toml",
            3,
            "Did you mean retrain.max_epochs?",
        ),
        ({"nn.py": "", "epochal.toml": "threshold = 0.9\nmetric = x\n"}, "settings", "epochal.toml", 2, "TOML"),
        (
            {"nn.py": "", "epochal.toml": 'framework = "Scikit-Learn"'},
            "settings",
            "epochal.toml",
            1,
            "Did you mean sklearn?",
        ),
        (
            {"nn.py": "", "epochal.toml": 'framework = "tensorflow"'},
            "settings",
            "epochal.toml",
            1,
            "Did you mean keras?",
        ),
        ({"nn.py": "", "epochal.toml": 'framework = "kears"\n'}, "settings", "epochal.toml", 1, "Did you mean keras?"),
        (
            {"nn.py": "", "epochal.toml": 'script = "tarin.py"\n', "train.py": ""},
            "no_script",
            ".",
            None,
            "Did you mean train.py?",
        ),
        (
            {"nn.py": "batch_size = 8\n", "epochal.toml": "[search]\nbach_size = { choices = [4, 8] }\n"},
            "settings",
            "epochal.toml",
            2,
            "Did you mean batch_size?",
        ),
        (
            {"epochal.toml": '[[project]]\npath = "digits"\n'},
            "settings",
            "epochal.toml",
            2,
            "(digits): path is not a folder",
        ),
        (
            {"epochal.toml": '[[project]]\npath = "digits"\n'},
            "settings",
            "epochal.toml",
            2,
            "Set path to a folder in the repository, or remove this [[project]] (without projects, the script in the top-level "
            "folder is trained).",
        ),
        (
            {"epochal.toml": "threshold = 0.9\n[[project]]\npath = 'a'\n"},
            "settings",
            "epochal.toml",
            1,
            "Move them there.",
        ),
        ({"epochal.toml": "\n[[project]]\n", "nn.py": ""}, "settings", "epochal.toml", 2, "path is missing. Set path"),
        (
            {"nn.py": "rate = 0.1", "epochal.toml": "[search]\nrate = { low = 1 }\n"},
            "settings",
            "epochal.toml",
            2,
            "search.rate.high is missing. Add it.",
        ),
        (
            {"nn.py": "", "pyproject.toml": "[tool.epochal]\nthreshold = 0.9\n"},
            "settings",
            "pyproject.toml",
            None,
            "[tool.epochal] is not read. Move its settings to epochal.toml.",
        ),
        (
            {"nn.py": "", "pyproject.toml": "[project]\nname = digits\n"},
            "refused_requirement",
            "pyproject.toml",
            None,
            "pyproject.toml is not valid TOML: Invalid value (at line 2, column 8). Correct it.",
        ),
        (
            {"nn.py": "", "Epochal.toml": ""},
            "settings",
            "Epochal.toml",
            None,
            "Epochal.toml is not read. Rename it to epochal.toml.",
        ),
        (
            {"epochal.toml": '\n[project]\npath = "digits"\n'},
            "settings",
            "epochal.toml",
            2,
            "[project] should be [[project]]",
        ),
        (
            {"epochal.toml": '\n[[projects]]\npath = "digits"\n', "nn.py": ""},
            "settings",
            "epochal.toml",
            2,
            "no table [[projects]]",
        ),
        (
            {"epochal.toml": '[[project]]\npath = "a"\n[[project]]\npath = "b"\nthreshold = 0.9\n'},
            "settings",
            "epochal.toml",
            5,
            "project 2 (b): threshold is not a setting",
        ),
    ],
)
def test_errors(files: dict[str, str], kind: str, path: str, line: int | None, text: str, tmp_path: Path) -> None:
    """Anything that would end a run before training is an error with a location, and the exit status is 1."""
    (project,) = check_json(write(tmp_path, files))["projects"]
    errors = [each for each in project["findings"] if each["severity"] == "error"]
    assert [(each["kind"], each["path"], each["line"]) for each in errors] == [(kind, path, line)]
    assert text in errors[0]["message"] + " " + errors[0]["remedy"]
    assert not project["can_start"]


def test_folder_outside_a_repository_is_an_error(tmp_path: Path) -> None:
    """A run needs a commit to train. A finding about the whole folder has no file or line."""
    (tmp_path / "nn.py").write_text(SCRIPT)
    status, output = check(str(tmp_path))
    assert status == 1
    assert output.splitlines()[-3:] == [
        "error: The folder is not in a git repository, so there is no commit to train.",
        '    In this folder, run git init, git add --all and git commit -m "First version".',
        "1 error; a run would fail before training starts",
    ]


def test_repository_without_commits_gets_a_note(tmp_path: Path) -> None:
    """The check is for the time before a commit, but the first one must not be forgotten."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / "nn.py").write_text(SCRIPT)
    status, output = check(str(tmp_path))
    assert status == 0
    assert output.splitlines()[-3:] == [
        "note: A run trains the latest commit, but the repository has no commits yet.",
        '    In this folder, run git add --all and git commit -m "First version".',
        "1 note; a run can start after the first commit",
    ]


@pytest.mark.parametrize(
    ("requirements", "outcome"),
    [
        ("numpy\n./vendor/mylib-0.1-py3-none-any.whl\n", _REFUSED),
        ("--extra-index-url https://download.pytorch.org/whl/cpu\nscikit-learn\n", _REFUSED),
        ("git+https://github.com/huggingface/transformers.git\n", _REFUSED),
        ("numpy>=2,<3\n", "nothing found; a run can start"),
        ("cv2\n", "1 warning; a run can start"),
    ],
)
def test_last_line_says_that_a_requirement_would_be_refused(requirements: str, outcome: str, tmp_path: Path) -> None:
    """By default, a server refuses a line that names no package of the index, even though the script can train."""
    folder = write(tmp_path, {"nn.py": SCRIPT, "requirements.txt": requirements})
    assert check(str(folder))[1].splitlines()[-1] == outcome
    write(tmp_path, {".gitignore": "requirements.txt\n"})
    assert check(str(folder))[1].splitlines()[-1] == "nothing found; a run can start"


def test_empty_search_is_described(tmp_path: Path) -> None:
    """The line says what to add to a [search] that is already there."""
    output = check(str(write(tmp_path, {"nn.py": SCRIPT, "epochal.toml": "[search]\n"})))[1]
    empty = "search:     nothing, because [search] in epochal.toml is empty; a search could change learning_rate"
    assert empty in output.splitlines()


def test_epochs_that_nothing_uses_are_marked(tmp_path: Path) -> None:
    """The name suggests a value for a retrain to raise, but raising it might have no effect."""
    script = SCRIPT.replace("epochs=EPOCHS", "verbose=2")
    output = check(str(write(tmp_path, {"nn.py": script})))[1]
    assert "epochs:     20 (EPOCHS in nn.py:4), but no training call or loop seems to use it\n" in output


@pytest.mark.parametrize(
    ("creation", "is_used"),
    [
        ("SKLearnClassifier(make, fit_kwargs={'verbose': 0, 'epochs': 20})", True),
        ("SKLearnRegressor(make, False, None, dict(epochs=20))", True),
        ("SKLearnClassifier(make, model_kwargs={'epochs': 20})", False),
        ("KerasClassifier(make, fit__epochs=20)", True),
    ],
)
def test_epochs_that_a_wrapper_passes_to_fit_are_used(creation: str, is_used: bool, tmp_path: Path) -> None:
    """The arguments with which a wrapper for scikit-learn calls Keras' fit() count like those of fit() itself."""
    script = f"import keras\nmodel = {creation}\nprint('Test accuracy:', model.fit(x, y).score(x_test, y_test))\n"
    output = check(str(write(tmp_path, {"nn.py": script})))[1]
    doubt = "" if is_used else ", but no training call or loop seems to use it"
    assert f"nn.py:2){doubt}\n" in output


def test_invalid_settings_do_not_hide_findings(tmp_path: Path) -> None:
    """The script is checked even if epochal.toml is invalid."""
    (project,) = check_json(write(tmp_path, {"nn.py": "input()\n", "epochal.toml": "threshold = 80\n"}))["projects"]
    assert [each["kind"] for each in project["findings"]] == ["settings", "asks_a_question"]
    settings = 'script = "churn.py"\nthreshold = 80\n'
    (project,) = check_json(write(tmp_path / "named", {"churn.py": "input()\n", "epochal.toml": settings}))["projects"]
    assert [each["kind"] for each in project["findings"]] == ["settings", "asks_a_question"]


def test_ignored_script_is_an_error(tmp_path: Path) -> None:
    """A run would not find the script. Once it has been added nevertheless, it is in the commit."""
    folder = write(tmp_path, {"fit.py": SCRIPT, ".gitignore": "*.py\n", "epochal.toml": 'script = "fit.py"\n'})
    (found,) = (each for each in check_json(folder)["projects"][0]["findings"] if each["severity"] == "error")
    assert (found["kind"], found["path"]) == ("no_script", "fit.py")
    assert found["message"] == "fit.py would be left out of any commit: .gitignore line 1 excludes it."
    assert found["remedy"].startswith("Commit it with git add --force fit.py && git commit")
    git(folder, "add", "--force", "fit.py")
    assert check_json(folder)["can_start"]


def test_renamed_metric_is_recognised(tmp_path: Path) -> None:
    """The recorder measures the function under any name."""
    script = "from sklearn.metrics import accuracy_score as acc\nprint(acc(y, model.predict(x)))\n"
    (project,) = check_json(write(tmp_path, {"nn.py": script}))["projects"]
    assert project["metric"] == {"value": "accuracy_score()", "path": "nn.py", "line": 2, "cell": None}


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (
            "from sklearn.svm import SVC\nprint(SVC().fit(x, y).score(v, w))\n",
            [
                "metric: nn.py does not use Keras, and this setting can choose only a metric that Keras' evaluate() returns."
            ],
        ),
        ("from sklearn.svm import SVC\nopen(out + '/accuracy.json', 'w')\nSVC().score(v, w)\n", []),
        ("from sklearn.svm import SVC\nfrom scikeras.wrappers import KerasClassifier\nSVC().score(v, w)\n", []),
        ("import joblib\nmodel = joblib.load('keras.joblib')\nmodel.evaluate(v, w)\n", []),
        (SCRIPT, []),
    ],
)
def test_metric_that_only_keras_measures_is_found(text: str, messages: list[str], tmp_path: Path) -> None:
    """The setting has no effect if the accuracy is in accuracy.json; another package may use Keras."""
    (project,) = check_json(write(tmp_path, {"nn.py": text, "epochal.toml": "metric = 'accuracy'\n"}))["projects"]
    found = [each for each in project["findings"] if each["kind"] == "settings"]
    assert [each["message"] for each in found] == messages
    assert all((each["path"], each["line"], each["severity"]) == ("epochal.toml", 1, "warning") for each in found)


_OUT = "from pathlib import Path\nimport json, os\nOUT = os.environ['EPOCHAL_OUT']\n"
_SCORE = "print(model.score(x, y))\n"


@pytest.mark.parametrize(
    ("text", "line", "name"),
    [
        ("with open(OUT + '/accuracy.json', 'w') as f:\n    json.dump(share, f)\n", 5, "accuracy.json"),
        ("PATH = os.path.join(OUT, 'accuracy.json')\njson.dump(share, open(PATH, 'w'))\n", 6, "accuracy.json"),
        ("Path(OUT, 'accuracy.json').write_text(str(share))\n", 5, "accuracy.json"),
        ("with (Path(OUT) / 'accuracy.json').open('w') as f:\n    json.dump(share, f)\n", 5, "accuracy.json"),
        ("if share > 0:\n    json.dump(share, open(OUT + '/accuracy.json', 'w'))\n", 4, "score()"),
        ("print(open(OUT + '/accuracy.json').read())\n", 4, "score()"),
        ("json.dump(share, open('accuracy.json', 'w'))\n", 4, "score()"),
        ("json.dump(share, open(OUT + '/other.json', 'w'))\n", 4, "score()"),
    ],
)
def test_written_accuracy_is_the_measurement(text: str, line: int, name: str, tmp_path: Path) -> None:
    """The file takes precedence, so the call whose result is not judged would be misleading."""
    (project,) = check_json(write(tmp_path, {"nn.py": f"{_OUT}{_SCORE}{text}"}))["projects"]
    assert project["metric"] == {"value": name, "path": "nn.py", "line": line, "cell": None}


def test_other_metrics_are_no_measurement(tmp_path: Path) -> None:
    """The run would fail, so its remedy is given instead of the metrics."""
    text = SCRIPT.replace('["accuracy"]', "[keras.metrics.AUC(), keras.metrics.Precision()]")
    folder = write(tmp_path, {"nn.py": text})
    _, output = check(str(folder))
    remedy = 'no accuracy measurement found in the source; compile the model with metrics=["accuracy"]'
    assert f"metric:     {remedy}" in output.splitlines()
    assert check_json(folder)["projects"][0]["metric"] is None


def test_metric_needs_validation_data(tmp_path: Path) -> None:
    """Without validation data, Keras reports no val_accuracy."""
    script = SCRIPT.replace("model.evaluate(x_test, y_test)\n", "")
    (project,) = check_json(write(tmp_path, {"nn.py": script}))["projects"]
    assert project["metric"] is None
    script = script.replace("epochs=EPOCHS", "validation_split=0.2")
    (project,) = check_json(write(tmp_path, {"nn.py": script}))["projects"]
    assert project["metric"]["value"] == "val_accuracy"


@pytest.mark.parametrize(
    ("line", "is_metric"),
    [
        ("logging.basicConfig(level='INFO')\nlogging.info('Test accuracy: %.3f', right)", True),
        ("log = setup_logging()\nself.logger.info(f'Test accuracy: {right}')", True),
        ("logging.basicConfig(level=20)\nlogging.getLogger(__name__).info('Test accuracy: %.3f', right)", True),
        ("logging.warning('Test accuracy: %.3f', right)", True),
        ("logging.root.handlers = [h]\nlogging.root.level = 20\nlogging.info('Test accuracy: %.3f', right)", True),
        ("logging.root.handlers.append(h)\nlogging.info('Test accuracy: %.3f', right)", True),
        ("import coloredlogs\ncoloredlogs.install()\nlogging.info('Test accuracy: %.3f', right)", True),
        ("from logzero import logger\nlogger.info('Test accuracy: %.3f', right)", True),
        (
            "import hydra\n@hydra.main()\ndef main(c):\n    logging.info('Test accuracy: %.3f', right)\nmain()",
            True,
        ),
        ("logging.basicConfig(**options)\nlogging.info('Test accuracy: %.3f', right)", True),
        ("logging.basicConfig(level=choose())\nlogging.info('Test accuracy: %.3f', right)", True),
        ("logging.basicConfig()\nlogging.root.setLevel('INFO')\nlogging.info('Test accuracy: %.3f', right)", True),
        ("logging.basicConfig()\nlogging.info('Test accuracy: %.3f', right)", False),
        ("logging.basicConfig(level=logging.WARNING)\nlogging.info('Test accuracy: %.3f', right)", False),
        ("logging.basicConfig(level=30)\nlogging.root.setLevel('ERROR')\nlogging.info('Accuracy: %.3f', right)", False),
        ("logging.getLogger(__name__).info('Test accuracy: %.3f', right)", False),
        ("logging.info('Test accuracy: %.3f', right)", False),
        ("logging.debug('Test accuracy: %.3f', right)", False),
        ("window.info('Test accuracy')", False),
        ("import log\nlogging.basicConfig(level=20)\nlog.get().info('Test accuracy: %.3f', right)", True),
        ("logging.basicConfig(filename='a.log', level=20)\nlogging.info('Test accuracy: %.3f', right)", False),
        ("name = 'a.log'\nlogging.basicConfig(filename=name)\nlogging.error('Test accuracy: %.3f', right)", False),
        ("logging.basicConfig(filename='metrics.txt', level=20)\nlogging.info('Test accuracy: %.3f', right)", True),
        ("logging.basicConfig(filename=name(), level=20)\nlogging.info('Test accuracy: %.3f', right)", True),
        ("logging.basicConfig(filename=f'{name}.json', level=20)\nlogging.info('Accuracy: %.3f', right)", True),
        ("logging.basicConfig(filename='/dev/stderr', level=20)\nlogging.info('Accuracy: %.3f', right)", True),
        (
            "logging.basicConfig(level=20, handlers=[logging.FileHandler('a.log'), logging.StreamHandler()])\n"
            "logging.info('Accuracy: %.3f', right)",
            True,
        ),
        (
            "log = logging.getLogger('a')\nlog.addHandler(logging.FileHandler('a.log'))\nlog.setLevel(20)\n"
            "log.addHandler(logging.StreamHandler())\nlog.info('Accuracy: %.3f', right)",
            True,
        ),
        (
            "log = logging.getLogger('a')\nlog.addHandler(logging.FileHandler('a.log'))\nlog.setLevel(20)\n"
            "logging.info('start')\nlog.info('Accuracy: %.3f', right)",
            True,
        ),
        (
            "def get_logger():\n    logger = Printer()\n    logging.root.addHandler(logging.FileHandler('a.log'))\n"
            "    return logger\nget_logger().info('Accuracy: %.3f', right)",
            True,
        ),
        (
            "logging.basicConfig()\nlogging.root.handlers[0].setLevel('INFO')\nlogging.info('Accuracy: %.3f', right)",
            False,
        ),
        (
            "h = [logging.FileHandler('a.log')]\nh.append(logging.StreamHandler())\n"
            "logging.basicConfig(level=20, handlers=h)\nlogging.info('Accuracy: %.3f', right)",
            True,
        ),
        (
            "h = [logging.FileHandler('a.log')]\nadd_console(h)\n"
            "logging.basicConfig(level=20, handlers=h)\nlogging.info('Accuracy: %.3f', right)",
            True,
        ),
        (
            "h = [logging.FileHandler('a.log')]\nlogging.basicConfig(level=20, handlers=h)\n"
            "logging.info('Accuracy: %.3f', right)",
            False,
        ),
        *[
            (f"logging.basicConfig(filename='a.log', level=20)\nlogging.info('Accuracy: %.3f', right)\n{use}", is_read)
            for use, is_read in [
                ("print(open('a.log').read())", True),
                ("from pathlib import Path\npath = Path('.') / 'a.log'\nprint(path.read_text())", True),
                ("import os\nos.system('tail -n 1 a.log')", True),
                ("print(open(logging.root.handlers[0].baseFilename).read())", True),
                ("def show(path):\n    print(open(path).read())\nshow('a.log')", True),
                ("print('The log is in a.log')", False),
                ("from pathlib import Path\nPath('a.log').unlink(missing_ok=True)", False),
                ("print(open('data.log').read())", False),
            ]
        ],
    ],
)
def test_logged_accuracy_is_a_measurement(line: str, is_metric: bool, tmp_path: Path) -> None:
    """A logged line counts in a run like a printed one, unless logging hides it by default."""
    (project,) = check_json(write(tmp_path, {"nn.py": f"import logging, sklearn\n{line}\n"}))["projects"]
    assert bool(project["metric"]) is is_metric


@pytest.mark.parametrize("module", ["sklearn.metrics", "sklearn"])
def test_report_is_a_measurement(module: str, tmp_path: Path) -> None:
    """A report counts in a run like accuracy_score()."""
    name = "metrics.classification_report" if module == "sklearn" else "classification_report"
    text = f"from {module} import {name.partition('.')[0]}\nprint({name}(y, answers))\n"
    (project,) = check_json(write(tmp_path, {"nn.py": text}))["projects"]
    assert project["metric"] == {"value": "classification_report()", "path": "nn.py", "line": 2, "cell": None}


_NOT_SHOWN = "Python shows such messages only if logging is configured to show them"


@pytest.mark.parametrize(
    ("configuration", "why"),
    [
        ("", f"{_NOT_SHOWN}: call logging.basicConfig(level=logging.INFO) at the start of nn.py"),
        (
            "logging.basicConfig(level='ERROR')",
            f"{_NOT_SHOWN}: pass level=logging.INFO to basicConfig() on line 2 of nn.py",
        ),
        (
            "logging.basicConfig(filename='a.log', level='INFO')",
            "basicConfig() on line 2 of nn.py writes such messages to a.log instead of showing them: remove the filename "
            "argument from that call",
        ),
        (
            "logging.basicConfig(filename='a.log')",
            "basicConfig() on line 2 of nn.py writes such messages to a.log instead of showing them: remove the filename "
            "argument from that call, and pass level=logging.INFO",
        ),
        (
            "logging.basicConfig(filename='logs.txt', level='INFO')",
            "basicConfig() on line 2 of nn.py writes such messages to logs.txt instead of showing them: remove the filename "
            "argument from that call",
        ),
        (
            "logging.basicConfig(filename=out / 'a.log', level='INFO')",
            "basicConfig() on line 2 of nn.py writes such messages to a.log instead of showing them: remove the filename "
            "argument from that call",
        ),
        (
            "logging.basicConfig(handlers=[logging.FileHandler('a.log')])",
            "basicConfig() on line 2 of nn.py writes such messages to a.log instead of showing them: add "
            "logging.StreamHandler() to handlers in that call, and pass level=logging.INFO",
        ),
        (
            "logging.root.addHandler(logging.FileHandler(f'{name}.log'))",
            "addHandler() on line 2 of nn.py writes such messages to {name}.log instead of showing them: after that line, "
            "also call logging.root.addHandler(logging.StreamHandler()) and logging.root.setLevel(logging.INFO)",
        ),
        *[
            (
                f"h = logging.FileHandler('a.log'); {level}; logging.root.addHandler(h)",
                "addHandler() on line 2 of nn.py writes such messages to a.log instead of showing them: after that line, "
                f"also call logging.root.addHandler(logging.StreamHandler()){call}",
            )
            for level, call in [
                ("h.setLevel(logging.INFO)", " and logging.root.setLevel(logging.INFO)"),
                ("h.level = 20", " and logging.root.setLevel(logging.INFO)"),
                ("h.setLevel(20); logging.root.setLevel(20)", ""),
            ]
        ],
    ],
)
def test_hidden_accuracy_is_explained(configuration: str, why: str, tmp_path: Path) -> None:
    """The source contains the measurement, so advice to print one would be puzzling."""
    text = f"import logging\n{configuration}\nlogging.info('Test accuracy: %.3f', right)\n"
    _, output = check(str(write(tmp_path, {"nn.py": text})))
    explanation = f"nn.py:3 logs an accuracy with info(), but {why}"
    assert f"metric:     no accuracy measurement found in the source; {explanation}" in output.splitlines()


def test_hidden_accuracy_is_explained_if_another_file_configures_the_logger(tmp_path: Path) -> None:
    """The name of the function that returns the logger does not say whether messages are shown."""
    function = (
        "import logging\ndef get_logger(name):\n    logger = logging.getLogger(name)\n    handler = logging.FileHandler('a.log')\n"
        "    logger.addHandler(handler)\n    logger.setLevel(logging.INFO)\n    return logger\n"
    )
    text = "from utils import get_logger\nlog = get_logger('digits')\nlog.info('Test accuracy: %.3f', right)\n"
    _, output = check(str(write(tmp_path, {"nn.py": text, "utils.py": function})))
    assert (
        "metric:     no accuracy measurement found in the source; nn.py:3 logs an accuracy with info(), but addHandler() on "
        "line 5 of utils.py writes such messages to a.log instead of showing them: after that line, also call "
        "logger.addHandler(logging.StreamHandler())" in output.splitlines()
    )


@pytest.mark.parametrize(
    ("imports", "configuration", "remedy"),
    [
        (
            "from logging import INFO, FileHandler, getLogger",
            "root = getLogger(); root.addHandler(FileHandler('a.log'))",
            "after that line, also call root.addHandler(logging.StreamHandler()) and root.setLevel(INFO), and import logging "
            "at the top of logs.py",
        ),
        (
            "from logging import INFO, FileHandler, StreamHandler as Console, getLogger",
            "root = getLogger(); root.addHandler(FileHandler('a.log'))",
            "after that line, also call root.addHandler(Console()) and root.setLevel(INFO)",
        ),
        (
            "import logging as lg",
            "root = lg.getLogger(); root.addHandler(lg.FileHandler('a.log'))",
            "after that line, also call root.addHandler(lg.StreamHandler()) and root.setLevel(lg.INFO)",
        ),
        (
            "from logging import basicConfig",
            "basicConfig(filename='a.log')",
            "remove the filename argument from that call, and pass level=logging.INFO, and import logging at the top of "
            "logs.py",
        ),
        (
            "from logging import FileHandler, basicConfig",
            "basicConfig(handlers=[FileHandler('a.log')], level='INFO')",
            "add logging.StreamHandler() to handlers in that call, and import logging at the top of logs.py",
        ),
    ],
)
def test_remedy_for_hidden_accuracy_uses_the_imported_names(
    imports: str, configuration: str, remedy: str, tmp_path: Path
) -> None:
    """The file that configures logging need not import the ``logging`` module under that name."""
    text = "import logging, logs\nlogs.setup()\nlogging.info('Test accuracy: %.3f', right)\n"
    files = {"nn.py": text, "logs.py": f"{imports}\ndef setup():\n    {configuration}\n"}
    _, output = check(str(write(tmp_path, files)))
    (line,) = (each for each in output.splitlines() if each.startswith("metric:"))
    assert line.endswith(f"instead of showing them: {remedy}")


def test_remedy_for_logging_that_is_not_configured_imports_logging(tmp_path: Path) -> None:
    """The script may import only getLogger."""
    text = "from logging import getLogger\ngetLogger().info('Test accuracy: %.3f', right)\n"
    _, output = check(str(write(tmp_path, {"nn.py": text})))
    remedy = (
        "call logging.basicConfig(level=logging.INFO) at the start of nn.py, and import logging at the top of nn.py"
    )
    assert f"{_NOT_SHOWN}: {remedy}" in output


def test_projects_are_checked_one_by_one(tmp_path: Path) -> None:
    """Each project has its own settings and findings; paths are relative to the top level of the repository."""
    files = {
        "epochal.toml": '[[project]]\npath = "a"\n[[project]]\npath = "b/c"\n',
        "a/nn.py": "epochs = 3\n",
        "b/c/train.py": "epochs = 4\nimport load\n",
        "b/c/load.py": "input()\n",
        "b/c/epochal.toml": "threshold = 0.7\n",
    }
    found = check_json(write(tmp_path, files))
    assert [(each["project"], each["script"], each["threshold"]) for each in found["projects"]] == [
        ("a", "nn.py", 0.8),
        ("b/c", "train.py", 0.7),
    ]
    assert [(each["path"], each["line"]) for each in found["projects"][1]["findings"]] == [("b/c/load.py", 1)]
    assert found["projects"][1]["epochs"] == {"value": 4, "path": "b/c/train.py", "line": 1, "cell": None}
    assert "project:    b/c" in check(str(tmp_path))[1].splitlines()


def test_notebook_findings_name_the_cell(tmp_path: Path) -> None:
    """Only code cells are numbered, and lines are counted within their cell."""
    cells = [
        ("markdown", "# Title"),
        ("code", "epochs = 3\nmodel.fit(x, epochs=epochs)"),
        ("code", "import keras\nn = input()"),
    ]
    notebook = {
        "cells": [{"cell_type": kind, "metadata": {}, "source": text} | _code(kind) for kind, text in cells],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 4,
    }
    (project,) = check_json(write(tmp_path, {"digits.ipynb": json.dumps(notebook)}))["projects"]
    (found,) = project["findings"]
    assert (found["path"], found["cell"], found["line"]) == ("digits.ipynb", 2, 2)
    assert project["epochs"] == {"value": 3, "path": "digits.ipynb", "line": 1, "cell": 1}
    output = check(str(tmp_path))[1].splitlines()
    assert "framework:  Keras (digits.ipynb cell 2 line 1 imports keras)" in output
    assert "epochs:     3 (epochs in digits.ipynb cell 1:1)" in output
    assert any(line.startswith("digits.ipynb cell 2:2: warning: ") for line in output)


_LEFT_OUT = (
    "The line is a shell command or a magic command, and is left out when the notebook runs as a script, so files is not defined "
    "on the lines that use it."
)


@pytest.mark.parametrize(
    ("cells", "search", "place", "message", "remedy"),
    [
        (
            ("x = 1", "y = 1\nprint 'x'"),
            "",
            ("digits.ipynb", 2, 2),
            "this is Python 2 code (Missing parentheses in call to 'print'), but training uses Python 3.11.",
            "Convert the whole file to Python 3.",
        ),
        (
            ("import torch", "import keras"),
            "",
            ("digits.ipynb", 2, 1),
            "digits.ipynb cell 2 line 1 imports keras, and digits.ipynb cell 1 line 1 imports torch.",
            'In epochal.toml, choose the framework to train with: framework = "keras" or framework = "torch".',
        ),
        (
            ("import os", "%%time\ndef train():\n    os.getcwd()", "train"),
            "",
            ("digits.ipynb", 3, 1),
            "digits.ipynb only defines functions and calls none, so it trains nothing.",
            "Write train() instead of train, which only names the function.",
        ),
        (
            (
                "import tensorflow as tf\nds = tf.data.Dataset.range(9)",
                "%%time\nds = ds.shuffle(9)",
                "a = ds.take(8)\nb = ds.skip(8)",
            ),
            "",
            ("digits.ipynb", 2, 2),
            "shuffle() reshuffles the data each time it is read, so take() and skip() (line 2 of cell 3) mix training "
            "and test rows.",
            "Write shuffle(…, seed=0, reshuffle_each_iteration=False), or call take() and skip() before shuffle().",
        ),
        (
            ("x = 1", "class A:\n    files = !ls\n    for file in files:\n        %cat {file}"),
            "",
            ("digits.ipynb", 2, 2),
            _LEFT_OUT,
            "Write Python code that assigns files.",
        ),
        (
            ("files = %sx ls", "def show():\n    print(files)\nshow()"),
            "",
            ("digits.ipynb", 1, 1),
            _LEFT_OUT,
            "Write Python code that assigns files.",
        ),
        (
            ("x = 1", "rate = 0.1", "rate = 0.2"),
            "rate",
            ("epochal.toml", None, 2),
            "search.rate: it is assigned more than once: line 1 of cell 2 of digits.ipynb, line 1 of cell 3 of digits.ipynb.",
            "Assign it only once.",
        ),
    ],
)
def test_errors_name_the_cell(
    tmp_path: Path, cells: tuple[str, ...], search: str, place: tuple[str, int | None, int], message: str, remedy: str
) -> None:
    """The exported script does not exist for the developer, and neither do its line numbers."""
    settings = f"[search]\n{search} = {{ low = 0.1, high = 0.9 }}\n" if search else ""
    folder = write(tmp_path, {"digits.ipynb": _make_notebook(*cells), "epochal.toml": settings})
    (found,) = check_json(folder)["projects"][0]["findings"]
    assert (found["path"], found["cell"], found["line"]) == place
    assert (found["message"], found["remedy"]) == (message, remedy)


@pytest.mark.parametrize(
    "cells",
    [
        ("files = !ls", "x = 1"),
        ("files = !ls", "files = ['a']", "print(files)"),
        ("files = !ls", "from os import *", "print(files)"),
        ("files = !ls", "def show(files):\n    print(files)\nshow(1)"),
        ("files = !ls", "def show():\n    print(files)\nprint(1)"),
        ("files = !ls", "try:\n    print(files)\nexcept NameError:\n    pass"),
        ("files = !ls", "import os\nif os.environ.get('A'):\n    print(files)"),
        ("# files = !ls", "print([files for files in 'ab'])"),
        ("# files = !ls", "print(files)"),
    ],
)
def test_left_out_variable_may_be_unused(tmp_path: Path, cells: tuple[str, ...]) -> None:
    """Only a variable that the rest of the notebook certainly needs is worth a warning."""
    assert check_json(write(tmp_path, {"digits.ipynb": _make_notebook(*cells)}))["projects"][0]["findings"] == []


def _make_notebook(*cells: str) -> str:
    """Return a notebook with a title and these code cells."""
    sources = [("markdown", "# Title"), *(("code", cell) for cell in cells)]
    notebook = {
        "cells": [{"cell_type": kind, "metadata": {}, "source": text} | _code(kind) for kind, text in sources],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 4,
    }
    return json.dumps(notebook)


def _code(kind: str) -> dict[str, Any]:
    return {"outputs": [], "execution_count": None} if kind == "code" else {}


@pytest.mark.parametrize(
    ("files", "message", "remedy"),
    [
        (
            {"requirements.txt": "numpy\n".encode("utf-16")},
            "requirements.txt is not UTF-8 text (PowerShell's > writes UTF-16).",
            "Save it as UTF-8.",
        ),
        (
            {"pyproject.toml": b"[project\n"},
            "pyproject.toml is not valid TOML: Expected ']' at the end of a table declaration (at line 1, column 9).",
            "Correct it.",
        ),
        (
            {"environment.yml": b"dependencies: [numpy, r-base]\n"},
            "r-base is a conda package with no known equivalent on PyPI, and training installs only pip packages.",
            "Remove r-base",
        ),
        (
            {"environment.yml": b"dependencies:\n  - python\n\t- numpy\n"},
            "the file is not valid YAML (found character '\\t' that cannot start any token).",
            "Correct it, or list what the code needs in a requirements.txt",
        ),
        (
            {"uv.lock": b"version = 1\n"},
            "uv cannot read uv.lock.",
            "Run uv lock, and commit pyproject.toml and uv.lock together",
        ),
    ],
)
def test_unreadable_list_of_packages_is_an_error(
    files: dict[str, bytes], message: str, remedy: str, tmp_path: Path
) -> None:
    """A run fails before training, for the same reason. A file that git ignores is not pushed, so it does no harm."""
    ((name, content),) = files.items()
    write(tmp_path, {"nn.py": "epochs = 1\n"})
    (tmp_path / name).write_bytes(content)
    found = check_json(tmp_path)
    (finding,) = found["projects"][0]["findings"]
    assert not found["can_start"]
    assert (finding["kind"], finding["path"], finding["message"]) == ("refused_requirement", name, message)
    assert finding["remedy"].startswith(remedy)
    write(tmp_path, {".gitignore": name})
    assert check_json(tmp_path)["can_start"]


def test_link_out_of_the_repository_is_an_error(tmp_path: Path) -> None:
    """The pull job refuses such a link, whether or not its target exists on this machine."""
    repository = make_repository(tmp_path / "digits", {"nn.py": "epochs = 1\n"})
    (repository / "data").symlink_to("/no/such/folder")
    found = check_json(repository)
    assert not found["can_start"]
    assert [(each["kind"], each["path"]) for each in found["projects"][0]["findings"]] == [("unsafe_symlink", "data")]


def test_file_of_git_lfs_is_a_pointer_in_the_commit(tmp_path: Path) -> None:
    """The working tree has the data, but only a pointer is pushed."""
    repository = make_repository(tmp_path / "digits", {"nn.py": "open('a.csv')\n"})
    write(repository, {".gitattributes": "*.csv filter=lfs\n", "a.csv": "1,2\n"})
    git(repository, "add", "a.csv")
    (project,) = check_json(repository)["projects"]
    assert [(each["kind"], each["line"]) for each in project["findings"]] == [("lfs_pointer", 1)]


def test_module_in_a_submodule_is_not_in_the_commit(tmp_path: Path) -> None:
    """The submodule is named once, with the commands that commit its files instead."""
    inner = make_repository(tmp_path / "inner", {"__init__.py": "", "prep.py": "", "more.py": ""})
    repository = make_repository(tmp_path / "digits", {"nn.py": "\nfrom tools import more, prep\n"})
    git(repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "tools")
    git(repository, "commit", "-qm", "Submodule")
    (project,) = check_json(repository)["projects"]
    assert [(each["kind"], each["line"]) for each in project["findings"]] == [("missing_file", 2)]
    assert project["findings"][0]["message"] == "tools is a git submodule, and Epochal does not fetch its files."
    command = project["findings"][0]["remedy"].removeprefix("To commit them to this repository, run ").removesuffix(".")
    git(repository, "config", "user.name", "Ada")
    git(repository, "config", "user.email", "ada@example.com")
    subprocess.run(command, shell=True, cwd=repository, check=True, capture_output=True)
    assert "tools/prep.py" in git(repository, "ls-tree", "-r", "--name-only", "HEAD").splitlines()
    (project,) = check_json(repository)["projects"]
    assert project["findings"] == []


def test_file_that_git_ignores_is_missing(tmp_path: Path) -> None:
    """A file that exists in the folder but would not be committed is reported."""
    files: dict[str, str | bytes] = {"nn.py": "open('data/a.csv')\n", ".gitignore": "data/\n"}
    repository = make_repository(tmp_path / "digits", files)
    write(repository, {"data/a.csv": ""})
    (project,) = check_json(repository)["projects"]
    assert [(each["kind"], each["line"]) for each in project["findings"]] == [("missing_file", 1)]
    assert "ignored by git" in project["findings"][0]["message"]


@pytest.mark.parametrize(
    ("size", "message", "remedy"),
    [
        (
            50_000_000,
            "my data.csv is ignored by git, so commits do not contain it.",
            "Commit it with git add --force 'my data.csv' && git commit -m 'Add my data.csv', or put the data in the server's",
        ),
        (
            63_000_000,
            "my data.csv (63 MB) is ignored by git, so commits do not contain it.",
            "Put the data in the server's",
        ),
    ],
)
def test_large_ignored_file_is_not_to_be_committed(size: int, message: str, remedy: str, tmp_path: Path) -> None:
    """The remedy of a large file that would be committed is to ignore it, so it must not be to commit it after that."""
    repository = make_repository(tmp_path / "digits", {"nn.py": "open('my data.csv')\n", ".gitignore": "*.csv\n"})
    with (repository / "my data.csv").open("wb") as file:
        file.truncate(size)
    (found,) = check_json(repository)["projects"][0]["findings"]
    assert found["message"] == message
    assert found["remedy"].startswith(remedy)


def test_untracked_files_that_the_script_needs_are_noted(tmp_path: Path) -> None:
    """Modules, files and folders are noted only if the script itself is tracked."""
    repository = make_repository(tmp_path / "digits", {"nn.py": ""})
    write(repository, {"nn.py": "import load\nopen('a.csv')\nos.listdir('data/x')\nopen('nn.py')\nopen('my b.csv')\n"})
    write(repository, {"load.py": "", "a.csv": "", "data/x/b.csv": "", "unused.csv": "", "my b.csv": ""})
    (project,) = check_json(repository)["projects"]
    found = [(each["kind"], each["severity"], each["line"], each["remedy"]) for each in project["findings"]]
    assert found == [
        ("untracked_file", "note", 1, "Run git add load.py."),
        ("untracked_file", "note", 2, "Run git add a.csv."),
        ("untracked_file", "note", 3, "Run git add data/x."),
        ("untracked_file", "note", 5, "Run git add 'my b.csv'."),
    ]
    git(repository, "rm", "-q", "--cached", "nn.py")
    (project,) = check_json(repository)["projects"]
    assert project["findings"] == []


@pytest.mark.parametrize(
    "read",
    [
        "DATA = Path('data')\nopen(DATA / 'a.csv')\n",
        "DATA = 'data'\nopen(os.path.join(DATA, 'a.csv'))\n",
        "DATA = Path(__file__).resolve().parent / 'data'\nopen(DATA / 'a.csv')\n",
        "DATA = os.path.dirname(os.path.abspath(__file__))\nopen(os.path.join(DATA, 'data', 'a.csv'))\n",
    ],
)
def test_untracked_file_whose_path_is_joined_is_noted(read: str, tmp_path: Path) -> None:
    """A path may be built from constants; a variable that is assigned twice is unknown."""
    repository = make_repository(tmp_path / "digits", {"nn.py": ""})
    imports = "import os\nfrom pathlib import Path\n"
    for text, remedies in ((read, ["Run git add data/a.csv."]), (f"{read}DATA = 'other'\n", [])):
        write(repository, {"nn.py": imports + text, "data/a.csv": ""})
        (project,) = check_json(repository)["projects"]
        assert [each["remedy"] for each in project["findings"]] == remedies


def test_large_untracked_file_is_not_to_be_added(tmp_path: Path) -> None:
    """The remedy of a large file is to add it to .gitignore, so no other remedy adds it to git."""
    repository = make_repository(tmp_path / "digits", {"nn.py": "open('large.csv')\n"})
    with (repository / "large.csv").open("wb") as file:
        file.truncate(50_000_001)
    (project,) = check_json(repository)["projects"]
    assert [each["kind"] for each in project["findings"]] == ["large_file"]


def test_large_file_is_found_until_it_is_committed(tmp_path: Path) -> None:
    """A new file is reported, even after git add, because it would be in the next commit."""
    repository = make_repository(tmp_path / "digits", {"nn.py": "epochs = 1\n"})
    git(repository, "config", "core.bigFileThreshold", "1m")
    git(repository, "config", "core.compression", "0")
    with (repository / "x.npz").open("wb") as file:
        file.truncate(60_000_000)
    for arguments, kinds in (((), ["large_file"]), (("add", "x.npz"), ["large_file"]), (("commit", "-qm", "x"), [])):
        if arguments:
            git(repository, *arguments)
        (project,) = check_json(repository)["projects"]
        assert [each["kind"] for each in project["findings"]] == kinds


@pytest.mark.parametrize(("requirements", "kinds"), [("", ["removed_api"]), ("keras==2.15\n", [])])
def test_removed_functions_are_found(requirements: str, kinds: list[str], tmp_path: Path) -> None:
    """Functions that current Keras has removed are found, unless requirements.txt pins an older version."""
    files = {"nn.py": "epochs = 1\nfrom keras.utils import np_utils\n", "requirements.txt": requirements}
    (project,) = check_json(write(tmp_path, files))["projects"]
    assert [each["kind"] for each in project["findings"]] == kinds


def test_removed_function_of_another_package_is_not_said_to_be_of_keras(tmp_path: Path) -> None:
    """A Keras script may use something that TensorFlow has removed; the message names TensorFlow."""
    (project,) = check_json(write(tmp_path, {"nn.py": "epochs = 1\nimport tensorflow as tf\ntf.contrib\n"}))["projects"]
    assert [each["message"] for each in project["findings"]] == ["tensorflow.contrib was removed from TensorFlow."]


@pytest.mark.parametrize(
    ("files", "messages"),
    [
        ({}, ["cPickle was removed from Python.", "sklearn.grid_search was removed from scikit-learn."]),
        ({"requirements.txt": "scikit-learn==0.24\n"}, ["cPickle was removed from Python."]),
        ({"cPickle.py": ""}, ["sklearn.grid_search was removed from scikit-learn."]),
    ],
)
def test_removed_modules_are_found_beside_any_framework(
    files: dict[str, str], messages: list[str], tmp_path: Path
) -> None:
    """A Python 2 module is reported as removed, not as a missing package. A local module with that name is fine."""
    text = "epochs = 1\nimport keras\nimport cPickle\nfrom sklearn.grid_search import GridSearchCV\n"
    (project,) = check_json(write(tmp_path, {"nn.py": text, **files}))["projects"]
    assert [each["message"] for each in project["findings"]] == messages


def test_init_ends_with_the_check(tmp_path: Path) -> None:
    """The check's lines follow those of init, which succeeds whatever the check finds."""
    (tmp_path / "nn.py").write_text("import keras\nimport torch\n")
    arguments = ["init", str(tmp_path), "--remote", "https://example.com/ada/digits.git", "--branch", "main"]
    done = CliRunner().invoke(make_app("init"), arguments)
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[0] == "created a git repository with the branch main"
    assert lines[-3].startswith("nn.py:1: error: nn.py line 1 imports keras, and nn.py line 2 imports torch.")
    assert lines[-1] == "1 error; a run would fail before training starts"
