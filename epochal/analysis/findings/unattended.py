"""Find code that may fail if run unattended: prompts, arguments, GPUs, windows, notebook code, paths and downloads.

Also find scripts that do nothing when they are run.
"""

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath

from epochal.analysis.findings.finding import Finding, Severity
from epochal.analysis.findings.gpus import describe_repairs, ends_script, find_repair
from epochal.analysis.findings.path_values import PathRead, explain_foreign_path, is_in_folder, trace_path
from epochal.analysis.findings.source import (
    Source,
    Step,
    class_steps,
    find_certain,
    find_unguarded,
    has_unknown_arguments,
    is_literal,
    is_main_guard,
    keyword,
    parse_source,
)
from epochal.analysis.frameworks import frameworks
from epochal.analysis.location import explain_notebook_function
from epochal.analysis.notebook_code import find_replacements
from epochal.analysis.syntax import COMPARISONS, Module, last_name, text_of
from epochal.grammar import capitalize

_WINDOWS = re.compile(r"tkagg|tkcairo|qt\w*agg|qt\w*cairo|gtk\w+|wx\w*|macosx", re.IGNORECASE)
"""Matches the Matplotlib backends that open windows (matplotlib.org/stable/users/explain/figure/backends.html)."""
_BACKENDS = {"matplotlib.use": "backend", "matplotlib.pyplot.switch_backend": "newbackend"}
"""Functions that choose a Matplotlib backend, each with the name of the argument that specifies it."""
_DRIVE = re.compile(r"[A-Za-z]:\\\w|[A-Z]:/\w|\\\\\w")
_HOME = re.compile(r"/(?:home|Users|content|kaggle|gdrive|Volumes|dbfs)/\w|~/\w")
_ROOT = re.compile(r"/(?!data(?:/|$)|tmp(?:/|$)|train(?:/|$)|dev/|proc/|sys/|etc/|usr/|opt/epochal)\w[\w.-]*/\w")
_WITHOUT_GPU = {
    "tensorflow.test.gpu_device_name": "",
    "tensorflow.test.is_gpu_available": False,
    "torch.cuda.device_count": 0,
    "torch.cuda.is_available": False,
}
"""Functions that look for a GPU, each with the value that it returns if there is none."""
_READERS = frozenset(
    {"open", "read_csv", "read_excel", "read_json", "read_parquet", "read_pickle", "read_table", "read_hdf", "loadtxt"}
    | {"genfromtxt", "load_model", "load_weights", "imread", "imdecode", "ImageFolder", "listdir", "scandir"}
    | {"image_dataset_from_directory", "text_dataset_from_directory", "flow_from_directory", "loadmat", "load_img"}
)
_NAMED_READERS = frozenset(
    {"numpy.load", "joblib.load", "torch.load", "pandas.read_feather", "PIL.Image.open", "h5py.File"}
)
_STARTS_PROCESSES = re.compile(
    r"(?:torch\.)?multiprocessing\.(?:pool\.)?(?:Pool|Process)|concurrent\.futures\.(?:process\.)?ProcessPoolExecutor"
)
_SETS_START_METHOD = re.compile(r"(?:torch\.)?multiprocessing\.(?:set_start_method|get_context)")
Place = tuple[Source, ast.Call]
"""A call, and the file that it is in."""
_DEFINITIONS = (ast.Import, ast.ImportFrom, ast.Pass)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_CLASS_HOOKS = frozenset({"__init_subclass__", "__set_name__"})
"""Methods that Python calls when a class is defined."""
_HARMLESS = re.compile(
    r"logging\.(?:getLogger|basicConfig|disable)|pathlib\.(?:Path|PurePath)(?:\.cwd|\.home)?"
    r"|warnings\.(?:filterwarnings|simplefilter)|os\.path\.\w+|os\.(?:getcwd|getenv|cpu_count|makedirs)"
    r"|os\.environ\.(?:get|setdefault)|sys\.path\.(?:append|insert)"
    r"|(?:numpy\.)?random\.(?:seed|Random|RandomState|default_rng)|torch\.(?:cuda\.)?manual_seed(?:_all)?"
    r"|torch\.(?:device|cuda\.is_available|set_num_threads)|tensorflow\.(?:random\.set_seed|get_logger)"
    r"|(?:tensorflow\.)?keras\.utils\.set_random_seed|(?:numpy\.set_printoptions|pandas\.set_option)"
    r"|matplotlib\.use|matplotlib\.pyplot\.style\.use|types\.SimpleNamespace"
    r"|dataclasses\.field|enum\.auto|collections\.(?:namedtuple|OrderedDict|defaultdict|Counter)|typing\.(?:NamedTuple|TypeVar)"
)
"""Matches the functions that neither train nor print anything when a module calls them at its top level."""
_HARMLESS_BUILTINS = frozenset(
    {"abs", "bool", "dict", "float", "frozenset", "int", "len", "list", "range", "round", "set", "str", "tuple"}
)
_HARMLESS_METHODS = frozenset({"absolute", "expanduser", "format", "join", "joinpath", "mkdir", "resolve", "setLevel"})
_URL = re.compile(r"(?:https?|ftp|s3)://")
_DOWNLOADS = {
    r"keras\.datasets\.\w+\.load_data": "a dataset",
    r"keras\.applications\.(?:\w+\.)?[A-Z]\w+": "the {name} weights",
    r"nltk\.download": "NLTK data",
    r"tensorflow_datasets\.load": "a dataset",
    r"datasets\.load_dataset": "a dataset",
    r"sklearn\.datasets\.fetch_\w+": "a dataset",
    r"kagglehub\.\w+_download": "a dataset",
    r"gdown\.download|wget\.download|urllib\.request\.(?:urlretrieve|urlopen)|requests\.get": "a file",
    r"keras\.utils\.(?:data_utils\.)?get_file": "a file",
    r"tensorflow_hub\.(?:load|KerasLayer)": "a model",
    r"torch\.hub\.load\w*": "a model",
    r"transformers\.\w+\.from_pretrained": "a model",
    r"torchvision\.datasets\.\w+": "a dataset",
}
"""Patterns that match the names of functions that download something, and descriptions of what they download."""
_HANDLES: dict[str, tuple[str, int]] = {
    r"tensorflow_hub\.(?:load|KerasLayer)": ("handle", 0),
    r"torch\.hub\.load": ("repo_or_dir", 0),
    r"transformers\.\w+\.from_pretrained": ("pretrained_model_name_or_path", 0),
    r"datasets\.load_dataset": ("path", 0),
    r"urllib\.request\.(?:urlretrieve|urlopen)": ("url", 0),
    r"keras\.utils\.(?:data_utils\.)?get_file": ("origin", 1),
}
"""Those functions that also accept a path or a file URL, with the name and position of the argument for it."""
_LOCAL = re.compile(r"file:|[./~]|[A-Za-z]:[\\/]")
"""Matches the start of a file URL, or of a path that cannot be the name of a model or dataset."""
_FORMATS = frozenset({"arrow", "audiofolder", "csv", "imagefolder", "json", "pandas", "parquet", "text", "webdataset"})
"""Names that make ``datasets.load_dataset()`` read the given files, rather than download a dataset of that name."""
_FOLDERS = frozenset({"cache_dir", "data_dir", "data_files", "data_home", "model_dir", "path", "root"})
"""Arguments that name the folder or file where a function looks before it downloads anything."""
_TAKES_FOLDER = r"torchvision\.datasets\.\w+|keras\.datasets\.\w+\.load_data"
"""Matches the names of functions whose first argument is such a folder or file."""


