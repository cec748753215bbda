"""scikit-learn, whose splits and metrics are also used alongside other frameworks."""

from epochal.analysis.frameworks import DatasetCache, LogLines, Recorder, no_removed_apis
from epochal.folders import resource

# The functions of sklearn.datasets that each download one fixed dataset.
_FETCHERS = (
    "fetch_20newsgroups",
    "fetch_20newsgroups_vectorized",
    "fetch_california_housing",
    "fetch_covtype",
    "fetch_kddcup99",
    "fetch_lfw_pairs",
    "fetch_lfw_people",
    "fetch_olivetti_faces",
    "fetch_rcv1",
    "fetch_species_distributions",
)

TITLE = "scikit-learn"
IMPORTS = ("sklearn",)
RANK = 2
PINS = resource("requirements") / "sklearn.txt"
DATASETS = DatasetCache(
    folder="scikit_learn",
    variable="SCIKIT_LEARN_DATA",
    scripts={name: f"from sklearn.datasets import {name}; {name}()" for name in _FETCHERS},
    module=r"sklearn/datasets/_\w+\.py (?P<name>fetch_\w+)",
)
MODEL_SUFFIXES = (".joblib", ".pkl")
# A line about one fold of a cross-validation: "[CV 1/5] END …".
LOG_LINES = LogLines(reports=r"^\s*\[CV")
RECORDER = Recorder(measures="score()")
SET_EPOCHS = (
    "Use a model that trains in epochs, as in MLPClassifier(max_iter=200), or pass hyperparameters of the model as keywords, as "
    "in SVC(C=1.0), so that they can be searched."
)
find_removed_apis = no_removed_apis
