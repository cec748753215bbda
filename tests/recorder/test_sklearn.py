"""What scikit-learn measures for a script is told; what it measures for itself is not, and the script sees nothing of it."""

import sys
from pathlib import Path
from typing import Any

import pytest

from epochal.records import AccuracySource
from epochal.results.accuracy import Told, choose_accuracy
from epochal.results.measurements import parse_measured
from tests.printing import printed
from tests.recorder.test_recorder import events, run

BEGINNING = """
import inspect, pickle
import numpy as np
from joblib import Parallel, delayed
from scipy.sparse import csr_matrix
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import AdaBoostClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, LogisticRegressionCV, SGDClassifier
from sklearn.metrics import accuracy_score, get_scorer, make_scorer, zero_one_loss
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

x, y = load_iris(return_X_y=True)
tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(x, y)
"""

ASKED = f"""{BEGINNING}
grid = GridSearchCV(make_pipeline(StandardScaler(), LinearSVC()), {{"linearsvc__C": [0.1, 1]}})
scored = GridSearchCV(tree, {{"max_depth": [1, 2]}}, scoring="accuracy")
print(tree.score(x[:30], list(y[:30])))
print(tree.score(x, y, np.arange(150)))
print(accuracy_score(y[50:], tree.predict(x[50:]), sample_weight=np.arange(100)))
print(accuracy_score(y_pred=csr_matrix([[0, 1], [1, 1]]), y_true=csr_matrix([[0, 1], [1, 0]])))
print(make_pipeline(StandardScaler(), LinearSVC()).fit(x, y).score(x[:50], y[:50]))
print(grid.fit(x, y).score(x[:60], y[:60]))
print(scored.fit(x, y).score(x[:70], y[:70]))
print(LogisticRegressionCV(Cs=2, max_iter=1000).fit(x, y).score(x, y))
print(DummyClassifier().fit(x, y).score(None, y))
print(get_scorer("accuracy")(tree, x, y))
print(inspect.signature(accuracy_score), inspect.signature(tree.score), accuracy_score.__doc__)
assert pickle.loads(pickle.dumps(accuracy_score)) is accuracy_score
for labels in (y[:3], "no labels"):
    try:
        accuracy_score(y, labels)
    except ValueError as error:
        print(type(error), error)
"""

NOT_ASKED = f"""{BEGINNING}
def scorer(estimator, x, y):
    return accuracy_score(y, estimator.predict(x))

for jobs in (None, 2):
    cross_val_score(tree, x, y, n_jobs=jobs)
    cross_val_score(tree, x, y, scoring=scorer, n_jobs=jobs)
    GridSearchCV(tree, {{"max_depth": [1, 2]}}, scoring=scorer, n_jobs=jobs).fit(x, y)
Parallel(2)(delayed(accuracy_score)(y, labels) for labels in (y, y))
MLPClassifier(early_stopping=True, max_iter=300).fit(x, y)
SGDClassifier(early_stopping=True).fit(x, y)
HistGradientBoostingClassifier(early_stopping=True, scoring="accuracy", max_iter=3).fit(x, y)
list(AdaBoostClassifier(n_estimators=2).fit(x, y).staged_score(x, y))
RandomForestClassifier(50, oob_score=True).fit(x, y)

LinearRegression().fit(x, y).score(x, y)
GridSearchCV(tree, {{"max_depth": [1, 2]}}, scoring="f1_macro").fit(x, y).score(x, y)
accuracy_score(y, y, normalize=False)
make_scorer(accuracy_score, normalize=False)(tree, x, y)
zero_one_loss(y, y)
print(accuracy_score(y[:7], y[:7]))
"""


def _told(folder: Path) -> list[tuple[Any, ...]]:
    """Of each event what was measured, on how many samples, and the accuracy as Python prints it."""
    told = events(folder)
    assert {event["event"] for event in told} <= {"score"}, told
    told = [event for event in told if event["measures"] == "accuracy"]
    return [(event["of"], event["samples"], repr(event["metrics"]["accuracy"])) for event in told]


