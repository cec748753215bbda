"""The boosting rounds of XGBoost and LightGBM are counted without affecting the script."""

import json
from pathlib import Path

import pytest

from epochal.results.epochs import TrainedEpochs, count_epochs
from tests.recorder.test_recorder import run

_SCRIPT = """
import lightgbm as lgb
import xgboost as xgb
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

x, x_test, y, y_test = train_test_split(*load_breast_cancer(return_X_y=True), random_state=0)
train, test = xgb.DMatrix(x, y), xgb.DMatrix(x_test, y_test)
stopped = xgb.train({"objective": "binary:logistic"}, train, 300, evals=[(test, "test")], early_stopping_rounds=3)
assert 4 <= stopped.num_boosted_rounds() < 300
xgb.XGBClassifier(n_estimators=7).fit(x, y)
stop = lgb.early_stopping(100)
data = lgb.Dataset(x, y), lgb.Dataset(x_test, y_test)
lgb.train({"num_iterations": 9, "verbose": -1}, data[0], valid_sets=[data[1]], callbacks=[stop])
lgb.LGBMClassifier(n_estimators=8, verbose=-1).fit(x, y, eval_set=[(x_test, y_test)], callbacks=[stop])
try:
    xgb.train({})
except TypeError as error:
    assert "dtrain" in str(error)
print(stopped.num_boosted_rounds())
"""


@pytest.mark.sklearn
def test_boosting_rounds_are_counted(boosting_python: Path, tmp_path: Path) -> None:
    """Rounds are counted whichever function or parameter limits them, even if early stopping ends training first."""
    result = run(boosting_python, _SCRIPT, tmp_path)
    assert result.returncode == 0, result.stderr
    stopped = int(result.stdout.split()[-1])
    metrics = (tmp_path / "out" / "metrics.jsonl").read_text()
    events = [json.loads(line) for line in metrics.splitlines()]
    assert [event for event in events if event["event"] == "fault"] == []
    assert [(event["of"], event["trained"], event["limit"]) for event in events if event["event"] == "iterations"] == [
        ("xgboost", stopped, 300),
        ("xgboost", 7, 7),
        ("lightgbm", 9, 9),
        ("lightgbm", 8, 8),
    ]
    counted = TrainedEpochs(stopped + 24, frozenset({300, 7, 9, 8}), are_iterations=True)
    assert count_epochs(metrics, "") == counted
