"""Translate a conda environment.yml into pip requirements, if Epochal knows each package's name on PyPI."""

import math
import re
from itertools import takewhile
from typing import Any

import yaml

from epochal.analysis.requirements import find_refused, strip_comments
from epochal.errors import Reason, RunFailed
from epochal.grammar import join_words

_LEFT_OUT = """
cpuonly cuda cuda-toolkit cuda-version cudatoolkit cudnn intel-openmp ipykernel ipython jupyter jupyterlab
llvm-openmp mkl nb_conda_kernels nomkl notebook openssl pip python python_abi pytorch-cuda pytorch-mutex
setuptools wheel
""".split()  # noqa: SIM905 (a list of names reads better without quotes)
"""Conda packages that are left out.

The training environment has them already, does not need them, or gets them as part of pip packages.
"""

_RENAMED = {
    "dask-core": "dask",
    "matplotlib-base": "matplotlib",
    "msgpack-python": "msgpack",
    "opencv": "opencv-python-headless",
    "py-opencv": "opencv-python-headless",
    "py-xgboost": "xgboost",
    "pytables": "tables",
    "python-graphviz": "graphviz",
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "seaborn-base": "seaborn",
    "tensorflow-base": "tensorflow",
    "tensorflow-gpu": "tensorflow",
}
"""Packages that have different names in conda and on PyPI: a mapping from the conda name to the name on PyPI."""

_SAME = """
absl-py accelerate albumentations beautifulsoup4 bokeh catboost click cloudpickle cython dask datasets einops
evaluate fastai filelock flax gensim gym gymnasium h5py huggingface_hub hydra-core imageio imbalanced-learn
jax jaxlib jinja2 joblib keras keras-tuner librosa lightgbm lightning lxml matplotlib mlflow networkx nibabel
nltk numba numexpr numpy omegaconf onnx onnxruntime openpyxl optax optuna packaging pandas patsy pillow plotly
polars protobuf psutil pyarrow pydantic pydicom pydot pyspark python-dateutil python-dotenv pytorch-lightning
pytorch-metric-learning pytz pywavelets pyyaml regex requests rich safetensors scikit-image scikit-learn scipy
seaborn sentencepiece shap six soundfile spacy statsmodels sympy tabulate tensorboard tensorflow
tensorflow-cpu tensorflow-datasets tensorflow-hub tensorflow-probability timm tokenizers torchaudio
torchmetrics torchvision tqdm transformers umap-learn wandb xarray xgboost xlrd
""".split()  # noqa: SIM905
"""Packages that have the same name in conda and on PyPI."""

_SPEC = re.compile(r"(?:[\w.-]+(?:/[\w.-]+)?::)?([\w.-]+)\s*(.*)", re.DOTALL)
_CONFLICT = re.compile(r"^(?:<{7}|>{7})(?= |$)", re.MULTILINE)
_UNEXPECTED = ("but found '<scalar>'", "but got '<scalar>'", "but got ':'")
"""How PyYAML's error messages end if text follows the end of a value, for example because of an unclosed quote."""
_COMMENT = re.compile(r"(?:^|\s)#")
_PLAIN = re.compile(r"[\w.*+!]+")
_SEPARATOR = re.compile(r"[\s,]+(?=[A-Za-z])")
"""Matches what separates requirements written on one line, but not the comma in ``numpy>=1, <2``."""


