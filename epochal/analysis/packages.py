"""Find the packages that provide modules, and the system libraries that packages load."""

import re
import sys
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

_PACKAGES = {
    "Bio": "biopython",
    "Crypto": "pycryptodome",
    "IPython": "ipython",
    "Levenshtein": "levenshtein",
    "OpenGL": "PyOpenGL",
    "OpenSSL": "pyOpenSSL",
    "PIL": "pillow",
    "absl": "absl-py",
    "attr": "attrs",
    "bayes_opt": "bayesian-optimization",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "distutils": "setuptools",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "faiss": "faiss-cpu",
    "fitz": "PyMuPDF",
    "git": "GitPython",
    "haiku": "dm-haiku",
    "hydra": "hydra-core",
    "imblearn": "imbalanced-learn",
    "jwt": "PyJWT",
    "kerastuner": "keras-tuner",
    "magic": "python-magic",
    "mpl_toolkits": "matplotlib",
    "pandas_profiling": "ydata-profiling",
    "pkg_resources": "setuptools<82",
    "psycopg2": "psycopg2-binary",
    "pylab": "matplotlib",
    "pywt": "PyWavelets",
    "pynvml": "nvidia-ml-py",
    "ruamel": "ruamel.yaml",
    "scikitplot": "scikit-plot",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "sklearn_extra": "scikit-learn-extra",
    "skmultilearn": "scikit-multilearn",
    "skopt": "scikit-optimize",
    "speech_recognition": "SpeechRecognition",
    "tree": "dm-tree",
    "umap": "umap-learn",
    "yaml": "PyYAML",
    "zmq": "pyzmq",
}
"""Packages whose names differ from those of their modules, by module. pkg_resources needs setuptools 81 or older."""

_NOT_PACKAGES = {
    "cv2": "opencv-python-headless",
    "opencv": "opencv-python-headless",
    "pil": "pillow",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "tensorflow-gpu": "tensorflow",
    "yaml": "PyYAML",
}
"""Wrong package names, in lower case, each with the package that users mean by it."""

_SAME_NAME_TEXT = """
accelerate albumentations altair bokeh catboost category_encoders chardet click cloudpickle comet_ml cvxpy dask
datasets deap diffusers efficientnet_pytorch einops evaluate fastai flax fsspec ftfy gensim gdown graphviz gym
gymnasium h5py huggingface_hub hyperopt imageio imgaug jax jieba joblib kagglehub keras keras_cv keras_hub keras_nlp
keras_tuner kornia librosa lightgbm lightning lime loguru matplotlib medmnist ml_collections mlflow mlxtend monai
mplcursors neptune networkx nibabel nltk numba numpy omegaconf opacus openpyxl optax optuna orjson pandas patsy peft
plotly polars prettytable psutil pyarrow pycocotools pydicom pydot pygame pytesseract pytorch_lightning ray regex
requests rich sacrebleu sacremoses scipy seaborn segmentation_models segmentation_models_pytorch
sentence_transformers sentencepiece shap simplejson sounddevice soundfile spacy sqlalchemy statsmodels sympy
tabulate tensorboard tensorboardX tensorflow tensorflow_datasets tensorflow_hub tensorflow_probability
tensorflow_text textblob thop timm tokenizers toml torch torch_geometric torchaudio torchinfo torchmetrics
torchsummary torchtext torchvision tqdm transformers typer visualkeras wandb wordcloud xarray xgboost xlrd
"""
_SAME_NAME = frozenset(_SAME_NAME_TEXT.split())
"""Well-known modules that have the same name as their package. If one cannot be imported, the package is missing."""

_ELSEWHERE = {
    "google.colab": "Google Colab",
    "kaggle_datasets": "Kaggle",
    "kaggle_secrets": "Kaggle",
    "kaggle_web_client": "Kaggle",
    "dbutils": "Databricks",
    "azureml": "Azure",
}
"""Modules that exist only on a hosted platform, with the platform's name."""

