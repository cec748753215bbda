"""Remedies for exceptions with a known cause, such as a missing file, network, GPU, display or user input."""

import ast
import codecs
import itertools
import posixpath
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from epochal.analysis.calls import find_calls, find_texts, find_used_texts, find_variable, makes_files
from epochal.analysis.detection import read_source
from epochal.analysis.findings.gpus import describe_repairs, find_repairs, names_gpu
from epochal.analysis.findings.source import Source, parse_source
from epochal.analysis.findings.unattended import find_spawning, locate_call
from epochal.analysis.frameworks import dataset_caches
from epochal.analysis.hyperparameters.sources import read_sources
from epochal.analysis.imports import find_hiding_module
from epochal.analysis.location import explain_notebook_function, is_exported
from epochal.analysis.missing_files import (
    DATA_FOLDER,
    USE_DATA_FOLDER,
    explain_missing_file,
    explain_missing_folder,
    explain_pointer,
    explain_unmatched,
    find_pointer,
    read_start,
)
from epochal.analysis.notebook_code import Replacement, describe_replacements, find_left_out, find_replacements
from epochal.analysis.packages import explain_replaced, find_system_library
from epochal.analysis.repeats import describe_lines, find_call_lines
from epochal.analysis.syntax import Module, hide_comments, last_name
from epochal.errors import Reason
from epochal.folders import SCRIPT
from epochal.grammar import capitalize, join_words
from epochal.results.exceptions import Frame, Raised
from epochal.results.import_errors import (
    ON_THE_SERVER,
    explain_hidden,
    explain_import_error,
    explain_optional,
    explain_removed,
)