def conda_to_pip(text: str, source: str) -> str:
    """Translate ``text``, the contents of an environment.yml, into requirements, one package per line.

    Python itself is left out, because training uses the same Python version as Epochal. ``source``: the file's name,
    for messages. Raises RunFailed(REFUSED_REQUIREMENT) if something cannot be translated.
    """
    if conflict := _CONFLICT.search(text):
        line = text.count("\n", 0, conflict.start()) + 1
        raise _error(f"{source} line {line}: the file contains a merge conflict. Resolve it and commit the result")
    try:
        content = yaml.safe_load(text)
        dependencies = content["dependencies"]
    except yaml.MarkedYAMLError as error:
        where, problem = _explain_fault(error, text)
        raise _error(f"{source}{where}: the file is not valid YAML ({problem}). Correct it") from None
    except (yaml.YAMLError, RecursionError):
        raise _error(f"{source}: the file is not valid YAML. Correct it") from None
    except (TypeError, KeyError):
        raise _refusal(source, "the file has no list of dependencies") from None
    if not isinstance(dependencies, list):
        raise _refusal(source, "the dependencies are not a list")
    unknown: list[str] = []
    lines: list[str] = []
    for position, dependency in enumerate(dependencies):
        translated = _translate(dependency, unknown)
        if translated is None:
            raise _refuse_dependency(dependency, position, text, source)
        lines += translated
    if unknown:
        names, are = join_words(unknown), "is a conda package" if len(unknown) == 1 else "are conda packages"
        raise RunFailed(
            Reason.REFUSED_REQUIREMENT,
            f"{source}: {names} {are} with no known equivalent on PyPI, and training installs only pip packages. "
            f"Remove {names} from the file, or list what the code needs in a requirements.txt, which is then used instead.",
        )
    return "".join(f"{line}\n" for line in lines)


def find_requirement(requirement: str, text: str) -> int:
    """Return the line of ``text``, the contents of an environment.yml, that lists ``requirement``; 0 if none does."""
    tokens = (token for token in yaml.scan(text) if isinstance(token, yaml.ScalarToken))
    return next((token.start_mark.line + 1 for token in tokens if requirement in token.value.splitlines()), 0)


def _explain_fault(error: yaml.MarkedYAMLError, text: str) -> tuple[str, str]:
    """Return the line to correct, as in `` line 3``, and what is wrong there.

    If a quote or bracket is never closed, this is the line where it opens, rather than the end of the file. If text
    follows a value unexpectedly, the cause may be a quote or bracket that was opened on an earlier line and not closed.
    """
    is_unclosed = error.context == "while scanning a quoted scalar" or "<stream end>" in str(error.problem)
    is_unclosed = is_unclosed and error.context_mark is not None
    mark = error.context_mark if is_unclosed else error.problem_mark
    problem = f"{error.problem} {error.context}" if is_unclosed else str(error.problem)
    if (
        mark
        and str(error.problem).endswith(_UNEXPECTED)
        and (_leaves_quote_open(text, mark) or _leaves_bracket_open(text, mark))
    ):
        problem += ", perhaps because a quote or bracket that was opened on an earlier line is not closed"
    return f" line {mark.line + 1}" if mark else "", problem


def _leaves_quote_open(text: str, mark: yaml.Mark) -> bool:
    """Return whether a quote left open on an earlier line was closed before ``mark`` by another value's opening quote.

    The other value's closing quote is then unmatched, and comes after ``mark`` on the same line.
    """
    last = list(takewhile(lambda token: token.start_mark.index < mark.index, yaml.scan(text)))[-1]
    is_quoted = (
        isinstance(last, yaml.ScalarToken) and last.style and last.start_mark.line < mark.line == last.end_mark.line
    )
    following = _COMMENT.split(text[mark.index :].split("\n")[0])[0]
    return bool(is_quoted and following.count(last.style) % 2)


def _leaves_bracket_open(text: str, mark: yaml.Mark) -> bool:
    """Return whether a bracket that was opened on a line before ``mark`` is not closed anywhere in the file."""
    opened: list[int] = []
    try:
        for token in yaml.scan(text):
            if isinstance(token, yaml.FlowSequenceStartToken | yaml.FlowMappingStartToken):
                opened.append(token.start_mark.line)
            elif isinstance(token, yaml.FlowSequenceEndToken | yaml.FlowMappingEndToken) and opened:
                opened.pop()
    except yaml.MarkedYAMLError:
        pass  # Whatever follows the second fault does not count.
    return any(line < mark.line for line in opened)