PYTHON_2_MODULES = {
    "ConfigParser": "configparser",
    "HTMLParser": "html.parser",
    "Queue": "queue",
    "StringIO": "io",
    "Tkinter": "tkinter",
    "__builtin__": "builtins",
    "cPickle": "pickle",
    "cStringIO": "io",
    "commands": "subprocess",
    "cookielib": "http.cookiejar",
    "copy_reg": "copyreg",
    "httplib": "http.client",
    "tkMessageBox": "tkinter.messagebox",
    "urllib2": "urllib.request",
    "urlparse": "urllib.parse",
}
"""Python 2 modules, with the Python 3 modules that replace them."""

_SKLEARN_TEXT = """
base calibration cluster compose covariance cross_decomposition datasets decomposition discriminant_analysis dummy
ensemble exceptions experimental feature_extraction feature_selection gaussian_process impute inspection isotonic
kernel_approximation kernel_ridge linear_model manifold metrics mixture model_selection multiclass multioutput
naive_bayes neighbors neural_network pipeline preprocessing random_projection semi_supervised svm tree utils
"""
_METRICS_TEXT = """
ConfusionMatrixDisplay RocCurveDisplay accuracy_score auc average_precision_score balanced_accuracy_score
classification_report cohen_kappa_score confusion_matrix confusion_matrix_at_thresholds d2_log_loss_score f1_score
fbeta_score hamming_loss jaccard_score log_loss make_scorer matthews_corrcoef mean_absolute_error
mean_absolute_percentage_error mean_squared_error precision_recall_curve precision_recall_fscore_support
precision_score r2_score recall_score roc_auc_score roc_curve root_mean_squared_error root_mean_squared_log_error
silhouette_score top_k_accuracy_score zero_one_loss
"""
_SELECTION_TEXT = """
GridSearchCV GroupKFold GroupShuffleSplit KFold LeaveOneGroupOut LeaveOneOut ParameterGrid ParameterSampler
PredefinedSplit RandomizedSearchCV RepeatedKFold RepeatedStratifiedKFold ShuffleSplit StratifiedGroupKFold
StratifiedKFold StratifiedShuffleSplit TimeSeriesSplit cross_val_predict cross_val_score cross_validate learning_curve
permutation_test_score train_test_split validation_curve
"""
_PREPROCESSING_TEXT = """
Binarizer FunctionTransformer KBinsDiscretizer LabelBinarizer LabelEncoder MaxAbsScaler MinMaxScaler
MultiLabelBinarizer Normalizer OneHotEncoder OrdinalEncoder PolynomialFeatures PowerTransformer QuantileTransformer
RobustScaler SplineTransformer StandardScaler TargetEncoder label_binarize normalize scale
"""
_ENSEMBLE_TEXT = """
AdaBoostClassifier AdaBoostRegressor BaggingClassifier BaggingRegressor ExtraTreesClassifier ExtraTreesRegressor
GradientBoostingClassifier GradientBoostingRegressor HistGradientBoostingClassifier HistGradientBoostingRegressor
IsolationForest RandomForestClassifier RandomForestRegressor StackingClassifier StackingRegressor VotingClassifier
VotingRegressor
"""
_LINEAR_MODEL_TEXT = """
BayesianRidge ElasticNet Lasso LinearRegression LogisticRegression LogisticRegressionCV PassiveAggressiveClassifier
Perceptron Ridge RidgeClassifier SGDClassifier SGDRegressor
"""
_DATASETS_TEXT = """
fetch_20newsgroups fetch_california_housing fetch_covtype fetch_lfw_people fetch_olivetti_faces fetch_openml
load_breast_cancer load_diabetes load_digits load_files load_iris load_linnerud load_wine make_blobs make_circles
make_classification make_moons make_regression make_swiss_roll
"""
_CONTENTS = {
    "sklearn": _SKLEARN_TEXT.split(),
    "sklearn.datasets": _DATASETS_TEXT.split(),
    "sklearn.ensemble": _ENSEMBLE_TEXT.split(),
    "sklearn.linear_model": _LINEAR_MODEL_TEXT.split(),
    "sklearn.metrics": _METRICS_TEXT.split(),
    "sklearn.model_selection": _SELECTION_TEXT.split(),
    "sklearn.naive_bayes": ["BernoulliNB", "CategoricalNB", "ComplementNB", "GaussianNB", "MultinomialNB"],
    "sklearn.neighbors": ["KNeighborsClassifier", "KNeighborsRegressor", "NearestCentroid", "NearestNeighbors"],
    "sklearn.neural_network": ["BernoulliRBM", "MLPClassifier", "MLPRegressor"],
    "sklearn.pipeline": ["FeatureUnion", "Pipeline", "make_pipeline", "make_union"],
    "sklearn.preprocessing": _PREPROCESSING_TEXT.split(),
    "sklearn.svm": ["LinearSVC", "LinearSVR", "NuSVC", "NuSVR", "OneClassSVM", "SVC", "SVR"],
    "sklearn.tree": ["DecisionTreeClassifier", "DecisionTreeRegressor", "export_text", "plot_tree"],
}
"""The names in each module that are suggested in place of misspelled ones. Some rarely used names are left out."""