_MEMORY = re.compile(
    r"MemoryError|std::bad_alloc|ResourceExhaustedError|OOM when allocating|OutOfMemoryError|Cannot allocate memory"
    r"|not enough memory"
)
_WANTED_MEMORY = re.compile(r"Unable to allocate (?P<number>\d+(?:\.\d+)?)\.? (?P<unit>\w+)")
"""Matches NumPy's message, which may have a full stop after a whole number, as in ``541. GiB``."""
_TRAINING_CALLS = frozenset({"fit", "partial_fit", "evaluate", "predict", "predict_proba", "score", "backward"})
_TRANSFORMS = re.compile(r"-packages/sklearn/\S* (?:fit_|inverse_)?transform$")
"""Matches the path and function of a stack frame in which scikit-learn transforms data."""
_NETWORKS = re.compile(r"-packages/(?:keras|tf_keras|tensorflow|torch)/")
_KERAS_FILTER = re.compile(r"/(?:tf_)?keras/(?:src/)?utils/traceback_utils\.py$")
"""Matches the path of the Keras module that removes Keras' own frames, such as that of fit(), from tracebacks."""
_KERAS_MODEL = re.compile(r"-packages/(?:tf_)?keras/(?:src/)?(?:engine|initializers|layers|models)/(?!preprocessing/)")
"""Matches the paths of the Keras modules that build a model."""
_IMPORT = frozenset({"ModuleNotFoundError", "ImportError"})
_NETWORK = re.compile(
    r"URLError|gaierror|name resolution|Name or service not known|Network is unreachable|URL fetch failure"
    r"|NewConnectionError|MaxRetryError|NameResolutionError|ConnectTimeout|ConnectError|Connection(?:Refused)?Error"
    r"|HTTPS?ConnectionPool|couldn't connect to|OfflineModeIsEnabled|LocalEntryNotFoundError|Cannot send a request"
)
_ATTRIBUTE = re.compile(r"module '(?P<module>\w+)' has no attribute '(?P<name>\w+)'")
_REPLACED = re.compile(r"module '(?P<module>numpy|scipy\.misc)' has no attribute '(?P<name>\w+)'")
_ASKS = re.compile(r"(?:(?P<name>\w+)\s*=[^=].*?)?\b(?P<function>input|getpass|stdin)\b")
_NOTEBOOK = re.compile(r"name '(get_ipython|display)' is not defined")
_UNDEFINED = re.compile(r"name '(?P<name>\w+)' is not defined")
_SCREEN = re.compile(
    r"no display name and no \$DISPLAY|couldn't connect to display|could not connect to display|cannot open display"
    r"|requires the '\w+' interactive framework, as 'headless'|Cannot load backend|No available video device"
    r"|The function is not implemented\. Rebuild the library with Windows, GTK"
)
_BACKEND = re.compile(r"""(?:matplotlib|mpl)\.use\([^)\n]*\)|(?:plt|pyplot)\.switch_backend\([^)\n]*\)""")
_OPENS_WINDOWS = re.compile(r"/matplotlib/backends/_?backend_(?:gtk|macosx|qt|tk|wx)")
"""Matches the path of a Matplotlib backend that opens windows."""
_WINDOW = re.compile(r"\bcv2\.(?:imshow|namedWindow|waitKey)\b|\bQApplication\b")
_SPARSE_LABELS = re.compile(
    r"`target` and `output` must have the same (?:rank|shape).*target\.shape=\(\w+,(?: 1)?\)"
    r"|Shapes \(\w+,(?: 1)?\) and \(\w+, \d+\) are incompatible"
)
_ONE_HOT_LABELS = re.compile(
    r"`output` must have rank \(ndim\) `target\.ndim - 1`.*target\.shape=(?P<shape>\(\w+, \d+\)), output\.shape=(?P=shape)"
)
_SPARSE_LOSS = re.compile(r"sparse_categorical_crossentropy|\bSparseCategoricalCrossentropy")
_STRINGS = re.compile(r"^Invalid dtype: str\d*$|Cast string to float is not supported")
_TEXT_LAYER = re.compile(r"TextVectorization|StringLookup|Hashing")
_ONE_HOT_LOSS = re.compile(r"(?<![a-z_])categorical_crossentropy|\bCategoricalCrossentropy")
_PLOT_MODEL = re.compile(r"You must install (?:pydot|graphviz)|for `?(?:plot_model|model_to_dot)`? to work")
_NLTK = re.compile(r"Resource\s+(?:\x1b\[\d+m)?'?(?P<name>[\w.-]+)'?(?:\x1b\[0m)?\s+not found")
_NLTK_CALL = re.compile(r"""nltk\.download\(\s*(['"])(?P<name>[\w.-]+)\1""")
_NLTK_PATH = re.compile(r"Attempted to load (?:\x1b\[\d+m)?'?(?P<folder>\w+)/")
_SPACY = re.compile(r"\[E050\] Can't find model '(?P<name>\w+)'")
_GPU = re.compile(
    r"not compiled with CUDA|Found no NVIDIA driver|No CUDA GPUs|cuda\.is_available\(\) is False|no CUDA-capable"
    r"|nvidia-smi|GPU:\d+ unknown device|(?:satisfy|assign)\b[^\n]*\bGPU|GPU device not found|[Nn]o (?:supported )?(?:GPU|gpu)\b"
    r"|[Rr]equires? a GPU|GPU (?:is )?(?:not available|not found|required)|cudaError|CUDA (?:error|driver|is not available)"
    r"|Unknown backend:? '?(?:gpu|cuda)|No GPU|No OpenCL device found|task type \[GPU\] not found"
    r"|(?:GPU|CUDA) Tree Learner was not enabled",
)
_BOOSTING = re.compile(r"-packages/(?:catboost|lightgbm|xgboost)\b")
_GPU_SETTING = re.compile(
    r"""['"]?(?P<name>device(?:_type)?|task_type)['"]?\s*[=:]\s*(['"])(?P<value>gpu|cuda|GPU)\2"""
)
"""Matches the setting that makes CatBoost, LightGBM or XGBoost train on a GPU."""
_IN_CODE = re.compile(r"^(?:/train|.*/runs/\d+/trials/\d+/code)/")
"""Matches the path of a trial's code folder, whether the trial runs in a container or in a plain process."""
_IN_HOME = re.compile(r"^(?:/home/epochal|.*/trials/\d+/scratch/home)/")
"""Matches the path of a trial's home folder, whether the trial runs in a container or in a plain process."""
_EMPTY = re.compile(r"UnboundLocalError: .*'?batch_outputs'?|ValueError: Found array with 0 sample")
"""Matches what Keras' predict() and scikit-learn's methods raise when they are given no rows."""
LOST_CHILD = frozenset({"BrokenProcessPool", "BrokenPipeError", "ConnectionResetError", "EOFError"})
"""What a script raises if a process that it has spawned ends before doing its work."""
_PROCESSES = re.compile(r"/(?:multiprocessing|concurrent/futures)/\w+\.py$")
_ENVIRON = re.compile(r"(?:<frozen os>|/os\.py) __getitem__$")
_SET_VARIABLES = frozenset({"HOME", "LANG", "PATH", "PYTHONPATH", "TMPDIR"})
_METRIC_KEY = re.compile(r"'(?P<start>(?:val_)?)(?P<name>acc|accuracy)'")
_METRICS = re.compile(
    r"metrics\s*=\s*\[[^\]]*?(?:(['\"])(?P<name>\w*acc\w*)\1"
    r"|(?P<call>[\w.]*?(?P<kind>\w*Accuracy)\((?:name\s*=\s*(['\"])(?P<given>\w+)\5)?\)))"
)
"""Matches the first accuracy in ``metrics=["mae", "accuracy"]`` or ``metrics=[CategoricalAccuracy(name="acc")]``."""
_MISSING_FILE = tuple(
    re.compile(pattern)
    for pattern in (
        r"No such file or directory: b?['\"](?P<name>[^'\"\n]+)['\"]",
        r"unable to open file: name = '(?P<name>[^']+)', errno = 2",
        r"[Ff]ile not found: filepath=(?P<name>\S+?)\.(?:\s|$)",
        r"(?P<name>[^\s;:]+); No such file or directory",
        r"Could not find directory (?P<name>\S+)",
        r"Couldn't find any class folder in (?P<name>\S+?)\.?(?:\s|$)",
        r"(?:[Ff]ile|[Dd]irectory|[Pp]ath|[Ff]older)\s+['\"]?(?P<name>[^\s'\"]+)['\"]? (?:does not exist|doesn't exist|not found)",
        r"^['\"]?(?P<name>[\w./\\-]+\.\w+)['\"]? (?:does not exist|not found)",
        r"can't open file '(?P<name>[^']+)'",
    )
)
_NOTHING_TO_JOIN = re.compile(r"^(?:No objects to concatenate|need at least one array to concatenate)")
_GLOB = re.compile(
    r"""(?:(?<![.\w])|\bglob\.)i?glob\(\s*(['"])(?:\./)?(?P<pattern>(?![/.])[\w./*?-]*[*?][\w./*?-]*)\1"""
)
"""Matches a call that lists the files matching a relative pattern.

``Path.glob()`` is left out, because its pattern is relative to the path that it is called on.
"""
_FORBIDDEN = re.compile(r"(?:Permission denied|Read-only file system): '(?P<path>/[^']+)'")
_UNKNOWN_COMMAND = re.compile(
    r"^Command '(?:(?!(?:ba|z)?sh |env |nohup |timeout )(?P<program>[\w.+-]+)(?: [^'&|;]*)?|.*)' returned non-zero exit status 127"
)
"""Matches the error raised if the shell does not find a program.

The name of that program is known only if the command starts just one.
"""
_KERNEL_FOLDER = re.compile(r"/(?:proc|sys)/")
"""Matches a path in /proc or /sys: these folders exist, but no files can be created in them."""
_MISSING_FOLDER = re.compile(r"non-existent directory: '(?P<folder>[^']+)'")
_WRITES = re.compile(
    r"/(?:logging/(?:__init__|handlers)|callbacks/csv_logger)\.py \w+"
    r"|\S* _*(?:save(?!d)|im(?:save|write)|dump|write|export(?!ed)|mkdir|makedirs"
    r"|to_(?:csv|excel|feather|hdf|html|json|latex|markdown|parquet|pickle|stata|xml)(?![a-z]))\w*"
)
"""Matches the path and function of a stack frame in which a library writes a file or creates a folder."""
_REMOVED_ERRORS = frozenset({"AttributeError", "TypeError", "ValueError", "XGBoostError"})
_READS_BADLY = re.compile(
    r"UnidentifiedImageError|BadZipFile|BadGzipFile|UnpicklingError|ParserError|EmptyDataError|DecodeError|KeyError"
    r"|ValueError|OSError|InvalidArgumentError|ReadError|HDF5|ArrowInvalid|DataLossError|EOFError|IndexError"
)
_READS_NOTHING = frozenset({"EmptyDataError", "JSONDecodeError", "EOFError", "UnidentifiedImageError"})
_READS_TEXT = frozenset({"read_csv", "read_table", "read_fwf", "read_text", "genfromtxt", "loadtxt"})
_NOT_UTF_8 = re.compile(
    r"'utf-8' codec can't decode (?:(?P<mark>byte 0xf[ef] in position 0:)"
    r"|(?!byte 0x(?:8b in position 1|(?:[89]\w|d0) in position 0):))"
)
"""Matches the error for a text file that is not UTF-8, but not the one for a file that begins with binary data."""
_MAX_TEXT = 1 << 24
"""The number of bytes at the start of a file that are decoded to detect its encoding."""
_DATA_FOLDER = f'{DATA_FOLDER}, whose path in the script is os.environ["EPOCHAL_DATA"]'
_DOWNLOADS = (
    (
        re.compile(r"/sklearn/datasets/_openml"),
        f"save it to a file once, for example with numpy.savez(); then commit the file, or {USE_DATA_FOLDER}",
    ),
    (
        re.compile(r"/torchvision/datasets/"),
        f"download the dataset once to {_DATA_FOLDER}, and pass that path as root",
    ),
    (
        re.compile(r"/(?:torch/hub\.py|torchvision/models/|timm/)"),
        f"put the weights file in {_DATA_FOLDER}, and load it from there with load_state_dict()",
    ),
    (
        re.compile(r"-packages/datasets/"),
        f"save the dataset once with save_to_disk() in {_DATA_FOLDER}, and read it with datasets.load_from_disk()",
    ),
    (
        re.compile(r"-packages/(?:transformers|huggingface_hub|sentence_transformers|tokenizers)/"),
        f"save the model once with save_pretrained() in {_DATA_FOLDER}, and pass the model's path to from_pretrained()",
    ),
    (
        re.compile(r"/tensorflow_datasets/"),
        f"prepare the dataset once in {_DATA_FOLDER}, and pass that path as data_dir with download=False",
    ),
    (
        re.compile(r"/tensorflow_hub/"),
        f"unpack the model into {_DATA_FOLDER}, and pass the model's path to tensorflow_hub",
    ),
)


