"""scikit-learn, whose splits and metrics are also used alongside other frameworks."""

from epochal.analysis.frameworks import DatasetCache, LogLines, Recorder, no_removed_apis
from epochal.folders import resource

TITLE = "scikit-learn"
IMPORTS = ("sklearn",)
IS_TOOL = True
PINS = resource("requirements") / "sklearn.txt"
DATASETS = DatasetCache(folder="scikit_learn", variable="SCIKIT_LEARN_DATA")
MODEL_SUFFIXES = (".joblib", ".pkl")
# A row of classification_report, or the line about one fold of a cross-validation.
LOG_LINES = LogLines(reports=r"^\s*\[CV")
RECORDER = Recorder(measures="score()")
find_removed_apis = no_removed_apis