_REPLACEMENTS = {
    "numpy.Inf": "np.inf",
    "numpy.NaN": "np.nan",
    "numpy.alltrue": "np.all",
    "numpy.asfarray": "np.asarray",
    "numpy.bool": "bool",
    "numpy.complex": "complex",
    "numpy.complex_": "np.complex128",
    "numpy.cumproduct": "np.cumprod",
    "numpy.float": "float or np.float64",
    "numpy.float_": "np.float64",
    "numpy.in1d": "np.isin",
    "numpy.infty": "np.inf",
    "numpy.int": "int or np.int64",
    "numpy.object": "object",
    "numpy.product": "np.prod",
    "numpy.round_": "np.round",
    "numpy.row_stack": "np.vstack",
    "numpy.sometrue": "np.any",
    "numpy.str": "str",
    "numpy.trapz": "np.trapezoid",
    "numpy.unicode": "str",
    "numpy.unicode_": "np.str_",
    "scipy.misc.ascent": "scipy.datasets.ascent",
    "scipy.misc.comb": "scipy.special.comb",
    "scipy.misc.face": "scipy.datasets.face",
    "scipy.misc.factorial": "scipy.special.factorial",
    "scipy.misc.imread": "imageio.imread (package imageio)",
    "scipy.misc.imresize": "PIL.Image.Image.resize (package pillow)",
    "scipy.misc.imsave": "imageio.imwrite (package imageio)",
    "scipy.misc.logsumexp": "scipy.special.logsumexp",
}
"""Names that NumPy and SciPy have removed, with their replacements, for error messages that do not say what to use instead."""

_GONE_WITH_NUMPY_2_TEXT = """
AxisError ComplexWarning Inf ModuleDeprecationWarning NaN RankWarning TooHardError VisibleDeprecationWarning alltrue
asfarray cast cumproduct find_common_type float_ infty obj2sctype product round_ sctypes sometrue unicode_
"""
_GONE_WITH_NUMPY_2 = frozenset(_GONE_WITH_NUMPY_2_TEXT.split())

_LOADED_FIRST_TEXT = """
abc atexit builtins codecs collections encodings enum errno faulthandler functools gc genericpath importlib io itertools
keyword marshal operator os posix posixpath pwd reprlib signal site stat sys threading time types warnings zipimport
"""
_LOADED_FIRST = frozenset(_LOADED_FIRST_TEXT.split())
"""Modules that are loaded before the script starts or are part of the interpreter, so no file of the same name can hide them."""

_GPU = frozenset({"apex", "bitsandbytes", "cudf", "cuml", "cupy", "flash_attn", "pycuda", "tensorrt", "xformers"})