def _translate(dependency: Any, unknown: list[str]) -> list[str] | None:
    """Translate a dependency into lines for requirements.txt; return None if it is neither a package nor a list for pip.

    Its name is added to ``unknown`` if Epochal does not know it.
    """
    if isinstance(dependency, dict) and list(dependency) == ["pip"] and isinstance(dependency["pip"], list):
        return [str(line) for line in dependency["pip"]]
    spec = _SPEC.fullmatch(dependency.strip()) if isinstance(dependency, str) else None
    if spec is None:
        return None
    name, version = spec[1].lower(), spec[2].strip()
    if name in _SAME or name in _RENAMED:
        return [_RENAMED.get(name, name) + _translate_version(version)]
    if name not in _LEFT_OUT and not name.startswith(("_", "lib")):
        unknown.append(name)
    return []


def _refuse_dependency(dependency: Any, position: int, text: str, source: str) -> RunFailed:
    """Return an error for the dependency at ``position`` in the list, which cannot be translated."""
    listing = _find_dependencies(text)
    node = listing.value[position] if listing else None
    where = f"{source} line {node.start_mark.line + 1}" if node else source
    if not isinstance(dependency, dict) or list(dependency) != ["pip"]:
        written = text[node.start_mark.index : node.end_mark.index] if node else str(dependency)
        shown = written.split("\n")[0].strip()[:80] or "-"
        return _refusal(where, f"`{shown}` is neither a package nor a list of pip packages")
    value = dependency["pip"]
    if value is None:
        return _error(f"{where}: there is no list under `pip:`. Indent the pip packages further than this line")
    requirements = _split(value) if isinstance(value, str) else []
    if not requirements:
        return _error(f"{where}: the value of `pip:` is not a list. Write a list, as in `pip: [numpy, pandas]`")
    entry = yaml.safe_dump({"pip": requirements}, default_flow_style=True, width=math.inf).strip()
    written = entry if listing and listing.flow_style else f"- {entry[1:-1]}"
    return _error(f"{where}: the value of `pip:` is not a list. Write `{written}`")


def _split(value: str) -> list[str]:
    """Split ``value`` into requirements at line breaks, spaces and commas; return [] if one would be refused."""
    parts: list[str] = []
    for line in strip_comments(value).splitlines():
        parts += _SEPARATOR.split(line.strip(" ,")) if find_refused(line) else [line]
    return [] if find_refused("\n".join(parts)) else parts


def _find_dependencies(text: str) -> yaml.SequenceNode | None:
    """Return the YAML node of the list of dependencies, for line numbers; None if a merge key inserts the list."""
    content = yaml.compose(text, Loader=yaml.SafeLoader)
    entries = content.value if isinstance(content, yaml.MappingNode) else []
    lists = [value for key, value in entries if key.value == "dependencies" and isinstance(value, yaml.SequenceNode)]
    return lists[-1] if lists else None


def _translate_version(version: str) -> str:
    """Translate a conda version into pip's notation: ``=1.2`` becomes ``==1.2.*``, ``=1.2=build`` becomes ``==1.2``."""
    if version.startswith("==") or not version.startswith("="):
        return f"=={version}" if _PLAIN.fullmatch(version) else version.replace(" ", ",") if version else ""
    number, _, build = version[1:].strip().partition("=")
    return f"=={number}" if build or "*" in number else f"=={number}.*"


def _error(problem: str) -> RunFailed:
    """Return an error that states ``problem`` and suggests a requirements.txt as an alternative."""
    other = "list what the code needs in a requirements.txt, which is then used instead"
    return RunFailed(Reason.REFUSED_REQUIREMENT, f"{problem}, or {other}.")


def _refusal(source: str, why: str) -> RunFailed:
    return RunFailed(
        Reason.REFUSED_REQUIREMENT,
        f"{source}: {why}. Training installs only pip packages. List what the code needs under 'pip:' in the "
        "dependencies, or in a requirements.txt, which is then used instead.",
    )