@dataclass(frozen=True)
class Origin:
    """The pushed code that failed: its folder, and the path of its script.

    ``network``: whether training may use the network. ``memory_mb``: the memory limit for training, in megabytes; None
    if it is not known.
    """

    code: Path
    script: str = SCRIPT
    network: bool = False
    memory_mb: int | None = None


def explain_known(exceptions: Sequence[Raised], place: Frame | None, origin: Origin) -> tuple[Reason, str] | None:
    """Return the reason and the remedy for an exception whose cause is known; None for any other.

    ``exceptions``: the exception and those that led to it, latest first. ``place``: the line of the pushed code that
    caused it; None if that is not known.
    """
    last = exceptions[0]
    text = f"{last.name}: {last.message}"
    inner = last.own_frames[-1] if last.own_frames else place
    line = _read_line(inner, origin)
    frames = [frame for each in reversed(exceptions) for frame in each.frames]
    if resource := _NLTK.search(last.message):
        return Reason.NO_NETWORK, _explain_nltk(resource["name"], last.message, origin)
    if model := _SPACY.search(last.message):
        return Reason.NO_NETWORK, (
            f"spaCy's models have to be downloaded separately. Unpack {model['name']} into {_DATA_FOLDER}, and pass "
            "the model's path to spacy.load()."
        )
    if any(_NETWORK.search(f"{each.name}: {each.message}") for each in exceptions):
        return Reason.NO_NETWORK, _explain_network(frames, origin)
    if (last.name == "EOFError" and ("reading a line" in text or _ASKS.search(line))) or "stdin." in line:
        return Reason.NEEDS_INPUT, _explain_input(last, line, inner, origin)
    if notebook := _NOTEBOOK.search(text):
        return Reason.NOTEBOOK_CODE, _explain_notebook(notebook[1], inner, origin)
    if remedy := _explain_missing_shell(last, inner, origin) or _explain_left_out(last, inner, origin):
        return Reason.NOTEBOOK_CODE, remedy
    # Without Tk or Qt, Matplotlib cannot import the backend that the script has chosen.
    lacks_toolkit = last.name in _IMPORT and any(_OPENS_WINDOWS.search(frame.path) for frame in last.frames)
    if _SCREEN.search(text) or (lacks_toolkit and _find_backend(line, origin)):
        return Reason.NO_DISPLAY, _explain_screen(line, origin)
    if _PLOT_MODEL.search(text):
        wanted = "ask the admin to install the Debian package graphviz"
        wanted = f"add pydot to requirements.txt and {wanted}" if "pydot" in text else wanted
        return Reason.SYSTEM_LIBRARY, (
            f"plot_model() needs the package pydot and the program Graphviz. Remove the line, or {wanted} {ON_THE_SERVER}."
        )
    if _GPU.search(text) or (last.name in ("IndexError", "AssertionError") and names_gpu(line)):
        return Reason.NO_GPU, _explain_gpu(last, line, inner, origin)
    return (
        _explain_spawning(last, inner, origin)
        or _explain_code(last, line, inner, origin)
        or _explain_package(last, inner, origin)
        or _explain_file(last, line, inner, origin)
    )


