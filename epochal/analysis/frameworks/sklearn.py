"""scikit-learn, whose splits and metrics are also used alongside other frameworks.

The tables list names and keyword arguments that scikit-learn has removed. Each entry was tested with scikit-learn 1.9.
"""

import ast
from collections.abc import Iterator

from epochal.analysis.frameworks import DatasetCache, LogLines, Recorder, RemovedApi, find_removed_names
from epochal.analysis.syntax import full_name, parse_tree, resolve_imports
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
SET_EPOCHS = "Use a model that trains in epochs, such as MLPClassifier(max_iter=50)."

_SPLITTERS = {
    "KFold": "n_splits=…",
    "LeaveOneOut": "",
    "ShuffleSplit": "n_splits=…, test_size=…",
    "StratifiedKFold": "n_splits=…",
    "StratifiedShuffleSplit": "n_splits=…, test_size=…",
}

_REMOVED = {
    **{
        f"sklearn.cross_validation.{name}": f"{name}({arguments}) from sklearn.model_selection, and its split(X, y) method"
        for name, arguments in _SPLITTERS.items()
    },
    "sklearn.covariance.GraphLasso": "sklearn.covariance.GraphicalLasso",
    "sklearn.cross_validation": "sklearn.model_selection",
    "sklearn.datasets.base": "sklearn.datasets",
    "sklearn.datasets.fetch_mldata": "fetch_openml from sklearn.datasets, with OpenML's name for the dataset",
    "sklearn.datasets.load_boston": "another dataset, such as fetch_california_housing from sklearn.datasets",
    "sklearn.datasets.samples_generator": "sklearn.datasets",
    "sklearn.decomposition.RandomizedPCA": 'PCA(svd_solver="randomized") from sklearn.decomposition',
    "sklearn.decomposition.pca": "sklearn.decomposition",
    "sklearn.ensemble.forest": "sklearn.ensemble",
    "sklearn.ensemble.gradient_boosting": "sklearn.ensemble",
    "sklearn.externals.joblib": "joblib",
    "sklearn.externals.six": "six",
    "sklearn.grid_search": "sklearn.model_selection",
    "sklearn.inspection.plot_partial_dependence": (
        "PartialDependenceDisplay.from_estimator(…) from sklearn.inspection"
    ),
    "sklearn.lda.LDA": "LinearDiscriminantAnalysis from sklearn.discriminant_analysis",
    "sklearn.learning_curve": "sklearn.model_selection",
    "sklearn.linear_model.logistic": "sklearn.linear_model",
    "sklearn.metrics.calinski_harabaz_score": "sklearn.metrics.calinski_harabasz_score",
    "sklearn.metrics.classification": "sklearn.metrics",
    "sklearn.metrics.jaccard_similarity_score": "jaccard_score or accuracy_score from sklearn.metrics",
    "sklearn.metrics.plot_confusion_matrix": "ConfusionMatrixDisplay.from_estimator(…) from sklearn.metrics",
    "sklearn.metrics.plot_det_curve": "DetCurveDisplay.from_estimator(…) from sklearn.metrics",
    "sklearn.metrics.plot_precision_recall_curve": "PrecisionRecallDisplay.from_estimator(…) from sklearn.metrics",
    "sklearn.metrics.plot_roc_curve": "RocCurveDisplay.from_estimator(…) from sklearn.metrics",
    "sklearn.metrics.ranking": "sklearn.metrics",
    "sklearn.metrics.scorer": "sklearn.metrics",
    "sklearn.mixture.GMM": "GaussianMixture from sklearn.mixture",
    "sklearn.neighbors.classification": "sklearn.neighbors",
    "sklearn.neural_network.multilayer_perceptron": "sklearn.neural_network",
    "sklearn.preprocessing.Imputer": "SimpleImputer from sklearn.impute, without the axis argument",
    "sklearn.preprocessing.data": "sklearn.preprocessing",
    "sklearn.preprocessing.label": "sklearn.preprocessing",
    "sklearn.qda.QDA": "QuadraticDiscriminantAnalysis from sklearn.discriminant_analysis",
    "sklearn.svm.classes": "sklearn.svm",
    "sklearn.tree.tree": "sklearn.tree",
    "sklearn.utils.testing": "numpy.testing or pytest",
}
"""Names and modules that scikit-learn has removed, with their replacements."""

_REMOVED_KEYWORDS = {
    "sklearn.cluster.KMeans": {"n_jobs": "KMeans without this argument"},
    "sklearn.ensemble.AdaBoostClassifier": {"base_estimator": "estimator=…"},
    "sklearn.ensemble.BaggingClassifier": {"base_estimator": "estimator=…"},
    "sklearn.linear_model.LinearRegression": {"normalize": "a StandardScaler before the model"},
    "sklearn.linear_model.SGDClassifier": {"n_iter": "max_iter=…"},
    "sklearn.model_selection.GridSearchCV": {"iid": "GridSearchCV without this argument"},
    "sklearn.model_selection.KFold": {"n_folds": "n_splits=…"},
    "sklearn.model_selection.StratifiedKFold": {"n_folds": "n_splits=…"},
    "sklearn.preprocessing.OneHotEncoder": {"sparse": "sparse_output=…"},
}
"""Removed keyword arguments, with their replacements, by class."""


def find_removed_apis(source: str) -> list[RemovedApi]:
    """Return each place in a module's ``source`` that uses an API removed from scikit-learn, in line order."""
    tree = parse_tree(source)
    keywords = _check_keywords(tree) if tree else ()
    return sorted([*find_removed_names(source, _REMOVED), *keywords], key=lambda removed: (removed.line, removed.what))


def _check_keywords(tree: ast.Module) -> Iterator[RemovedApi]:
    names = resolve_imports(tree)
    for call in ast.walk(tree):
        callee = full_name(call.func, names) if isinstance(call, ast.Call) else ""
        for keyword in call.keywords if isinstance(call, ast.Call) and callee in _REMOVED_KEYWORDS else ():
            if instead := _REMOVED_KEYWORDS[callee].get(keyword.arg or ""):
                what = f"{callee.rpartition('.')[2]}({keyword.arg}=…)"
                yield RemovedApi(keyword.value.lineno, what, instead)
