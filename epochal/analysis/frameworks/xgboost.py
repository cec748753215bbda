"""XGBoost. Its estimators' scores are recorded like scikit-learn's."""

from epochal.analysis.frameworks import LogLines, Recorder, no_removed_apis
from epochal.folders import resource

TITLE = "XGBoost"
IMPORTS = ("xgboost",)
RANK = 1
PINS = resource("requirements") / "xgboost.txt"
DATASETS = None
MODEL_SUFFIXES = (".ubj", ".bst", ".joblib", ".pkl")
# "[0]\tvalidation_0-logloss:0.61", one line per round.
LOG_LINES = LogLines(progress=r"\s*\[\d+\]\s+\S+-\S+:")
RECORDER = Recorder()
SET_EPOCHS = (
    "Write epochs = 100 at the top of the script, and pass it on as the number of trees: n_estimators=epochs or "
    "num_boost_round=epochs."
)
find_removed_apis = no_removed_apis