def _explain_package(last: Raised, inner: Frame | None, origin: Origin) -> tuple[Reason, str] | None:
    """Return the reason and the remedy if a package is missing, cannot be imported or is hidden by a local module, else None."""
    if last.package and (optional := explain_optional(last.message)):
        return Reason.IMPORT_ERROR, optional
    if last.name in _IMPORT or find_system_library(f"{last.name}: {last.message}"):
        return explain_import_error(last, inner, origin.code, origin.script)
    lacking = _ATTRIBUTE.search(last.message)
    local = find_hiding_module(origin.code, origin.script, lacking["module"], lacking["name"]) if lacking else ""
    return (Reason.IMPORT_ERROR, explain_hidden(lacking["module"], local)) if lacking and local else None


def _explain_spawning(last: Raised, inner: Frame | None, origin: Origin) -> tuple[Reason, str] | None:
    """Return the reason and the remedy if a spawned process failed while importing the script, else None."""
    if not failed_to_spawn(last) and not _lost_spawned_process(last, origin):
        return None
    return Reason.SCRIPT_ERROR, (
        f"Each process that {origin.script} spawns runs the script again and fails before doing any work. Put the code that "
        f'leads {_name_spawning(inner, origin)} under `if __name__ == "__main__":`.'
    )


def _name_spawning(inner: Frame | None, origin: Origin) -> str:
    """Return a phrase naming what must run only under the guard, as in ``to this line and to Pool() on line 9``."""
    path = _local_path(inner, origin) if inner else ""
    sources = _parse_modules(origin)
    own = next((source for source in sources if source.path == path), None)
    if inner is None or own is None:
        return "to this line"
    others = [
        f"to {locate_call(source, call, own)}"
        for source, call in filter(None, find_spawning(sources))
        if source is not own or not call.lineno <= inner.line <= (call.end_lineno or 0)
    ]
    return join_words(["to this line", *others])


def _parse_modules(origin: Origin) -> tuple[Source, ...]:
    """Parse the script and the local modules that it imports; the script comes first."""
    modules = ((file, Module.read(origin.code / file)) for file in _read_modules(origin))
    return tuple(parse_source(file, module.tree) for file, module in modules if module)


def _lost_spawned_process(last: Raised, origin: Origin) -> bool:
    """Return whether a process that the script spawns without a guard ended before the script could talk to it."""
    is_lost = last.name in LOST_CHILD and any(_PROCESSES.search(frame.path) for frame in last.frames)
    return is_lost and find_spawning(_parse_modules(origin))[0] is not None


def failed_to_spawn(raised: Raised) -> bool:
    """Return whether an exception ended a spawned process while it was importing the script."""
    return any(frame.function == "_fixup_main_from_path" for frame in raised.frames)  # in multiprocessing/spawn.py


def _explain_code(last: Raised, line: str, inner: Frame | None, origin: Origin) -> tuple[Reason, str] | None:
    """Return the reason and the remedy if a common mistake in the code caused the exception, else None."""
    if inner and last.name in _REMOVED_ERRORS and (removed := explain_removed(last, inner, origin.code)):
        return Reason.SCRIPT_ERROR, removed
    if remedy := _explain_replaced(last):
        return Reason.SCRIPT_ERROR, remedy
    if _EMPTY.search(f"{last.name}: {last.message}"):
        return (
            Reason.SCRIPT_ERROR,
            "The call received no samples. Check the path, filter or split that leaves the data empty.",
        )
    if last.name == "KeyError" and not last.package and (remedy := _explain_metric_key(last.message, origin)):
        return Reason.SCRIPT_ERROR, remedy
    if variable := _find_unset_variable(last, line, inner, origin):
        return Reason.SCRIPT_ERROR, _explain_unset_variable(variable)
    if re.search(r"\bargv\b", line) and last.name in ("IndexError", "ValueError"):
        return Reason.SCRIPT_ERROR, (
            f"{origin.script} receives no command-line arguments during training, so use fixed values instead of sys.argv."
        )
    if _SPARSE_LABELS.search(last.message) and (remedy := _explain_sparse_labels(origin)):
        return Reason.SCRIPT_ERROR, remedy
    if _ONE_HOT_LABELS.search(last.message) and (remedy := _explain_one_hot_labels(origin)):
        return Reason.SCRIPT_ERROR, remedy
    if _STRINGS.search(last.message) and not _search_code(_TEXT_LAYER, origin)[1]:
        return Reason.SCRIPT_ERROR, (
            "The labels or features contain strings. Convert them to numbers, for example by encoding the labels with "
            "LabelEncoder from scikit-learn."
        )
    return None