@dataclass(frozen=True)
class SystemLibrary:
    """A library or program that pip does not install, such as ``PortAudio``.

    ``debian``: the Debian package that contains it; empty if unknown. ``kind``: ``system library`` or ``program``.
    """

    name: str
    debian: str = ""
    kind: str = "system library"


_LIBRARIES = {
    "libGL": "libgl1",
    "libEGL": "libegl1",
    "libglib-2.0": "libglib2.0-0",
    "libgthread-2.0": "libglib2.0-0",
    "libSM": "libsm6",
    "libICE": "libice6",
    "libXext": "libxext6",
    "libXrender": "libxrender1",
    "libX11": "libx11-6",
    "libxcb": "libxcb1",
    "libsndfile": "libsndfile1",
    "libportaudio": "libportaudio2",
    "libgomp": "libgomp1",
    "libzbar": "libzbar0",
    "libpq": "libpq5",
    "libspatialindex": "libspatialindex6",
    "libspatialindex_c": "libspatialindex6",
    "libmagic": "libmagic1",
    "libtk8": "python3-tk",
    "libtcl8": "python3-tk",
    "libusb-1.0": "libusb-1.0-0",
    "libsox": "libsox3",
    "libopenblas": "libopenblas0",
    "libgeos_c": "libgeos-c1v5",
    "libcairo": "libcairo2",
    "libmysqlclient": "libmariadb3",
    "libodbc": "unixodbc",
    "libfluidsynth": "libfluidsynth3",
}
_MISSING_LIBRARY = re.compile(r"(?P<file>(?P<name>lib[\w.+-]*?)\.so[\w.]*): cannot open shared object file")
_NAMED_LIBRARIES = (
    (re.compile(r"PortAudio library not found"), SystemLibrary("PortAudio", "libportaudio2")),
    (re.compile(r"sndfile library not found"), SystemLibrary("libsndfile", "libsndfile1")),
    (re.compile(r"failed to find libmagic"), SystemLibrary("libmagic", "libmagic1")),
    (re.compile(r"Unable to find zbar shared library"), SystemLibrary("zbar", "libzbar0")),
    (re.compile(r"no library called \"?cairo"), SystemLibrary("Cairo", "libcairo2")),
    (
        re.compile(r"could not find or load spatialindex", re.IGNORECASE),
        SystemLibrary("spatialindex", "libspatialindex6"),
    ),
    (re.compile(r"tesseract is not installed"), SystemLibrary("Tesseract", "tesseract-ocr", "program")),
    (re.compile(r"No module named '_?tkinter'"), SystemLibrary("Tk", "python3-tk")),
    (re.compile(r"No such file or directory: '(?:/\S*/)?ffmpeg'"), SystemLibrary("FFmpeg", "ffmpeg", "program")),
    (
        re.compile(r"No such file or directory: '(?:/\S*/)?(?:dot|graphviz)'"),
        SystemLibrary("Graphviz", "graphviz", "program"),
    ),
    (
        re.compile(r"No such file or directory: '(?:/\S*/)?java'|JAVA_HOME is not set"),
        SystemLibrary("Java", "default-jre", "program"),
    ),
    (re.compile(r"failed to execute .*'dot'|Graphviz executables"), SystemLibrary("Graphviz", "graphviz", "program")),
)
_GPU_LIBRARY = re.compile(r"lib(?:cuda|cudart|cublas|cudnn|cufft|curand|cusolver|cusparse|nccl|nvrtc|nvinfer)\b")


def find_package(module: str) -> str:
    """Return the package that provides a module, named as in requirements.txt; empty if unknown."""
    top = module.partition(".")[0]
    if module.startswith("google.protobuf"):
        return "protobuf"
    if module.startswith("google.cloud."):
        return "-".join(module.split(".")[:3])
    if top in _PACKAGES:
        return _PACKAGES[top]
    return top.replace("_", "-") if top in _SAME_NAME else ""


