"""Calls and names that scikit-learn has removed. The table was checked against scikit-learn 1.9."""

import pytest

from epochal.analysis.frameworks import RemovedApi
from epochal.analysis.frameworks.sklearn import find_removed_apis


@pytest.mark.parametrize(
    ("old", "what", "new"),
    [
        (
            "from sklearn.cross_validation import train_test_split, cross_val_score as score",
            "sklearn.cross_validation",
            "from sklearn.model_selection import train_test_split, cross_val_score as score",
        ),
        (
            "from sklearn.cross_validation import KFold",
            "sklearn.cross_validation.KFold",
            "KFold(n_splits=…) from sklearn.model_selection, and its split(X, y) method",
        ),
        ("from sklearn import grid_search", "sklearn.grid_search", "from sklearn import model_selection"),
        ("import sklearn.grid_search", "sklearn.grid_search", "import sklearn.model_selection"),
        ("from sklearn.externals import joblib", "sklearn.externals.joblib", "import joblib"),
        ("from sklearn.externals.joblib import dump", "sklearn.externals.joblib", "from joblib import dump"),
        (
            "from sklearn.datasets.samples_generator import make_blobs",
            "sklearn.datasets.samples_generator",
            "from sklearn.datasets import make_blobs",
        ),
        (
            "from sklearn import metrics\nmetrics.plot_confusion_matrix(model, x, y)",
            "sklearn.metrics.plot_confusion_matrix",
            "ConfusionMatrixDisplay.from_estimator(…) from sklearn.metrics",
        ),
        (
            "from sklearn.preprocessing import OneHotEncoder as Encoder\nEncoder(sparse=False)",
            "OneHotEncoder(sparse=…)",
            "sparse_output=…",
        ),
    ],
)
def test_removed_name_is_reported_with_its_replacement(old: str, what: str, new: str) -> None:
    """For a name that has moved, the replacement is the new import statement."""
    (found, *others) = find_removed_apis(old)
    assert found == RemovedApi(old.count("\n") + 1, what, new)
    assert others == []


@pytest.mark.parametrize(
    "source",
    [
        "from sklearn.model_selection import KFold\nKFold(n_splits=3)\n",
        "from sklearn.preprocessing import OneHotEncoder\nOneHotEncoder(sparse_output=False)\n",
        "from scipy.sparse import random\nrandom(3, 3, sparse=True)\n",
        "try:\n    from sklearn.svm import SVC\nexcept ImportError:\n    from sklearn.cross_validation import KFold\n",
        "import sklearn\nif sklearn.__version__ < '0.20':\n    from sklearn.grid_search import GridSearchCV\n",
        "from sklearn.grid_search import = ",
    ],
)
def test_current_code_is_not_reported(source: str) -> None:
    """Code that checks the version or catches ImportError is not reported either, nor is code with a syntax error."""
    assert find_removed_apis(source) == []