def _explain_replaced(last: Raised) -> str:
    """Return what to write instead of a name that NumPy or SciPy has removed.

    Empty if a library uses the name or the exception has another cause.
    """
    found = _REPLACED.match(last.message) if last.name == "AttributeError" else None
    users = [frame for frame in last.frames if not re.search(r"-packages/(?:numpy|scipy)/", frame.path)]
    if found is None or not users or users[-1].is_library:
        return ""
    return explain_replaced(f"{found['module']}.{found['name']}")


def _find_unset_variable(last: Raised, line: str, inner: Frame | None, origin: Origin) -> str:
    """Return the environment variable whose absence caused the exception; empty if there was another cause."""
    if last.name == "KeyError":
        *_, caller, frame = (None, None, *last.frames)
        reads = frame and _ENVIRON.search(f"{frame.path} {frame.function}") and caller == inner and ".pop(" not in line
        return last.message.strip("'\"") if reads else ""
    is_none = "NoneType" in last.message and (not last.package or re.search(r"file|path", last.message))
    variable = find_variable(origin.code, _local_path(inner, origin), inner.line) if is_none and inner else ""
    return "" if variable in _SET_VARIABLES else variable


def _explain_unset_variable(variable: str) -> str:
    if variable == "EPOCHAL_DATA":
        return (
            f"{variable} is not set, because the server has no data folder. "
            "Ask the server's admin to add the data setting to server.toml."
        )
    problem = f"The environment variable {variable} is not set during training."
    return f'{problem} Give it a default: os.environ.get("{variable}", "…").'


def _explain_file(last: Raised, line: str, inner: Frame | None, origin: Origin) -> tuple[Reason, str] | None:
    """Return the reason and the remedy if a missing or unusable file or program caused the exception, else None."""
    text = f"{last.name}: {last.message}"
    is_started = any(frame.path.endswith("/subprocess.py") for frame in last.frames)
    unknown = _UNKNOWN_COMMAND.search(last.message)
    if (is_started and last.name == "FileNotFoundError") or unknown:
        program = (unknown["program"] if unknown else last.file) or "The program that the line starts"
        return Reason.SYSTEM_LIBRARY, (
            f"{program} is not installed where training runs. Remove the line, or "
            f"ask the admin to install the program {ON_THE_SERVER}."
        )
    found = (match["name"] for pattern in _MISSING_FILE if (match := pattern.search(last.message)))
    missing = last.file if last.name == "FileNotFoundError" and last.file else next(found, "")
    refused = _FORBIDDEN.search(last.message)
    forbidden = refused["path"] if refused else missing if _KERNEL_FOLDER.match(missing) else ""
    if _shorten_path(forbidden).startswith("/") and _is_written(last, inner, origin):
        return Reason.SCRIPT_ERROR, (
            f"Training cannot write to {forbidden}. Write to a path inside the repository instead."
        )
    if folder := _MISSING_FOLDER.search(last.message):
        return Reason.MISSING_FILE, explain_missing_folder(_shorten_path(folder["folder"]), origin.code)
    if missing:
        name = _shorten_path(missing)
        if _is_written(last, inner, origin):
            return Reason.MISSING_FILE, explain_missing_folder(posixpath.dirname(name) or ".", origin.code)
        is_computed = f"/{name}" in last.message or missing != name
        return Reason.MISSING_FILE, explain_missing_file(name, origin.code, line, is_computed=is_computed)
    if _NOTHING_TO_JOIN.match(last.message):
        called = _GLOB.finditer("\n".join(_read_modules(origin).values()))
        remedy = next((why for call in called if (why := explain_unmatched(call["pattern"], origin.code))), "")
        return (Reason.MISSING_FILE, remedy) if remedy else None
    if _READS_BADLY.search(text):
        files = dict.fromkeys([origin.script, *([_local_path(inner, origin)] if inner else [])])
        modules = [module for file in files if (module := Module.read(origin.code / file))]
        names = [text for module in modules for text in find_used_texts(module.tree)]
        if pointer := find_pointer(names, origin.code):
            return Reason.MISSING_FILE, explain_pointer(pointer)
    remedy = _explain_content(last, inner, origin) if inner else ""
    return (Reason.SCRIPT_ERROR, remedy) if remedy else None


def _explain_content(last: Raised, inner: Frame, origin: Origin) -> str:
    """Return the remedy if the file that the failing line reads is empty or not UTF-8; otherwise an empty string."""
    places = [(origin.code, _local_path(frame, origin), frame.line) for frame in reversed(last.own_frames or [inner])]
    files = next((found for place in places if (found := _read_files(find_texts(*place), origin))), {})
    if last.name in _READS_NOTHING and (empty := next((name for name in files if not files[name]), "")):
        return f"{empty} is empty (0 bytes). Commit the file with its contents, or {USE_DATA_FOLDER}."
    undecodable = _NOT_UTF_8.search(last.message) if last.name == "UnicodeDecodeError" else None
    files = {name: start for name, start in files.items() if not _is_encoded(start, "utf-8")}
    is_binary = any(b"\0" in start for start in files.values())
    if undecodable is None or (is_binary and not undecodable["mark"]):
        return ""
    name, start = next(iter(files.items()), ("The file", b""))
    single = "cp1252" if start and _is_encoded(start, "cp1252") else "latin-1"
    encoding = "utf-16" if undecodable["mark"] else single
    remedy = f'{name} is not UTF-8: pass encoding="{encoding}" {{}}, or save the file as UTF-8.'
    if function := next((name for call in find_calls(*places[0]) if (name := last_name(call.func)) in _READS_TEXT), ""):
        return remedy.format(f"to {function}()")
    is_opened = any(frame.function == "decode" for frame in last.frames[-1:])
    is_piped = any("subprocess" in frame.path for frame in last.frames)
    return remedy.format("where the file is opened") if is_opened and not is_piped else ""


