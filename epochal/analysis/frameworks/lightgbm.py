"""LightGBM. Its estimators' scores are recorded like scikit-learn's."""

from epochal.analysis.frameworks import LogLines, Recorder, no_removed_apis
from epochal.folders import resource

TITLE = "LightGBM"
IMPORTS = ("lightgbm",)
RANK = 1
PINS = resource("requirements") / "lightgbm.txt"
DATASETS = None
MODEL_SUFFIXES = (".lgb", ".joblib", ".pkl")
# "[1]\tvalid_0's binary_logloss: 0.61", one line per round, and "[LightGBM] [Info] …".
LOG_LINES = LogLines(progress=r"\s*\[(?:\d+\]\s+\S+'s \S+:|LightGBM\]\s)")
RECORDER = Recorder()
SET_EPOCHS = (
    "Write epochs = 100 at the top of the script, and pass it as the number of trees: n_estimators=epochs or "
    "num_boost_round=epochs."
)
find_removed_apis = no_removed_apis