def find_intended_package(requirement: str) -> str:
    """Return the package meant by a wrong name in a requirement (``sklearn``, ``tensorflow-gpu``); empty for any other name."""
    return _NOT_PACKAGES.get(requirement.lower().replace("_", "-"), "")


def can_provide(module: str, name: str) -> bool:
    """Return whether ``module``, a package or standard-library module, provides ``name`` if no file shadows the module.

    Every known package is assumed to do so. A standard-library module does so if its file contains ``name``. For modules
    that no file can shadow, return False.
    """
    if find_package(module):
        return True
    spec = find_spec(module) if module in sys.stdlib_module_names - _LOADED_FIRST else None
    origin = Path(spec.origin) if spec and spec.origin else None
    return bool(origin and origin.is_file() and re.search(rb"\b%s\b" % name.encode(), origin.read_bytes()))


def describe_module(module: str) -> str:
    """Return how messages refer to a top-level module: ``Python's random module`` or ``the package keras``."""
    return f"Python's {module} module" if module in sys.stdlib_module_names else f"the package {module}"


def find_similar_module(module: str, similarity: float = 0.6) -> str:
    """Return the submodule that a misspelled one was meant to be: ``sklearn.svm`` for ``sklearn.smv``; empty if unknown.

    ``similarity``: the minimum similarity of the two names, as in ``difflib.get_close_matches``.
    """
    top, _, rest = module.partition(".")
    found = get_close_matches(rest.partition(".")[0], _CONTENTS.get(top, ()), n=1, cutoff=similarity)
    return f"{top}.{found[0]}" if found else ""


def find_similar_names(module: str, name: str) -> list[str]:
    """Return at most three names in ``module`` that start with ``name``, or else the most similar name, if any.

    The list is empty if some version of the module has ``name`` itself.
    """
    known = _CONTENTS.get(module, ())
    starting = [each for each in known if each.lower().startswith(name.lower())][:3]
    return [] if name in known else starting or get_close_matches(name, known, n=1)


def explain_replaced(name: str) -> str:
    """Return what to use instead of a name removed from NumPy or SciPy (``numpy.product``); empty for other names."""
    if name not in _REPLACEMENTS:
        return ""
    title = "NumPy" if name.startswith("numpy.") else "SciPy"
    return f"{title} has removed {name.replace('numpy.', 'np.')}: write {_REPLACEMENTS[name]} instead."


def needs_numpy_1(name: str) -> bool:
    """Return whether ``name``, a full name such as ``numpy.Inf``, exists in NumPy 1 but not in NumPy 2."""
    return name.startswith("numpy.") and name.rpartition(".")[2] in _GONE_WITH_NUMPY_2


def find_service(module: str) -> str:
    """Return the hosted platform, such as Kaggle, that a module is exclusive to; empty for any other module."""
    return next((name for known, name in _ELSEWHERE.items() if f"{module}.".startswith(f"{known}.")), "")


def needs_gpu(text: str) -> bool:
    """Return whether ``text`` (a module's name or an error message) refers to a library that only GPU machines have."""
    return text.partition(".")[0] in _GPU or bool(_GPU_LIBRARY.search(text))


def explain_gpu_module(module: str) -> tuple[str, str]:
    """Return why a module for which ``needs_gpu`` is true cannot be used, and what to do about it."""
    return (
        f"{module} works only on a GPU, but training runs without one.",
        "Remove the import, or import the module only if a GPU is available.",
    )


def find_system_library(message: str) -> SystemLibrary | None:
    """Return the system library that an error message says is missing, or None."""
    for pattern, library in _NAMED_LIBRARIES:
        if pattern.search(message):
            return library
    missing = _MISSING_LIBRARY.search(message)
    if missing is None:
        return None
    name = missing["name"]
    known = (
        package
        for library, package in _LIBRARIES.items()
        if name.rstrip("0123456789.-") == library.rstrip("0123456789.-")
    )
    return SystemLibrary(missing["file"], next(known, ""))