def _read_files(names: Sequence[str], origin: Origin) -> dict[str, bytes]:
    """Return the first ``_MAX_TEXT`` bytes of each file in the pushed code whose name is among ``names``."""
    starts = ((name, read_start(name, origin.code, _MAX_TEXT)) for name in names)
    return {name: start for name, start in starts if start is not None}


def _is_encoded(start: bytes, encoding: str) -> bool:
    """Return whether the start of a file, perhaps cut off in the middle of a character, is valid in an encoding."""
    try:
        codecs.getincrementaldecoder(encoding)().decode(start)
    except UnicodeDecodeError:
        return False
    return True


def _shorten_path(path: str) -> str:
    """Shorten a path in the trial's code or home folder: make it relative to the code folder or begin it with ``~``."""
    return _IN_CODE.sub("", _IN_HOME.sub("~/", path))


def _is_written(last: Raised, inner: Frame | None, origin: Origin) -> bool:
    """Return whether the code itself or a library tried to write the file that could not be opened."""
    library = itertools.takewhile(lambda frame: frame.is_library, reversed(last.frames))
    if "create file" in last.message or any(_WRITES.search(f"{each.path} {each.function}") for each in library):
        return True
    opens = last.package in ("", "h5py")  # not a library that reads, as in f(read_csv(a), open(b, "w"))
    return inner is not None and opens and makes_files(origin.code, _local_path(inner, origin), inner.line)


def _explain_network(frames: Sequence[Frame], origin: Origin) -> str:
    problem = _describe_network_problem(origin.script, origin)
    provide = f"{problem} To provide the data,"
    for cache in dataset_caches():
        for frame in frames:
            found = re.search(cache.module, f"{frame.path} {frame.function}") if cache.module else None
            if found and found["name"] in cache.scripts:
                return f"{provide} run epochal data fetch {found['name']} on the server; this fills the dataset cache."
    for pattern, remedy in _DOWNLOADS:
        if any(pattern.search(frame.path) for frame in frames):
            return f"{provide} {remedy}."
    start = f"{problem} Check the address. If it is correct," if origin.network else provide
    return f"{start} commit the file, or {USE_DATA_FOLDER}."


def _describe_network_problem(what: str, origin: Origin) -> str:
    if origin.network:
        return f"{what} could not reach a network address."
    return f"{what} tried to use the network, which training cannot access."


def _explain_nltk(name: str, message: str, origin: Origin) -> str:
    problem = f"{_describe_network_problem('nltk.download()', origin)} To provide the data,"
    called = [found["name"] for found in _NLTK_CALL.finditer(read_source(origin.code, origin.script) or "")]
    names = [each for each in dict.fromkeys([*called, name]) if _is_fetchable(f"nltk:{each}")]
    if name in names:
        commands = " and ".join(f"epochal data fetch nltk:{each}" for each in names)
        return f"{problem} run {commands} on the server; this fills the dataset cache."
    folder = found["folder"] if (found := _NLTK_PATH.search(message)) else "corpora"
    return (
        f"{problem} unpack {name} into {folder}/{name} in {DATA_FOLDER}, and write "
        'nltk.data.path.append(os.environ["EPOCHAL_DATA"]) instead of nltk.download().'
    )


def _is_fetchable(dataset: str) -> bool:
    return any(dataset in cache.scripts for cache in dataset_caches())


def _find_lines(inner: Frame | None, origin: Origin, function: str) -> str:
    """Return which lines of the frame's file call ``function``, as text (``lines 3 and 7``); empty if none does."""
    path = _local_path(inner, origin) if inner else ""
    lines = find_call_lines(origin.code, path, function) if path else []
    return describe_lines(lines) if lines else ""


def _explain_notebook(function: str, inner: Frame | None, origin: Origin) -> str:
    """Explain that ``function`` exists only in a notebook, and say what to do about each line that calls it."""
    path = _local_path(inner, origin) if inner else ""
    explanation = explain_notebook_function(function, path or origin.script)
    if function == "get_ipython" and (found := _find_replacements(inner, origin)):
        return f"{explanation} {_instruct(describe_replacements(found), path, origin)}."
    lines = find_call_lines(origin.code, path, function) if path else []
    where = _locate_lines(lines, path, origin) if lines else "the line"
    return f"{explanation} {f'Use print() on {where} instead' if function == 'display' else f'Remove {where}'}."


def _find_replacements(inner: Frame | None, origin: Origin) -> list[Replacement]:
    """Return what to do about the lines of the frame's file that fail because of ``get_ipython()``."""
    path = _local_path(inner, origin) if inner else ""
    module = Module.read(origin.code / path) if path else None
    return find_replacements(module.tree) if module else []


