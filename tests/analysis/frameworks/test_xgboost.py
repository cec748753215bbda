"""The check for APIs that newer versions of XGBoost no longer have, and its agreement with the real XGBoost."""

import subprocess
from pathlib import Path

import pytest

from epochal.analysis.frameworks.xgboost import find_removed_apis

OLD = """\
import xgboost as xgb
from xgboost import XGBClassifier

model = XGBClassifier(n_estimators=5, use_label_encoder=False, tree_method="gpu_hist", gpu_id=0)
model.fit(
    x_train,
    y_train,
    eval_set=[(x_val, y_val)],
    eval_metric="logloss",
    early_stopping_rounds=5,
)
model.predict(x_test, ntree_limit=model.best_ntree_limit)
params = {
    "tree_method": "gpu_exact",
    "gpu_id": 0,
}
booster = xgb.train(params, data, feval=measure)
XGBClassifier(**params)
xgb.XGBRegressor().fit(x, y, callbacks=[])
"""

NEW = """\
import xgboost
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from xgboost import XGBClassifier

gpu_id = 0
settings = {"gpu_id": gpu_id}
model = XGBClassifier(eval_metric="logloss", early_stopping_rounds=5, callbacks=[], predictor="auto", device="cpu")
model.fit(x, y, eval_set=[(x, y)], verbose=False)
model.predict(x, iteration_range=(0, model.best_iteration + 1))
LGBMClassifier().fit(x, y, eval_metric="logloss", callbacks=[])
CatBoostClassifier().fit(x, y, early_stopping_rounds=5)
either = XGBClassifier()
either = LGBMClassifier()
either.fit(x, y, eval_metric="logloss")
given = XGBClassifier()
def fit(given):
    given.fit(x, y, eval_metric="logloss")
xgboost.train({"tree_method": "hist"}, data, custom_metric=measure, early_stopping_rounds=5)
"""


def test_removed_apis_are_found_at_once() -> None:
    """Each removed API is reported with its line and its replacement."""
    assert [(each.line, each.what, each.instead) for each in find_removed_apis(OLD)] == [
        (4, "'gpu_hist'", "'hist'"),
        (4, "gpu_id", 'device="cpu"'),
        (5, "fit(early_stopping_rounds=…)", "XGBClassifier(early_stopping_rounds=…)"),
        (5, "fit(eval_metric=…)", "XGBClassifier(eval_metric=…)"),
        (12, "best_ntree_limit", "best_iteration + 1"),
        (12, "predict(ntree_limit=…)", "predict(iteration_range=(0, …))"),
        (14, "'gpu_exact'", "'exact'"),
        (15, "gpu_id", "'device': 'cpu'"),
        (17, "feval", "custom_metric=…"),
        (19, "fit(callbacks=…)", "XGBRegressor(callbacks=…)"),
    ]


@pytest.mark.parametrize("source", [NEW, OLD.replace("xgb", "lgb").replace("XGB", "LGBM"), "import xgboost\nprint 1\n"])
def test_nothing_else_is_found(source: str) -> None:
    """Current arguments are fine, and so are the removed ones if they belong to another library."""
    assert find_removed_apis(source) == []


_DATA = "import numpy\nx = numpy.random.default_rng(0).normal(size=(99, 4))\ny = (x[:, 0] > 0).astype(int)\n"
_STOPS = "XGBClassifier(n_estimators=5, early_stopping_rounds=2).fit(x, y, eval_set=[(x, y)], verbose=False)"


@pytest.mark.sklearn
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("XGBClassifier(tree_method='gpu_hist').fit(x, y)", "XGBClassifier(tree_method='hist').fit(x, y)"),
        ("XGBClassifier(tree_method='gpu_exact').fit(x, y)", "XGBClassifier(tree_method='exact').fit(x, y)"),
        ("XGBClassifier(gpu_id=0).fit(x, y)", "XGBClassifier(device='cpu').fit(x, y)"),
        ("XGBClassifier().fit(x, y, eval_metric='logloss')", "XGBClassifier(eval_metric='logloss').fit(x, y)"),
        ("XGBClassifier().fit(x, y, callbacks=[])", "XGBClassifier(callbacks=[]).fit(x, y)"),
        ("XGBClassifier().fit(x, y, early_stopping_rounds=2, eval_set=[(x, y)])", _STOPS),
        (
            "XGBClassifier().fit(x, y).predict(x, ntree_limit=1)",
            "XGBClassifier().fit(x, y).predict(x, iteration_range=(0, 1))",
        ),
    ],
)
def test_real_xgboost_agrees(old: str, new: str, boosting_python: Path) -> None:
    """XGBoost rejects each use that is found and accepts its replacement."""
    begin = f"{_DATA}from xgboost import XGBClassifier\n"
    assert find_removed_apis(begin + old)
    assert not find_removed_apis(begin + new)
    for line, status in ((old, 1), (new, 0)):
        result = subprocess.run([boosting_python, "-c", begin + line], capture_output=True, text=True, check=False)
        assert result.returncode == status, result.stderr