def find_interactions(sources: tuple[Source, ...]) -> Iterator[Finding]:
    """Yield a finding for each call that always runs and needs a keyboard, a display or a notebook."""
    defined = {scope.name for source in sources for scope in source.scopes}
    nodes = [node for source in sources for node in source.nodes]
    defined |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    if any(isinstance(node, ast.alias) and node.name == "*" for node in nodes):
        defined.add("display")  # for example, from IPython.display
    replacements = {
        id(each.statement): each
        for source in sources
        for each in find_replacements(source.tree, is_defined="get_ipython" in defined)
    }
    for source, step in find_certain(sources):
        if replacement := replacements.get(id(step.node)):
            message = replacement.explain(source.path)
            yield _finding(source, step.node, "needs_notebook", message, replacement.remedy)
        optional = find_optional(step)
        for call in (each for each in step.calls if each not in optional):
            name, full = last_name(call.func), source.callee(call)
            is_builtin = isinstance(call.func, ast.Name) and not full and name not in defined
            if (name == "input" and is_builtin) or full == "getpass.getpass":
                yield _finding(
                    source,
                    call,
                    "asks_a_question",
                    f"{name}() waits for an answer, but training runs unattended.",
                    "Use a constant instead.",
                )
            elif name in ("int", "float") and is_builtin and _reads_standard_input(source, call):
                message = "sys.stdin.readline() returns an empty string, because training runs unattended."
                yield _finding(source, call, "asks_a_question", message, "Use a constant instead.")
            elif name == "display" and is_builtin:
                message = explain_notebook_function(name, source.path)
                yield _finding(source, call, "needs_notebook", message, "Use print() instead, or remove the line.")
            elif full in _BACKENDS and _WINDOWS.fullmatch(backend := text_of(keyword(call, _BACKENDS[full], 0))):
                yield _finding(
                    source,
                    call,
                    "needs_window",
                    f'{ast.unparse(call.func)}("{backend}") needs a display, but training runs without one.',
                    "Remove the line.",
                )