def _explain_missing_shell(last: Raised, inner: Frame | None, origin: Origin) -> str:
    """Return the remedy if an exception was raised because ``get_ipython()`` returned None; empty if it was not."""
    if last.name != "AttributeError" or "'NoneType' object" not in last.message or inner is None:
        return ""
    found = _find_replacements(inner, origin)
    failed = next((each for each in found if each.failing and each.contains(inner.line)), None)
    if failed is None:
        return ""
    path = _local_path(inner, origin)
    return f"{failed.explain(path)} {_instruct(describe_replacements(found), path, origin)}."


def _explain_left_out(last: Raised, inner: Frame | None, origin: Origin) -> str:
    """Return the remedy if a notebook's export left out the line that assigns an undefined variable; else empty."""
    undefined = _UNDEFINED.match(last.message) if last.name == "NameError" else None
    path = _local_path(inner, origin) if inner else ""
    if undefined is None or not is_exported(path):
        return ""
    line = find_left_out(read_source(origin.code, path) or "").get(undefined["name"])
    if line is None:
        return ""
    return (
        f"{undefined['name']} is assigned on line {line} of {path}. That line is a shell command or a magic command, "
        f"and is left out when the notebook runs as a script: write Python code that assigns {undefined['name']}."
    )


def _instruct(instruction: str, path: str, origin: Origin) -> str:
    """Turn an instruction about lines of ``path`` into a sentence that names the file unless it is the script."""
    return capitalize(instruction) if path in ("", origin.script) else f"In {path}, {instruction}"


def _locate_lines(lines: Sequence[int], path: str, origin: Origin) -> str:
    """Return line numbers as text (``lines 3 and 5 of nn.py``). The file ``path`` is named unless it is the script."""
    return describe_lines(lines) + ("" if path in ("", origin.script) else f" of {path}")


def _explain_input(last: Raised, line: str, inner: Frame | None, origin: Origin) -> str:
    asks = _ASKS.search(line)
    function = asks["function"] if asks else "input"
    reads = "there is nothing to read from standard input" if function == "stdin" else f"nobody can answer {function}()"
    problem = f"Training runs unattended, so {reads}."
    lines = _find_lines(inner, origin, function)
    if lines.startswith("lines"):
        path = _local_path(inner, origin) if inner else ""
        where = lines if path in ("", origin.script) else f"{lines} of {path}"
        return f"{problem} Write the values directly into {where}."
    for caller, asking in list(itertools.pairwise(last.own_frames))[-1:]:
        calls = _find_lines(caller, origin, asking.function)
        where = calls if caller.path == asking.path else f"{calls} of {_local_path(caller, origin)}"
        if calls.startswith("lines"):
            return f"{problem} Replace the calls to {asking.function}() on {where} with fixed values."
    example = f": {asks['name']} = …" if asks and asks["name"] else ""
    return f"{problem} Write the value directly in the code{example}."


def _explain_screen(line: str, origin: Origin) -> str:
    backend = _find_backend(line, origin)
    if backend:
        return f"Training runs without a display: remove {backend}."
    return (
        "Training runs without a display: remove the code that opens and uses the window, or save the image to a file "
        "instead."
    )


def _find_backend(line: str, origin: Origin) -> str:
    """Return the call that selects a Matplotlib backend, from ``line`` or else from the code; empty if there is none."""
    found = _BACKEND.search(line)
    return found[0] if found else _search_code(_BACKEND, origin)[1]


def explain_lost_window(messages: Sequence[str], origin: Origin) -> str:
    """Return a remedy if the last ``messages`` of a killed script say that there is no display; otherwise empty."""
    if not any(_SCREEN.search(message) for message in messages):
        return ""
    where, call = _search_code(_WINDOW, origin)
    what = f"{call}() {where}" if call else "the line that opens a window"
    return (
        f"{origin.script} opens a window, but training runs without a display. Remove {what}, or save the image to a file "
        "instead."
    )


def _search_code(pattern: re.Pattern[str], origin: Origin) -> tuple[str, str]:
    """Return the location and text of the first match of ``pattern`` in the script or a local module that it imports.

    The location reads ``on line 3`` or ``on line 3 of net.py``. Location and text are empty if no line matches.
    """
    for path, source in _read_modules(origin).items():
        for number, line in enumerate(source.splitlines(), 1):
            if found := pattern.search(line):
                return (f"on line {number}" if path == origin.script else f"on line {number} of {path}"), found[0]
    return "", ""


def _read_modules(origin: Origin) -> dict[str, str]:
    """Return the code of the script and of the local modules that it imports, keyed by path, the script first.

    Comments and docstrings are replaced by spaces.
    """
    try:
        files = read_sources(origin.code, origin.script, (origin.code / origin.script).read_bytes()).modules
    except OSError:
        return {}
    return {path: hide_comments(read_source(origin.code, path) or "") for path in files}


def find_calls_named(names: Collection[str], origin: Origin) -> list[tuple[str, ast.Call]]:
    """Return the calls to functions with these names in the script and its local modules, each with its file."""
    sources = [(source.path, node) for source in _parse_modules(origin) for node in ast.walk(source.tree)]
    return [(path, node) for path, node in sources if isinstance(node, ast.Call) and last_name(node.func) in names]


def is_out_of_memory(message: str) -> bool:
    """Return whether an error message says that memory could not be allocated."""
    return bool(_MEMORY.search(message))