@pytest.mark.sklearn
def test_each_score_that_a_script_asks_for_is_told_once(sklearn_python: Path, tmp_path: Path) -> None:
    """Classifiers, what hands their score on, and accuracy_score are told, and are to the script what they were."""
    done = run(sklearn_python, ASKED, tmp_path)
    told = _told(tmp_path)
    without = run(sklearn_python, ASKED, tmp_path, EPOCHAL_OUT="")

    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == (without.stdout, without.stderr)
    assert [(of, samples) for of, samples, _ in told] == [
        ("DecisionTreeClassifier", 30),
        ("DecisionTreeClassifier", 150),
        ("accuracy_score", 100),
        ("accuracy_score", 2),
        ("LinearSVC", 50),
        ("LinearSVC", 60),
        ("accuracy_score", 70),
        ("accuracy_score", 150),
        ("DummyClassifier", 150),
        ("accuracy_score", 150),
    ]
    assert [accuracy for *_, accuracy in told] == done.stdout.splitlines()[: len(told)]


@pytest.mark.sklearn
def test_what_is_measured_for_another_purpose_is_not_told(sklearn_python: Path, tmp_path: Path) -> None:
    """Neither a fit's nor a cross-validation's scores, in any process, nor what is no accuracy."""
    done = run(sklearn_python, NOT_ASKED, tmp_path)

    assert done.returncode == 0, done.stderr
    assert _told(tmp_path) == [("accuracy_score", 7, "1.0")]


@pytest.mark.sklearn
def test_a_fault_of_the_recorder_leaves_the_score_as_it_is(sklearn_python: Path, tmp_path: Path) -> None:
    """Without the output folder the script goes on, and one line on standard error says what is missing."""
    script = f"{BEGINNING}\nimport shutil\nshutil.rmtree('out')\nprint(tree.score(x, y), accuracy_score(y, y))\n"
    done = run(sklearn_python, script, tmp_path)

    assert (done.returncode, done.stdout) == (0, "0.96 1.0\n"), done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("epochal: what is measured cannot be recorded: FileNotFoundError")


@pytest.mark.sklearn
def test_a_script_that_only_asks_for_its_score_has_an_accuracy(sklearn_python: Path, tmp_path: Path) -> None:
    """The last score of a script that prints nothing is its accuracy."""
    fit = "tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(x[::2], y[::2])"
    script = f"{BEGINNING}\n{fit}\ntree.score(x[1::4], y[1::4])\nprint(tree.score(x[1::2], y[1::2]))\n"
    done = run(sklearn_python, script, tmp_path)

    metrics = (tmp_path / "out" / "metrics.jsonl").read_text()
    accuracy = choose_accuracy(Told(None, parse_measured(metrics), printed(done.stdout))).accuracy
    assert (accuracy.value, accuracy.source, accuracy.samples) == (float(done.stdout), AccuracySource.SCORE, 75)
    assert len(accuracy.test_set or "") == 16


@pytest.mark.sklearn
def test_an_estimator_of_the_scripts_own_may_have_steps(sklearn_python: Path, tmp_path: Path) -> None:
    """What only a pipeline's steps are is not expected of a hyperparameter of that name."""
    own = """
from sklearn.base import BaseEstimator, ClassifierMixin

class Boosted(ClassifierMixin, BaseEstimator):
    def __init__(self, steps=5):
        self.steps = steps

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, x):
        return np.zeros(len(x), int)

print(Boosted().fit(x[::2], y[::2]).score(x[1::2], y[1::2]))
"""
    done = run(sklearn_python, BEGINNING + own, tmp_path)

    assert done.returncode == 0, done.stderr
    assert [event["event"] for event in events(tmp_path)] == ["score"]


def test_a_script_without_scikit_learn_loads_nothing(tmp_path: Path) -> None:
    """What observes is imported with what is observed."""
    script = "import sys\nprint([name for name in sys.modules if name.startswith('epochal_recorder')])\n"

    assert run(sys.executable, script, tmp_path).stdout == "[]\n"