def find_left_out_names(sources: tuple[Source, ...]) -> Iterator[Finding]:
    """Yield a finding for each line left out of an exported notebook if the line assigns a variable used elsewhere."""
    left_out = {name: source for source in sources for name in source.left_out}
    if not left_out:
        return
    defined = set(filter(None, map(_defined_name, (node for source in sources for node in source.nodes))))
    for _, outer in find_certain(sources):
        for step in (outer, *(each for each in class_steps(outer) if each.branch == outer.branch)):
            optional = find_optional(step)
            for node in step.nodes:
                name = node.id if isinstance(node, ast.Name) and node not in optional else ""
                if name in left_out and "*" not in defined and name not in defined:
                    source = left_out.pop(name)
                    message = (
                        "The line is a shell command or a magic command, and is left out when the notebook runs as a "
                        f"script, so {name} is not defined on the lines that use it."
                    )
                    remedy = f"Write Python code that assigns {name}."
                    yield Finding(
                        "needs_notebook", source.path, source.left_out[name], message, remedy, Severity.WARNING
                    )


def _defined_name(node: ast.AST) -> str:
    """Return the name that a node gives to a variable, parameter, function, class or import; ``*`` for ``import *``."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name) | ast.alias(asname=str(name)):
            return name
        case ast.alias(name=name):
            return name.partition(".")[0]
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.ExceptHandler(name=str()):
            return node.name or ""
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return name
    return ""


def find_optional(step: Step) -> set[ast.AST]:
    """Return the nodes that a statement evaluates only under a condition, as in ``input() if asks else 1``."""
    optional: list[ast.expr] = []
    for node in step.nodes:
        if isinstance(node, ast.IfExp):
            optional += [node.body, node.orelse]
        elif isinstance(node, ast.BoolOp):
            optional += node.values[1:]
    return {inner for node in optional for inner in ast.walk(node)}


def _reads_standard_input(source: Source, call: ast.Call) -> bool:
    """Return whether the only argument of a call is a line read from standard input, perhaps stripped."""
    inner = call.args[0] if len(call.args) == 1 else None
    if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) and inner.func.attr in ("strip", "rstrip"):
        inner = inner.func.value
    return isinstance(inner, ast.Call) and source.callee(inner) == "sys.stdin.readline"


def find_unguarded_processes(sources: tuple[Source, ...]) -> Iterator[Finding]:
    """Yield a finding for the first call that spawns processes outside ``if __name__ == "__main__"``.

    A spawned process imports the script and so reaches the call as well, which Python does not allow
    (docs.python.org/3/library/multiprocessing.html, "The spawn and forkserver start methods").
    """
    start, setting = find_spawning(sources)
    if start:
        source, call = start
        also = f" and to {locate_call(*setting, source)}" if setting else ""
        yield _finding(
            source,
            call,
            "unguarded_process",
            f"Each process spawned by {last_name(call.func)}() runs {sources[0].path} again and fails before doing any "
            "work.",
            f'In {sources[0].path}, put the code that leads to this line{also} under `if __name__ == "__main__":`.',
        )
    elif setting:
        yield from _check_repeated_setting(sources, *setting)


def find_spawning(sources: tuple[Source, ...]) -> tuple[Place | None, Place | None]:
    """Return a call that spawns processes, and the ``set_start_method`` call before it.

    Spawned processes must not run these calls again. Each is None if there is no such call outside
    ``if __name__ == "__main__"``.
    """
    is_chosen, setting, contexts = False, None, set[str]()
    unguarded = {id(step.node) for _, step in find_unguarded(sources)}
    for source, step in find_certain(sources):
        is_guarded = id(step.node) not in unguarded
        for call in step.calls:
            name, owner = last_name(call.func), getattr(call.func, "value", None)
            is_context = _chooses_spawn(source, owner) or getattr(owner, "id", "") in contexts
            starts = _STARTS_PROCESSES.fullmatch(source.callee(call))
            context = _context_of(call)
            is_given = _chooses_spawn(source, context) or getattr(context, "id", "") in contexts
            spawns = (starts and (is_given if context else is_chosen)) or (is_context and name in ("Pool", "Process"))
            if spawns and not is_guarded:
                return (source, call), setting
            if _chooses_spawn(source, call) and name == "set_start_method":
                is_chosen = True
                setting = (source, call) if not (is_guarded or _is_forced(call)) else setting
        contexts |= {last_name(target) for target, value in step.assigned if _chooses_spawn(source, value)}
    return None, setting


def _check_repeated_setting(sources: tuple[Source, ...], setter: Source, setting: ast.Call) -> Iterator[Finding]:
    """Yield a finding if spawned processes call ``set_start_method`` again, which raises a RuntimeError."""
    for source, step in find_certain(sources):
        for call in step.calls:
            context = _context_of(call)
            if _STARTS_PROCESSES.fullmatch(source.callee(call)) and (not context or _chooses_spawn(source, context)):
                yield _finding(
                    setter,
                    setting,
                    "unguarded_process",
                    f"Each process spawned by {locate_call(source, call, setter)} runs this line again and fails, "
                    "because the start method is already set.",
                    f'In {sources[0].path}, put the code that leads to this line under `if __name__ == "__main__":`.',
                )
                return


def _context_of(call: ast.Call) -> ast.expr | None:
    """Return the multiprocessing context that is passed to an executor."""
    return keyword(call, "mp_context", 1) if last_name(call.func) == "ProcessPoolExecutor" else None


def _is_forced(setting: ast.Call) -> bool:
    """Return whether a call to ``set_start_method`` passes ``force``, which allows it to be repeated."""
    return keyword(setting, "force", 1) is not None


def locate_call(source: Source, call: ast.Call, seen_from: Source) -> str:
    """Return the name and line of a call, and its file if that differs from the file of ``seen_from``."""
    file = "" if source.path == seen_from.path else f" of {source.path}"
    return f"{last_name(call.func)}() on line {call.lineno}{file}"


def _chooses_spawn(source: Source, node: ast.expr | None) -> bool:
    """Return whether ``node`` is a call that chooses ``spawn`` or ``forkserver``, whose processes import the script."""
    if not isinstance(node, ast.Call) or not _SETS_START_METHOD.fullmatch(source.callee(node)):
        return False
    return text_of(keyword(node, "method", 0)) in ("spawn", "forkserver")


def find_uncalled_functions(sources: tuple[Source, ...], folder: Path, files: Collection[str]) -> Iterator[Finding]:
    """Yield a finding if the script and its modules only define functions or classes, so a run does nothing.

    ``folder``: the code folder. ``files``: the paths of the files that a commit would contain.
    """
    if not sources or not all(_only_defines(source, source is sources[0]) for source in sources):
        return
    script = sources[0]
    functions = [node for node in script.tree.body if isinstance(node, _FUNCTIONS)]
    classes = [node for node in script.tree.body if isinstance(node, ast.ClassDef)]
    if not functions and not classes:
        return
    names = {node.name for node in functions}
    what, use = ("functions", "call") if functions else ("classes", "use")
    message = f"{script.path} only defines {what} and {use}s none, so it trains nothing."
    for node in script.nodes:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Name) and node.value.id in names:
            remedy = f"Write {node.value.id}() instead of {node.value.id}, which only names the function."
            yield _finding(script, node.value, "calls_nothing", message, remedy)
            return
    callers = [path for path in files if path != script.path and _runs_module(folder, path, PurePosixPath(script.path))]
    where, name = (
        (f"{callers[0]} {use}s them", callers[0]) if len(callers) == 1 else (f"another file {use}s them", "run.py")
    )
    yield _finding(
        script,
        (functions or classes)[0],
        "calls_nothing",
        message,
        f'{capitalize(use)} them at the end of the script or, if {where}, name that file in epochal.toml: script = "{name}".',
    )


def _only_defines(source: Source, is_script: bool) -> bool:
    """Return whether running a script, or importing a module, only imports modules and defines names."""
    for node in source.tree.body:
        guarded = isinstance(node, ast.If) and is_main_guard(node.test)
        if guarded and not is_script:
            continue
        statements = node.body if guarded and isinstance(node, ast.If) and not node.orelse else [node]
        if not all(_is_harmless(source, statement) for statement in statements):
            return False
    return True


def _is_harmless(source: Source, node: ast.stmt) -> bool:
    """Return whether a statement only imports modules, defines names, or changes settings such as the seed."""
    if isinstance(node, _DEFINITIONS):
        return True
    if isinstance(node, ast.ClassDef):
        hooks = {each.name for each in node.body if isinstance(each, _FUNCTIONS)} & _CLASS_HOOKS
        if hooks or node.keywords or any(map(_may_run, node.decorator_list)):
            return False  # a hook, a metaclass or a decorator may use the class
        return all(isinstance(each, _FUNCTIONS) or _is_harmless(source, each) for each in node.body)
    evaluated: ast.AST = node
    if isinstance(node, _FUNCTIONS):
        if node.decorator_list:
            return False  # a decorator may call the function
        evaluated = node.args
    elif isinstance(node, ast.Expr):
        if not isinstance(node.value, ast.Constant | ast.Name | ast.Call):
            return False
    elif not isinstance(node, ast.Assign | ast.AnnAssign):
        return False
    calls = (each for each in ast.walk(evaluated) if isinstance(each, ast.Call))
    return all(_is_harmless_call(source, call) for call in calls)


def _may_run(decorator: ast.expr) -> bool:
    """Return whether a class decorator may do more than ``dataclass``, which only adds methods to the class."""
    return last_name(decorator.func if isinstance(decorator, ast.Call) else decorator) != "dataclass"


def _is_harmless_call(source: Source, call: ast.Call) -> bool:
    """Return whether a call at the top level of a module neither trains nor prints anything."""
    if name := source.callee(call):
        return bool(_HARMLESS.fullmatch(name))
    defined = {scope.name for scope in source.scopes}
    if isinstance(call.func, ast.Attribute):
        return call.func.attr in _HARMLESS_METHODS - defined
    return last_name(call.func) in _HARMLESS_BUILTINS - defined


def _runs_module(folder: Path, path: str, module: PurePosixPath) -> bool:
    """Return whether the file at ``path`` imports ``module``, does something when it is run, and is not a test."""
    is_test = any(part.startswith("test") for part in PurePosixPath(path).parts)
    parsed = Module.read(folder / path) if path.endswith(".py") and not is_test else None
    if parsed is None:
        return False
    source = parse_source(path, parsed.tree)
    imported = {part for name in source.names.values() for part in name.split(".")[:-1] or [name]}
    return module.stem in imported and not _only_defines(source, is_script=True)


def find_missing_arguments(sources: tuple[Source, ...]) -> Iterator[Finding]:
    """Yield a finding for each expression that always runs and requires a command-line argument."""
    steps = list(find_certain(sources))
    if any(source.name_of(target) == "sys.argv" for source, step in steps for target, _ in step.assigned):
        return
    calls = [call for _, step in steps for call in step.calls]
    parses = any(last_name(call.func) == "parse_args" and not call.args and not call.keywords for call in calls)
    parses = parses and not any(last_name(call.func) == "add_subparsers" for call in calls)
    for source, step in steps:
        uses_argparse = parses and any(name.startswith("argparse") for name in source.names.values())
        for call in step.calls if uses_argparse else ():
            if last_name(call.func) == "add_argument" and (remedy := _make_optional(call)):
                name = text_of(call.args[0])
                message = f"The argument {name} is required, but Epochal runs the script without arguments."
                yield _finding(source, call, "needs_argument", message, remedy)
        is_conditional = any(isinstance(node, ast.IfExp | ast.BoolOp) for node in step.nodes)
        for node in () if is_conditional else step.nodes:
            if (
                isinstance(node, ast.Subscript)
                and source.name_of(node.value) == "sys.argv"
                and _is_argument(node.slice)
            ):
                message = f"{ast.unparse(node)} does not exist, because Epochal runs the script without arguments."
                yield _finding(source, node, "needs_argument", message, "Put the value directly in the code.")


def _make_optional(call: ast.Call) -> str:
    """Return how to make an argparse argument optional; empty if it may already be optional."""
    name = text_of(call.args[0] if call.args else None)
    if not name or has_unknown_arguments(call):
        return ""
    if name.startswith("-"):
        is_required = is_literal(keyword(call, "required"), True)
        return "Add a default, and remove required=True." if is_required else ""
    return "" if keyword(call, "nargs") else 'Add nargs="?" and a default.'


def _is_argument(index: ast.expr) -> bool:
    """Return whether an index into sys.argv is a positive constant (sys.argv[0] is the script's name)."""
    return isinstance(index, ast.Constant) and isinstance(index.value, int) and index.value > 0


def find_missing_gpus(sources: tuple[Source, ...]) -> Iterator[Finding]:
    """Yield findings about statements that always run and, without a GPU, end the script or index an empty list."""
    answers: dict[str, object] = {}
    stored = Counter(
        node.id
        for source in sources
        for node in source.nodes
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
    for source, step in find_certain(sources):
        if found := _explain_missing_gpu(source, step, answers):
            message, indexed = found
            remedy = f"{capitalize(describe_repairs([find_repair(source, step.node, indexed)]))}."
            yield _finding(source, step.node, "needs_gpu", message, remedy)
        answers |= {
            name: answer
            for target, value in step.assigned
            if value and (answer := _ask_for_gpu(source, value)) is not None and stored[name := last_name(target)] == 1
        }


def _explain_missing_gpu(source: Source, step: Step, answers: Mapping[str, object]) -> tuple[str, str] | None:
    """Return why a statement fails without a GPU, and the empty list that it indexes, if any; None if it does not fail.

    ``answers``: the variables that hold the result of a check for GPUs, each with its value if there is no GPU.
    """
    node = step.node
    value = _evaluate_without_gpu(source, node.test, answers) if isinstance(node, ast.Assert | ast.If) else None
    if isinstance(node, ast.Assert) and value is not None and not value:
        return "This line needs a GPU, but training runs on a CPU.", ""
    if isinstance(node, ast.If) and value is not None:
        branch = node.body if value else node.orelse
        message = "This if statement ends the script if there is no GPU, but training runs on a CPU."
        return (message, "") if branch and ends_script(source, branch[-1]) else None
    lists = (each for each in step.nodes if isinstance(each, ast.Subscript) and not isinstance(each.slice, ast.Slice))
    indexed = next((each for each in lists if _evaluate_without_gpu(source, each.value, answers) == ()), None)
    if indexed is None or any(isinstance(each, ast.IfExp | ast.BoolOp) for each in step.nodes):
        return None
    name = indexed.value.id if isinstance(indexed.value, ast.Name) else ""
    return f"This line uses {ast.unparse(indexed)}, but training runs without a GPU.", name


def _evaluate_without_gpu(source: Source, node: ast.expr, answers: Mapping[str, object]) -> object:
    """Return the value that an expression would have if there were no GPU; () means an empty list, and None an unknown value."""
    match node:
        case ast.Name(id=name):
            return answers.get(name)
        case ast.Call(func=ast.Name(id="len"), args=[inner]) if _evaluate_without_gpu(source, inner, answers) == ():
            return 0
        case ast.Call():
            return _ask_for_gpu(source, node)
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            value = _evaluate_without_gpu(source, inner, answers)
            return None if value is None else not value
        case ast.Compare(left=left, ops=[op], comparators=[ast.Constant(value=int() | str() as wanted)]):
            value, compare = _evaluate_without_gpu(source, left, answers), COMPARISONS.get(type(op))
            is_comparable = isinstance(value, str if isinstance(wanted, str) else int)
            return compare(value, wanted) if compare and is_comparable else None
    return None


def _ask_for_gpu(source: Source, node: ast.AST) -> object:
    """Return what a TensorFlow or PyTorch call that looks for GPUs returns if there are none; None for any other node.

    () means an empty list.
    """
    if not isinstance(node, ast.Call):
        return None
    name = source.callee(node)
    is_list = re.fullmatch(r"tensorflow\.config\.(?:experimental\.)?list_(?:physical|logical)_devices", name)
    if is_list and text_of(keyword(node, "device_type", 0)) == "GPU":
        return ()
    return _WITHOUT_GPU.get(name)


def find_lost_pictures(sources: tuple[Source, ...]) -> Iterator[Finding]:
    """Yield a finding for the first ``plt.show()`` that always runs, if no code calls ``savefig``."""
    if any(last_name(call.func) == "savefig" for source in sources for call in source.calls):
        return
    for source, step in find_certain(sources):
        for call in step.calls:
            if source.callee(call) in ("matplotlib.pyplot.show", "pylab.show", "matplotlib.pylab.show"):
                yield _finding(
                    source,
                    call,
                    "shows_picture",
                    "plt.show() shows nothing during training, so the plot is lost.",
                    'To keep the plot, call plt.savefig("plot.png").',
                    Severity.NOTE,
                )
                return


def find_foreign_paths(sources: tuple[Source, ...], files: Collection[str]) -> Iterator[Finding]:
    """Yield a finding for each absolute path in the code that might not exist on the machine where training runs.

    ``files``: the paths of the files that a commit would contain.
    """
    created = {
        name
        for source in sources
        for call in source.calls
        if last_name(call.func) in ("makedirs", "mkdir", "exists", "isfile", "isdir", "mount")
        for used in (call.func, *call.args)
        for node in ast.walk(used)
        if isinstance(node, ast.expr) and not source.name_of(node)
        for name in [last_name(node) or text_of(node)]
    }
    steps = list(find_certain(sources))
    read = [
        (source, PathRead(value, call.lineno))
        for source, step in steps
        for call in step.calls
        if reads_file(source, call) and call.args
        for value in [trace_path(source, call.args[0])]
        if text_of(value.start) and not value.names & created
    ]
    found = [(source, each.value.start, not each.value.names) for source, each in read]
    found += [
        (source, value, False)
        for source, step in steps
        for target, value in step.assigned
        if value is not None and text_of(value) and last_name(target) not in created
    ]
    reported = set[int]()
    for source, node, is_read_there in found:
        path = text_of(node)
        patterns = (_DRIVE, _HOME, _ROOT) if is_read_there else (_DRIVE, _HOME)
        is_foreign = any(pattern.match(path) for pattern in patterns) and "\n" not in path and path not in created
        if is_foreign and id(node) not in reported:
            reported.add(id(node))
            reads = [each for _, each in read if each.value.start is node]
            yield _finding(
                source,
                node,
                "foreign_path",
                f"{path} is specific to one machine, but training may run on another.",
                explain_foreign_path(path, reads, files),
            )


def reads_file(source: Source, call: ast.Call) -> bool:
    """Return whether a call reads the file or folder that its first argument names."""
    name = last_name(call.func)
    if source.callee(call) in _NAMED_READERS:
        return True
    if name == "open" and isinstance(call.func, ast.Name):
        mode = keyword(call, "mode", 1)
        return mode is None or text_of(mode).startswith("r")
    is_method = isinstance(call.func, ast.Attribute)
    return name in _READERS and name != "open" and (is_method or bool(source.callee(call)))


def find_downloads(sources: tuple[Source, ...]) -> Iterator[Finding]:
    """Yield a finding for each call that always runs and downloads data."""
    for source, step in find_certain(sources):
        for call in step.calls:
            if what := _describe_download(source, call):
                dataset = _fetchable(source, call)
                remedy = f"If the server trains without network access, run epochal data fetch {dataset} on the server."
                other = (
                    "If the server trains without network access, put the files in its data folder and read them from "
                    'os.environ["EPOCHAL_DATA"].'
                )
                yield _finding(
                    source,
                    call,
                    "downloads",
                    f"{last_name(call.func)}() downloads {what}, but containers have no network access by default.",
                    remedy if dataset else other,
                    Severity.NOTE,
                )


def _describe_download(source: Source, call: ast.Call) -> str:
    """Return what a call downloads; empty if it downloads nothing."""
    if has_unknown_arguments(call):
        return ""
    full, name = source.callee(call), last_name(call.func)
    reads_text = full.startswith("pandas.read_") or full in ("numpy.loadtxt", "numpy.genfromtxt")
    if reads_text and call.args and _URL.match(text_of(trace_path(source, call.args[0]).start)):
        return "a file"
    what = next((what for pattern, what in _DOWNLOADS.items() if re.fullmatch(pattern, full)), "")
    if what and _reads_local_files(source, call):
        return ""
    if full.startswith("torchvision.") and not is_literal(keyword(call, "download"), True):
        return ""
    weights = keyword(call, "weights")
    if full.startswith("keras.applications.") and weights is not None and text_of(weights) != "imagenet":
        return ""
    if "from_pretrained" in full and not text_of(call.args[0] if call.args else None):
        return ""
    return what.format(name=name)


def _reads_local_files(source: Source, call: ast.Call) -> bool:
    """Return whether a call that may download something is given a path, or a folder that holds the data already."""
    full = source.callee(call)
    handle, position = next((each for pattern, each in _HANDLES.items() if re.fullmatch(pattern, full)), ("", None))
    given = keyword(call, handle, position) if handle else None
    if given is not None:
        start = text_of(trace_path(source, given).start)
        is_only_path = bool(start) and "://" not in start and full.startswith("tensorflow_hub.")
        if is_only_path or _LOCAL.match(start) or is_in_folder(source, given):
            return True
    folders = [each.value for each in call.keywords if each.arg in _FOLDERS]
    if text_of(given) in _FORMATS and full == "datasets.load_dataset":
        texts = (text_of(trace_path(source, node).start) for each in folders for node in _expressions_in(each))
        return bool(folders) and not any("://" in text for text in texts)
    folders += call.args[:1] if re.fullmatch(_TAKES_FOLDER, full) else []
    return any(is_in_folder(source, each) for each in folders)


def _expressions_in(node: ast.expr) -> Iterator[ast.expr]:
    return (each for each in ast.walk(node) if isinstance(each, ast.expr))


def _fetchable(source: Source, call: ast.Call) -> str:
    """Return the name of the dataset that a call downloads; empty if ``epochal data fetch`` does not support it."""
    full = source.callee(call)
    found = re.fullmatch(
        r"keras\.datasets\.(\w+)\.load_data|keras\.applications\.(?:\w+\.)?(\w+)|sklearn\.datasets\.(fetch_\w+)", full
    )
    name = next(filter(None, found.groups()), "") if found else ""
    if full == "nltk.download" and call.args:
        name = f"nltk:{text_of(call.args[0])}"
    known = {name for each in frameworks().values() if each.DATASETS for name in each.DATASETS.scripts}
    return name if name in known else ""


def _finding(
    source: Source,
    node: ast.expr | ast.stmt,
    kind: str,
    message: str,
    remedy: str,
    severity: Severity = Severity.WARNING,
) -> Finding:
    return Finding(kind, source.path, node.lineno, message, remedy, severity)