def explain_memory(exceptions: Sequence[Raised], place: Frame | None, origin: Origin) -> str:
    """Return what used too much memory and what to do about it.

    ``exceptions``: the exception and those that led to it, latest first; empty if unknown. ``place``: the line of the
    pushed code that caused it; None if that is not known.
    """
    limit = f" (limit: {origin.memory_mb} MB)" if origin.memory_mb else ""
    frames = [frame for each in exceptions for frame in each.frames if frame.is_library]
    trains = any(frame.function in _TRAINING_CALLS for frame in frames) or _trains_in_keras(exceptions, origin)
    uses_network = any(_NETWORKS.search(frame.path) for frame in frames)
    if place is None or (trains and uses_network):
        where = f" in {place.place}" if place else ""
        problem, remedy = (
            f"Training ran out of memory{where}{limit}.",
            "Use a smaller batch size or a smaller model",
        )
    else:
        wanted = next((found for each in exceptions if (found := _WANTED_MEMORY.search(each.message))), None)
        needs = f"needs {wanted['number']} {wanted['unit']} more memory" if wanted else "ran out of memory"
        problem = f"{place.place} {needs}{limit}."
        if any(_KERAS_MODEL.search(frame.path) for frame in frames):
            remedy = "Use a smaller model"
        elif trains or any(_TRANSFORMS.search(f"{frame.path} {frame.function}") for frame in frames):
            remedy = "Use fewer samples or fewer features"
        else:
            remedy = "Use fewer or smaller samples, or a smaller data type such as float32"
    return f"{problem} {remedy}, or ask the server's admin to raise [limits] memory_mb in server.toml."


def _trains_in_keras(exceptions: Sequence[Raised], origin: Origin) -> bool:
    """Return whether pushed code called a Keras method that trains or evaluates, even if the traceback omits it."""
    entered = [
        caller
        for each in exceptions
        for caller, inner in itertools.pairwise(
            frame for frame in each.frames if "/epochal_recorder/" not in frame.path
        )
        if not caller.is_library and _KERAS_FILTER.search(inner.path)
    ]
    calls = [call for frame in entered for call in find_calls(origin.code, _local_path(frame, origin), frame.line)]
    return any(last_name(call.func) in _TRAINING_CALLS for call in calls)


def _explain_sparse_labels(origin: Origin) -> str:
    where, loss = _search_code(_ONE_HOT_LOSS, origin)
    sparse = f"sparse_{loss}" if "_" in loss else f"Sparse{loss}"
    problem = f"The labels are whole numbers, which {loss} does not accept."
    return f"{problem} {capitalize(where)}, write {sparse} instead." if loss else ""


def _explain_one_hot_labels(origin: Origin) -> str:
    where, loss = _search_code(_SPARSE_LOSS, origin)
    dense = loss.removeprefix("sparse_").removeprefix("Sparse")
    problem = f"The labels are one-hot vectors, which {loss} does not accept."
    return f"{problem} {capitalize(where)}, write {dense} instead." if loss else ""


def _explain_metric_key(message: str, origin: Origin) -> str:
    """Return the remedy if a KeyError's key misnames the accuracy in Keras' history; otherwise an empty string."""
    key = _METRIC_KEY.fullmatch(message)
    metrics = {}
    for found in _METRICS.finditer("\n".join(_read_modules(origin).values())):
        kind = re.sub(r"(?<!^)(?=[A-Z])", "_", found["kind"] or "").lower()
        metrics[found["name"] or found["given"] or kind] = found["call"] or f'"{found["name"]}"'
    name, written = next(iter(metrics.items()), ("accuracy", '"accuracy"'))
    if key is None or key["name"] in metrics or key["name"] == name:
        return ""
    return (
        f"Keras uses the metric names given to compile(). With metrics=[{written}], write '{key['start']}{name}' "
        f"instead of {message}."
    )


def _explain_gpu(last: Raised, line: str, inner: Frame | None, origin: Origin) -> str:
    problem = "Training runs without a GPU."
    path = _local_path(inner, origin) if inner else ""
    failed = [frame.line for frame in last.own_frames or (inner,) if frame and inner and frame.path == inner.path]
    module = Module.read(origin.code / path) if path else None
    is_empty_list = last.name == "IndexError"
    repairs = find_repairs(parse_source(path, module.tree), failed, is_empty_list=is_empty_list) if module else []
    failed_check = any(each.is_check and each.contains(failed[-1]) for each in repairs)
    if "map_location" in last.message:
        return f'{problem} Write torch.load(…, map_location="cpu").'
    is_cuda = re.search(r"CUDA|cuda|NVIDIA", last.message) and not failed_check
    if is_cuda and "torch" in f"{last.package} {last.message} {line}".lower():
        return f'{problem} Write device = "cuda" if torch.cuda.is_available() else "cpu", and call .to(device).'
    where, setting = _search_code(_GPU_SETTING, origin)
    if setting and any(_BOOSTING.search(frame.path) for frame in last.frames):
        cpu = re.sub("gpu|cuda", "cpu", setting).replace("GPU", "CPU")
        return f"{problem} {capitalize(where)}, write {cpu}."
    return f"{problem} {_instruct(describe_repairs(repairs) if repairs else 'remove the line that needs one', path, origin)}."


def _local_path(frame: Frame, origin: Origin) -> str:
    """Return the path of a frame's file within the pushed code; empty if the file is not part of that code."""
    parts = frame.path.split("/")
    paths = ("/".join(parts[start:]) for start in range(len(parts)))
    return next((path for path in paths if path and (origin.code / path.lstrip("/")).is_file() and path[0] != "/"), "")


def _read_line(frame: Frame | None, origin: Origin) -> str:
    """Return the source line of a frame in the pushed code; empty if the line is not known."""
    path = _local_path(frame, origin) if frame else ""
    lines = (read_source(origin.code, path) or "").splitlines() if path else []
    return lines[frame.line - 1].strip() if frame and 0 < frame.line <= len(lines) else ""
