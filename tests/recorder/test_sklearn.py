"""Scores that a script asks for are recorded, scikit-learn's internal ones are not, and the script notices no difference."""

import json
import sys
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from epochal.records import AccuracySource
from epochal.results.accuracy import Findings, choose_accuracy
from epochal.results.measurements import parse_measurements
from tests.printing import printed
from tests.recorder.test_recorder import read_events, run

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

REQUESTED = f"""{BEGINNING}
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

INTERNAL = f"""{BEGINNING}
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


def _read_accuracies(folder: Path) -> list[tuple[Any, ...]]:
    """Return, for each recorded accuracy, what measured it, the number of samples, and the value as Python prints it."""
    events = read_events(folder)
    assert {event["event"] for event in events} <= {"score"}, events
    events = [event for event in events if event["measures"] == "accuracy"]
    return [(event["of"], event["samples"], repr(event["metrics"]["accuracy"])) for event in events]


@pytest.mark.sklearn
def test_each_requested_score_is_recorded_once(sklearn_python: Path, tmp_path: Path) -> None:
    """Classifiers, estimators that delegate their score, and accuracy_score() behave as they do without the recorder."""
    result = run(sklearn_python, REQUESTED, tmp_path)
    recorded = _read_accuracies(tmp_path)
    without = run(sklearn_python, REQUESTED, tmp_path, EPOCHAL_OUT="")

    assert result.returncode == 0, result.stderr
    assert (result.stdout, result.stderr) == (without.stdout, without.stderr)
    assert [(measured_by, samples) for measured_by, samples, _ in recorded] == [
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
    assert [accuracy for *_, accuracy in recorded] == result.stdout.splitlines()[: len(recorded)]
    lines = REQUESTED.splitlines()
    assert all("score" in lines[event["line"] - 1] for event in read_events(tmp_path))


@pytest.mark.sklearn
def test_other_measurements_are_not_recorded(sklearn_python: Path, tmp_path: Path) -> None:
    """Scores within a fit or cross-validation are not recorded, in any process, nor are metrics other than accuracy."""
    result = run(sklearn_python, INTERNAL, tmp_path)

    assert result.returncode == 0, result.stderr
    assert _read_accuracies(tmp_path) == [("accuracy_score", 7, "1.0")]


AVERAGED = f"""{BEGINNING}
from sklearn.metrics import classification_report
from sklearn.model_selection import RandomizedSearchCV, cross_validate
from sklearn.svm import SVR

print(cross_val_score(tree, x, y, cv=3).mean())
print(cross_validate(tree, x, y, scoring=["f1_macro", "accuracy"], cv=4)["test_accuracy"].mean())
print(GridSearchCV(tree, {{"max_depth": [1, 2, 3]}}).fit(x, y).best_score_)
print(cross_val_score(DummyClassifier(), x, y, cv=3).mean())
print(cross_val_score(SVR(), x, y).mean())
cross_val_score(tree, x, y, scoring="f1_macro")
RandomizedSearchCV(tree, {{"max_depth": [1, 2]}}, n_iter=2, scoring="recall_macro").fit(x, y)
for output_dict in (False, True):
    classification_report(y, tree.predict(x), output_dict=output_dict)
"""


SELECTED = f"""{BEGINNING}
from sklearn.feature_selection import SelectKBest
from sklearn.pipeline import make_pipeline

selector = SelectKBest(k=2).fit(x[:100], y[:100])
for features, labels in ((selector.transform(x), y), (selector.transform(x[:100]), y[:100]), (x, y)):
    cross_val_score(tree, features, labels)
GridSearchCV(tree, {{"max_depth": [1, 2]}}).fit(selector.transform(x), y)
cross_val_score(make_pipeline(SelectKBest(k=2), tree), x, y)
"""


@pytest.mark.sklearn
def test_cross_validation_knows_that_features_were_selected(sklearn_python: Path, tmp_path: Path) -> None:
    """If a selector was fitted on any of its rows, each fold has seen its own labels. A pipeline selects in each fold."""
    result = run(sklearn_python, SELECTED, tmp_path)
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    selected = [event["selected"] for event in events if event["event"] == "cross_validation"]
    assert selected == [True, True, False, True, False]


FOLDS = f"""{BEGINNING}
import pandas as pd
from sklearn.feature_extraction import DictVectorizer
from sklearn.model_selection import (GroupKFold, KFold, LeaveOneOut, PredefinedSplit, StratifiedKFold,
                                     cross_val_predict, cross_validate)

class Own(KFold):
    pass

rng = np.random.default_rng(0)
x, y = rng.normal(size=(300, 4)), (rng.random(300) < 0.3).astype(int)
rare = np.flatnonzero(y)
balanced, twice = np.r_[np.arange(300), rare, rare, rare], rng.permutation(np.arange(600) % 300)
january = np.r_[:120, :120, 240:300]  # of five folds in order, one is without copies
coarse = np.round(x[:, :2])
frame = pd.DataFrame(coarse, columns=list("ab")).assign(c=np.where(y, 1, 2))
shuffled, seeded = KFold(5, shuffle=True), StratifiedKFold(4, shuffle=True, random_state=np.random.RandomState(3))
dicts = [dict(zip("abcd", row)) for row in x.tolist()]

clean = [
    (x, y, dict()),
    (x, y, dict(cv=3)),
    (x.tolist(), y.tolist(), dict(cv=shuffled)),
    (csr_matrix(x), y, dict(cv=KFold(4))),
    (coarse, y, dict(cv=seeded)),
    (frame, np.where(y, "yes", "no"), dict(cv=shuffled)),
    (x[:40], y[:40], dict(cv=LeaveOneOut())),
    (x[balanced], y[balanced], dict(cv=GroupKFold(5), groups=balanced)),
    (x, y, dict(cv=list(shuffled.split(x)))),
    (dicts, y, dict(cv=3)),
]
copied = [
    (x[balanced], y[balanced], dict(cv=shuffled)),
    (csr_matrix(x[balanced]), y[balanced], dict(cv=shuffled.split(x[balanced]))),
    (pd.DataFrame(x[twice]), pd.Series(y[twice]), dict()),
    (x[twice].tolist(), y[twice].tolist(), dict(cv=PredefinedSplit(np.arange(600) % 3))),
    (np.repeat(x[:60], 2, axis=0), np.repeat(y[:60], 2), dict(cv=LeaveOneOut())),
    (x, y, dict(cv=[(np.arange(300), each) for each in (np.arange(150), np.arange(150, 300))])),
    *((x[np.roll(january, 60 * fold)], y[np.roll(january, 60 * fold)], dict(cv=KFold(5))) for fold in range(5)),
]
unknown = [(x, y, dict(cv=Own(5)))]
"""


@pytest.mark.sklearn
@pytest.mark.parametrize("measure", ["cross_val_score", "cross_validate", "cross_val_predict", "search"])
def test_rows_that_folds_share_are_found(sklearn_python: Path, tmp_path: Path, measure: str) -> None:
    """Copies made before a cross-validation leak into the training folds. Rows that recur by nature are accepted."""
    script = f"""{FOLDS}
def search(model, rows, labels, cv=None, **groups):
    cv = list(cv) if hasattr(cv, "__next__") else cv  # the search would exhaust an iterator
    GridSearchCV(model, {{"decisiontreeclassifier__max_depth": [3]}}, cv=cv).fit(rows, labels, **groups)

np.random.seed(0)
for rows, labels, options in (*clean, *copied, *unknown):
    start = DictVectorizer() if rows is dicts else StandardScaler(with_mean=False)
    {measure}(make_pipeline(start, DecisionTreeClassifier()), rows, labels, **options)
    print(np.random.random())
"""
    result = run(sklearn_python, script, tmp_path)
    without = run(sklearn_python, script, tmp_path, EPOCHAL_OUT="")
    assert (result.returncode, result.stdout, result.stderr) == (0, without.stdout, without.stderr)
    events = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert [event for event in events if event["event"] == "fault"] == []
    seen = [event["seen"] for event in events if event["event"] in ("cross_validation", "predict")]
    assert [each["refused"] for each in seen] == [False] * 10 + [True] * 11 + [False], seen
    assert [each["checked"] for each in seen] == [True] * 21 + [False], seen


@pytest.mark.sklearn
@pytest.mark.parametrize("measure", ["cross_val_score", "search"])
def test_rows_that_folds_test_are_counted(sklearn_python: Path, tmp_path: Path, measure: str) -> None:
    """Each row counts once. Folds that cannot be drawn again count as the largest of them, or are not counted."""
    script = f"""{FOLDS}
from sklearn.model_selection import RepeatedKFold, ShuffleSplit, TimeSeriesSplit
def search(model, rows, labels, cv):
    GridSearchCV(model, {{"max_depth": [3]}}, cv=cv).fit(rows, labels)

halves = np.arange(150), np.arange(150, 300)
for cv in (3, shuffled, RepeatedKFold(n_splits=5, n_repeats=2), LeaveOneOut(), [halves, halves[::-1]],
           PredefinedSplit(np.repeat([-1, 0, 1], 100)), TimeSeriesSplit(2), [halves] * 3,
           ShuffleSplit(1, test_size=6, random_state=1), ShuffleSplit(9, test_size=0.2, random_state=1),
           ShuffleSplit(9, test_size=0.2), Own(5)):
    {measure}(tree, x, y, cv=cv)
"""
    result = run(sklearn_python, script, tmp_path)
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert [event for event in events if event["event"] == "fault"] == []
    counts = [event["samples"] for event in events if event["event"] == "cross_validation"]
    assert counts == [300] * 5 + [200, 200, 150, 6, counts[9], 60, None]
    assert 240 < counts[9] < 280


@pytest.mark.sklearn
def test_mean_training_accuracies_are_recorded(sklearn_python: Path, tmp_path: Path) -> None:
    """A script must not state them as its accuracy. Those that may be mistaken for a test accuracy are left out."""
    script = f"""{BEGINNING}
from sklearn.model_selection import cross_validate, learning_curve, validation_curve
noise = np.random.default_rng(0).integers(0, 3, 150)
model = DecisionTreeClassifier(random_state=0)
for labels in (noise, y == 0):
    options = dict(cv=3 if labels is noise else 10)
    print(cross_validate(tree, x, labels, **options, return_train_score=True)["train_score"].mean())
    print(cross_validate(tree, x, labels, **options, scoring=["f1_macro", "accuracy"], return_train_score=True)
          ["train_accuracy"].mean())
    print(learning_curve(tree, x, labels, **options, train_sizes=[0.9], return_times=True)[1].mean())
    print(validation_curve(tree, x, labels, **options, param_name="max_depth", param_range=[4])[0].mean())
    search = GridSearchCV(tree, {{"max_depth": [3, "bad"]}}, cv=options["cv"], return_train_score=True,
                          scoring=["accuracy", "f1_macro"], refit="accuracy").fit(x, labels)
    print(search.cv_results_["mean_train_accuracy"][search.best_index_])
learning_curve(tree, x, noise, scoring="f1_macro")
validation_curve(LinearRegression(), x, noise, param_name="fit_intercept", param_range=[True, False])
"""
    script = script.replace("max_depth=2", "max_depth=3")
    result = run(sklearn_python, script, tmp_path)
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert [event for event in events if event["event"] == "fault"] == []
    means = [event for event in events if event.get("training")]
    names = ["cross_validate", "cross_validate", "learning_curve", "validation_curve", "GridSearchCV"]
    assert [(event["of"], event["candidates"]) for event in means] == [
        *((name, 0) for name in names[:4]),
        (names[4], 2),
    ]
    assert [event["metrics"]["accuracy"] for event in means] == pytest.approx(
        [float(line) for line in result.stdout.splitlines()[:5]]
    )


@pytest.mark.sklearn
def test_means_of_cross_validations_and_reports_are_recorded(sklearn_python: Path, tmp_path: Path) -> None:
    """For a search, the best candidate's mean is recorded. Scores of other kinds are left out."""
    result = run(sklearn_python, AVERAGED, tmp_path)
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    means = [event for event in events if event["event"] == "cross_validation"]
    printed_means = [float(line) for line in result.stdout.splitlines()]
    assert [(event["of"], event["measures"], event["folds"], event["candidates"]) for event in means] == [
        ("DecisionTreeClassifier", "accuracy", 3, 0),
        ("DecisionTreeClassifier", "accuracy", 4, 0),
        ("GridSearchCV", "accuracy", 5, 3),
        ("DummyClassifier", "accuracy", 3, 0),
        ("SVR", "r2", 5, 0),
    ]
    assert [event["metrics"]["accuracy"] for event in means] == pytest.approx(printed_means)
    assert [event["dummy"] for event in means] == [False, False, False, True, False]
    assert [len(event["scores"]) for event in means] == [3, 4, 0, 3, 5]
    assert [mean(event["scores"]) for event in means if event["scores"]] == pytest.approx(
        [each for each, event in zip(printed_means, means, strict=True) if event["scores"]]
    )
    assert {event["samples"] for event in means} == {150}
    reports = [event for event in events if event["event"] == "score"]
    assert [(event["of"], event["samples"], event["metrics"]["accuracy"]) for event in reports] == [
        ("classification_report", 150, 0.96)
    ] * 2
    assert all(event["seen"]["share"] == 1.0 for event in reports)
    assert [event for event in events if event["event"] == "fault"] == []


@pytest.mark.sklearn
def test_each_of_many_splits_is_recorded(sklearn_python: Path, tmp_path: Path) -> None:
    """A script that tries 300 splits has looked at its data 300 times."""
    script = f"""{BEGINNING}
from sklearn.model_selection import train_test_split
x = np.random.default_rng(0).normal(size=x.shape)
for seed in range(300):
    x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=seed)
    DecisionTreeClassifier(max_depth=2).fit(x_train, y_train).score(x_test, y_test)
"""
    result = run(sklearn_python, script, tmp_path)
    assert result.returncode == 0, result.stderr
    recorded = parse_measurements((tmp_path / "out" / "metrics.jsonl").read_text())
    choice = choose_accuracy(Findings(None, recorded, printed("")))
    assert choice.accuracy.looks == 300
    assert "evaluated at least 300 models on test sets that share rows" in choice.notes[0]


@pytest.mark.sklearn
def test_rows_predicted_one_by_one_are_compared(sklearn_python: Path, tmp_path: Path) -> None:
    """Successive predictions of one model count as one prediction; a few at the end are a demonstration."""
    script = f"""{BEGINNING}
def predict_each(rows):
    return [tree.predict([row])[0] for row in rows]

predict_each(x[:5])
accuracy_score(y, predict_each(x))
predict_each(x[:14])
tree.fit(x, y)
predict_each(x + 1)
"""
    result = run(sklearn_python, script, tmp_path)
    assert result.returncode == 0, result.stderr
    recorded = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    found = [each for each in recorded if each["event"] in ("predict", "score", "fault")]
    assert [(each["event"], each["samples"], each["seen"]["share"]) for each in found] == [
        ("predict", 150, 1.0),
        ("score", 150, 1.0),
        ("predict", 150, 0.0),
    ]


LOOPS = f"""{BEGINNING}
x = np.random.default_rng(0).normal(size=(300, 4))
y = np.arange(300) % 3
train, test, everything = (x[:200], y[:200]), (x[200:], y[200:]), (x, y)
tree = DecisionTreeClassifier(random_state=0).fit(*train)
def accuracy(rows, labels):
    return sum(tree.predict([row])[0] == label for row, label in zip(rows, labels)) / len(labels)
def predict_each(rows):
    return [tree.predict([row])[0] for row in rows]
"""


@pytest.mark.sklearn
@pytest.mark.parametrize(
    ("own", "recorded"),
    [
        ("accuracy(*train)\naccuracy(*test)", [(200, 1.0), (100, 0.0)]),
        ("accuracy(*test)\naccuracy(*train)", [(100, 0.0), (200, 1.0)]),
        ("print(accuracy(*train), accuracy(*test))", [(200, 1.0), (100, 0.0)]),
        ("accuracy(*test)\npredict_each(x[:30])\npredict_each(x[:9])", [(100, 0.0)]),
        ("predict_each(x[:30])\npredict_each(x[:9])\naccuracy(*test)", [(30, 1.0), (100, 0.0)]),
        ("tree.predict(x[:200])\nfor row in x[200:]:\n    tree.predict([row])", [(200, 1.0), (100, 0.0)]),
        ("tree.predict(x[:200])\naccuracy(x[200:219], y[200:219])", [(200, 1.0)]),
        ("tree.predict(x[200:])\naccuracy(x[200:240], y[200:240])", [(100, 0.0)]),
        ("accuracy(*everything)", [(300, 0.6667)]),
        ("for row in np.random.default_rng(1).permutation(x[:200]):\n    tree.predict([row])", [(200, 1.0)]),
        ("for row in x:\n    predict_each([row])", [(300, 0.6667)]),
        ("for at in range(0, 300, 10):\n    predict_each(x[at:at + 10])", [(300, 0.6667)]),
        (
            "for row in x:\n    if row[0] > 0:\n        tree.predict([row])\n    else:\n        tree.predict([row])",
            [(300, 0.6667)],
        ),
        ("\n".join(f"tree.predict(x[{at}:{at + 10}])" for at in range(0, 300, 10)), [(300, 0.6667)]),
        (
            "answers = predict_each(x[:200])\nanswers += predict_each(x[200:])\naccuracy_score(y, answers)",
            [(300, 0.6667)] * 2,
        ),
    ],
)
def test_loops_over_single_rows_are_told_apart(
    sklearn_python: Path, tmp_path: Path, own: str, recorded: list[tuple[int, float]]
) -> None:
    """A loop over the test rows is not mixed with one over training rows; a loop over all rows stays whole."""
    result = run(sklearn_python, f"{LOOPS}\n{own}\n", tmp_path)
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    found = [each for each in events if each["event"] in ("predict", "score", "fault")]
    assert [(each["samples"], each["seen"]["share"]) for each in found] == recorded


@pytest.mark.sklearn
@pytest.mark.parametrize(
    ("labels", "new"),
    [("y", 0.3333), ("np.array(['a', 'b', 'c'])[y]", 0.3333), ("y * (y < 2)", 0.0), ("np.eye(3)[y]", 0.3333)],
    ids=["numbers", "names", "known", "one-hot"],
)
def test_labels_that_no_training_row_has_are_counted(
    sklearn_python: Path, tmp_path: Path, labels: str, new: float
) -> None:
    """Rows sorted by class and split by position may leave a class out of the training data."""
    script = f"""{BEGINNING}
y = {labels}
DecisionTreeClassifier(max_depth=2).fit(x[0:100:2], y[0:100:2]).score(x[1::2], y[1::2])
"""
    result = run(sklearn_python, script, tmp_path)
    assert result.returncode == 0, result.stderr
    assert [event["seen"]["new_labels"] for event in read_events(tmp_path)] == [new]


@pytest.mark.sklearn
def test_recorder_fault_does_not_change_the_score(sklearn_python: Path, tmp_path: Path) -> None:
    """Without the output folder, the script continues, and one line on standard error says what is missing."""
    script = f"{BEGINNING}\nimport shutil\nshutil.rmtree('out')\nprint(tree.score(x, y), accuracy_score(y, y))\n"
    result = run(sklearn_python, script, tmp_path)

    assert (result.returncode, result.stdout) == (0, "0.96 1.0\n"), result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("epochal: training cannot be recorded: FileNotFoundError")


@pytest.mark.sklearn
@pytest.mark.parametrize("arguments", ["x[:0], y[:0]", "x, y[1:]", "x, y[:1]"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_data_that_scikit_learn_refuses_is_no_fault(
    sklearn_python: Path, tmp_path: Path, method: str, arguments: str
) -> None:
    """scikit-learn's own error says what is wrong with the data, so the recorder reports nothing."""
    own = f"""
model = SGDClassifier(random_state=0).partial_fit(x, y, [0, 1, 2])
try:
    model.{method}({arguments})
except ValueError:
    print(tree.score(x, y))
"""
    result = run(sklearn_python, BEGINNING + own, tmp_path)
    assert (result.returncode, result.stdout) == (0, "0.96\n"), result.stderr
    assert [event["event"] for event in read_events(tmp_path)] == ["score"]


@pytest.mark.sklearn
def test_last_score_is_the_accuracy_if_no_line_states_one(sklearn_python: Path, tmp_path: Path) -> None:
    """The script prints its score without the word accuracy, so the recorded score is used."""
    fit = "tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(x[::2], y[::2])"
    script = f"{BEGINNING}\n{fit}\ntree.score(x[1::4], y[1::4])\nprint(tree.score(x[1::2], y[1::2]))\n"
    result = run(sklearn_python, script, tmp_path)

    metrics = (tmp_path / "out" / "metrics.jsonl").read_text()
    accuracy = choose_accuracy(Findings(None, parse_measurements(metrics), printed(result.stdout))).accuracy
    assert (accuracy.value, accuracy.source, accuracy.samples) == (float(result.stdout), AccuracySource.SCORE, 75)
    assert len(accuracy.test_set or "") == 16


@pytest.mark.sklearn
def test_custom_estimator_may_have_a_parameter_named_steps(sklearn_python: Path, tmp_path: Path) -> None:
    """Only a pipeline's steps are estimators; here, steps is a number."""
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
    result = run(sklearn_python, BEGINNING + own, tmp_path)

    assert result.returncode == 0, result.stderr
    assert [event["event"] for event in read_events(tmp_path)] == ["score"]


def test_script_without_scikit_learn_imports_no_recorder_module(tmp_path: Path) -> None:
    """Recorder modules are imported only when needed: here, only those that observe how the script ends."""
    script = "import sys\nprint(sorted(name for name in sys.modules if name.startswith('epochal_recorder.')))\n"

    assert run(sys.executable, script, tmp_path).stdout == "['epochal_recorder.ending', 'epochal_recorder.raised']\n"


REGRESSIONS = """
import numpy as np
from sklearn.ensemble import RandomForestRegressor
rng = np.random.default_rng(0)
x = rng.normal(size=(300, 5))
for targets in (rng.integers(20, 90, 300), rng.integers(0, 5, 300), rng.integers(0, 2, 300).astype(float)):
    RandomForestRegressor(5, random_state=0).fit(x[:200], targets[:200]).predict(x[200:])
"""


@pytest.mark.sklearn
def test_predictions_of_many_integers_belong_to_a_regression(sklearn_python: Path, tmp_path: Path) -> None:
    """A number such as 100 minus the mean percentage error is not an accuracy. A few integers may be grades or classes."""
    result = run(sklearn_python, REGRESSIONS, tmp_path)
    assert result.returncode == 0, result.stderr
    lines = (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()
    labels = [event["labels"] for line in lines if (event := json.loads(line))["event"] == "predict"]
    assert labels == [{"": {"kind": "numbers"}}, {}, {}]


@pytest.mark.sklearn
def test_models_of_a_loop_are_counted(sklearn_python: Path, tmp_path: Path) -> None:
    """Each iteration replaces the model of the one before, which may then be deleted."""
    script = (
        BEGINNING
        + """
from sklearn.model_selection import KFold
for train, test in KFold(3).split(x):
    DecisionTreeClassifier(random_state=0).fit(x[train], y[train]).score(x[test], y[test])
"""
    )
    result = run(sklearn_python, script, tmp_path)
    assert result.returncode == 0, result.stderr
    assert len({event["estimator"] for event in read_events(tmp_path)}) == 3


@pytest.mark.sklearn
def test_equal_rows_are_told_apart_from_training_rows(sklearn_python: Path, tmp_path: Path) -> None:
    """If each row of the data recurs many times, all test rows of a clean split equal training rows.

    Then the training rows themselves are known by their number, by their order, or by the split that they come from.
    """
    script = f"""{BEGINNING}
from sklearn.model_selection import cross_val_predict, train_test_split
from sklearn.preprocessing import OneHotEncoder
rng = np.random.default_rng(3)
answers = np.column_stack([rng.integers(0, 2, 900), rng.integers(1, 4, 900), rng.choice(["S", "C", "Q"], 900)])
labels = np.where(rng.random(900) < np.where(answers[:, 0] == "1", 0.9, 0.1), "yes", "no")
log = rng.normal(size=(60, 6))[rng.integers(0, 60, 900)]
model = make_pipeline(OneHotEncoder(), LogisticRegression())
for rows, kind in ((answers, model), (log, RandomForestClassifier(9, random_state=0))):
    known = labels if rows is answers else (rows[:, 0] > 0)
    for size in (0.3, 0.5):
        x, x_test, y, y_test = train_test_split(rows, known, test_size=size, random_state=1, stratify=known)
        kind.fit(x, y).score(x_test, y_test)
    cross_val_predict(kind, rows, known)
    kind.score(x, y)
    kind.score(x[99:199], y[99:199])
    kind.predict(x)
    kind.fit(rows, known).score(x_test, y_test)
x, x_test, y, y_test = train_test_split(answers, labels, test_size=0.2, random_state=1)
x_fit, x_validation, y_fit, y_validation = train_test_split(x, y, test_size=0.25, random_state=1)
model.fit(x, y).score(x_test, y_test)
"""
    result = run(sklearn_python, script, tmp_path)
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert [event for event in events if event["event"] == "fault"] == []
    seen = [event["seen"] for event in events if event["event"] in ("score", "predict")]
    assert {each["share"] >= 0.97 for each in seen} == {True}
    assert [each["part"] for each in seen] == [False, False, False, True, True, True, True] * 2 + [False]
    assert [each["refused"] for each in (*seen[:3], seen[-1])] == [False] * 4
    assert [each["refused"] for each in seen[7:10]] == [True] * 3


@pytest.mark.sklearn
def test_selector_that_was_fitted_on_the_test_rows_is_named(sklearn_python: Path, tmp_path: Path) -> None:
    """A model that is itself fitted on other rows is not blamed, and a model that was fitted on the test rows is."""
    script = f"""{BEGINNING}
from sklearn.feature_selection import SelectKBest
rng = np.random.default_rng(0)
x, y = rng.normal(size=(200, 30)), rng.integers(0, 2, 200)
selector = SelectKBest(k=5).fit(x[:150], y[:150])
selected = selector.transform(x)
tree.fit(selected[:100], y[:100])
for rows in (slice(100, 150), slice(50, 150), slice(100), slice(150, 200)):
    tree.score(selected[rows], y[rows])
"""
    result = run(sklearn_python, script, tmp_path)
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    seen = [event["seen"] for event in events if event["event"] == "score"]
    line = next(at for at, text in enumerate(script.splitlines(), 1) if text.startswith("selector"))
    assert [each["refused"] for each in seen] == [True] * 3 + [False]
    assert [each["learned"] for each in seen] == [{"of": "SelectKBest", "line": line}, None, None, None]


@pytest.mark.sklearn
def test_selectors_of_other_folds_are_not_blamed(sklearn_python: Path, tmp_path: Path) -> None:
    """Selectors that choose the same columns return the same rows. Only the model's own selector counts.

    A selector counts, too, if its columns are chosen again by one that was fitted on training rows alone.
    """
    script = f"""{BEGINNING}
from sklearn.feature_selection import SelectKBest
from sklearn.model_selection import KFold, train_test_split
rng = np.random.default_rng(0)
x, y = rng.normal(size=(200, 9)), rng.integers(0, 2, 200)
x[:, :2] += 9 * y[:, None]
folds = list(KFold(5, shuffle=True, random_state=0).split(x))
for train, test in folds:
    selector = SelectKBest(k=2).fit(x[train], y[train])
    tree.fit(selector.transform(x[train]), y[train]).score(selector.transform(x[test]), y[test])
for train, test in folds:
    selector = SelectKBest(k=2)
    z = selector.fit_transform(x[train], y[train])
    tree.fit(np.vstack([z, z[:20] + 0.1]), np.hstack([y[train], y[train][:20]]))
    tree.score(selector.transform(x[test]), y[test])
z = SelectKBest(k=3).fit_transform(x, y)
z_train, z_test, y_train, y_test = train_test_split(z, y, random_state=0)
tree.fit(z_train, y_train).score(z_test, y_test)
selector = SelectKBest(k=3).fit(z_train, y_train)
tree.fit(selector.transform(z_train), y_train).score(selector.transform(z_test), y_test)
"""
    result = run(sklearn_python, script, tmp_path)
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    refused = [event["seen"]["refused"] for event in events if event["event"] == "score"]
    assert refused == [False] * 10 + [True] * 2


WRAPPED = """
import json
import keras, numpy as np
from keras.wrappers import SKLearnClassifier
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import VotingClassifier
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

rng = np.random.default_rng(0)
rows, labels = rng.normal(size=(700, 4)), rng.integers(0, 2, 700)
x, y = rows[:100], labels[:100]
parts = iter(np.split(np.arange(100, 700), 12))
counts = []

def compiled(outputs, loss):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(outputs, "softmax")])
    model.compile("adam", loss, metrics=["accuracy"])
    return model

def wrapped():
    return SKLearnClassifier(compiled(2, "categorical_crossentropy"), fit_kwargs={"epochs": 1, "verbose": 0})

def begin(count):
    counts.append(count)
    part = next(parts)
    return rows[part], labels[part]

class Own(ClassifierMixin, BaseEstimator):
    def fit(self, x, y):
        self.classes_, self.network = np.unique(y), compiled(2, "sparse_categorical_crossentropy")
        self.network.fit(x, y, verbose=0)
        return self
    def predict(self, x):
        return self.network.predict(x, verbose=0).argmax(1)

class Extractor(Own):
    def transform(self, x):
        return self.network.predict(x, verbose=0)

class Scoring(Own):
    def score(self, x, y):
        return float(np.mean(self.predict(x) == y))

one, two, own = wrapped().fit(x, y), wrapped().fit(x, y), Own().fit(x, y)
x_test, y_test = begin(1)
one.score(x_test, y_test)
x_test, y_test = begin(1)
accuracy_score(y_test, one.predict(x_test))
one.score(x_test, y_test)
x_test, y_test = begin(2)
one.score(x_test, y_test)
two.score(x_test, y_test)
x_test, y_test = begin(2)
np.mean(one.predict(x_test) == y_test)
np.mean(two.predict(x_test) == y_test)
x_test, y_test = begin(2)
one.score(x_test, y_test)
one.fit(x, y).score(x_test, y_test)
x_test, y_test = begin(1)
make_pipeline("passthrough", wrapped()).fit(x, y).score(x_test, y_test)
x_test, y_test = begin(1)
VotingClassifier([("a", wrapped()), ("b", wrapped())]).fit(x, y).score(x_test, y_test)
x_test, y_test = begin(1)
own.score(x_test, y_test)
x_test, y_test = begin(2)  # its model is trained further, or replaced, without the estimator's knowledge
own.score(x_test, y_test)
own.network.fit(x, y, verbose=0)
own.score(x_test, y_test)
x_test, y_test = begin(2)
own.score(x_test, y_test)
own.network = Own().fit(x, y).network
own.score(x_test, y_test)
x_test, y_test = begin(2)
for c in (1, 100):
    make_pipeline(Extractor(), SVC(C=c)).fit(x, y).score(x_test, y_test)
x_test, y_test = begin(2)
for estimator in (Scoring(), Scoring()):
    estimator.fit(x, y).score(x_test, y_test)
print(json.dumps(counts))
"""


@pytest.mark.keras
def test_estimator_with_a_keras_model_counts_once(warm_keras_python: Path, tmp_path: Path) -> None:
    """The prediction of the Keras model is part of the estimator's, but every other state of either counts."""
    result = run(warm_keras_python, WRAPPED, tmp_path)

    assert result.returncode == 0, result.stderr
    recorded = parse_measurements((tmp_path / "out" / "metrics.jsonl").read_text())
    tested = dict.fromkeys(each.test_set for each in recorded.measurements if each.samples == 50)
    expected = json.loads(result.stdout.splitlines()[-1])
    assert [recorded.count_looks(each) for each in tested] == expected
    assert not [event for event in read_events(tmp_path) if event["event"] == "fault"]
