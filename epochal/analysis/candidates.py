"""Guess which Python file is the training script, judging by the code that runs when the file is started."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from epochal.analysis.files import list_code_files
from epochal.analysis.hyperparameters.sources import read_modules
from epochal.analysis.syntax import last_name, parse_tree, resolve_imports
from epochal.folders import SCRIPT

OTHER_NAMES = ("train.py", "main.py")
"""The usual names of training scripts, besides nn.py."""
_TEST = re.compile(r"test_.*\.py|.*_test\.py|conftest\.py")
_TRAINS = (
    r"(?:(?:partial_)?fit(?!_transform\b)|backward|train(?!_test_split\b)|cross_val|value_and_grad|GradientTape)\w*"
)
"""Matches the names of functions that train a model."""
_TRAINS_IN_TEXT = re.compile(rf"\b{_TRAINS}\(".encode())
"""Matches calls that train a model, and definitions of functions with names such as ``train_model``."""
_SPECIAL = re.compile(r"__\w+__")
"""Matches the names of special methods, which Python calls implicitly."""
_COMMANDS = frozenset({"command", "automain"})
"""Decorators of functions that are called from the command line, as in ``@app.command()``."""
_MAX_SCRIPTS = 200
"""In a folder with more Python files, finding out what each of them runs would take too long."""

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_Functions = dict[str, list[ast.stmt]]
"""For each name, the statements of the functions and methods with that name."""


def guess_script(code: Path, *, may_be_missing: bool) -> str:
    """Return the path of the only file in ``code`` that could be the training script; empty if there are several.

    Files named like tests do not count. ``may_be_missing``: whether the script itself may be missing, so that even a
    lone file may be just a module.
    """
    names = [name for name in list_code_files(code) if name.endswith(".py")]
    scripts = [name for name in names if not _TEST.fullmatch(PurePosixPath(name).name)]
    usual = {name for name in scripts if PurePosixPath(name).name in (SCRIPT, *OTHER_NAMES)}
    running = {name for name in scripts if len(scripts) <= _MAX_SCRIPTS and _trains(code, name)}
    training = {name for name in scripts if _may_train(code / name)}
    only = set() if may_be_missing else set(scripts)
    found = usual & running or usual | running or training or only
    return found.pop() if len(found) == 1 else ""


def _may_train(path: Path) -> bool:
    """Return whether a Python file seems to train a model, judging by its name and its text."""
    return "train" in path.stem.lower() or bool(_TRAINS_IN_TEXT.search(_read(path)))


def _trains(code: Path, name: str) -> bool:
    """Return whether a Python file trains a model when it is started.

    What runs is the code at its top level, and the functions of the file and its local modules that this code uses. A
    file that is not valid Python is judged by its text.
    """
    content = _read(code / name)
    tree = parse_tree(content)
    if tree is None:
        return bool(_TRAINS_IN_TEXT.search(content))
    trees = map(parse_tree, reversed(read_modules(code, name, content).values()))
    functions: _Functions = {}
    for module in trees:  # the file itself comes last, so that its own functions hide others
        functions |= _find_functions(module) if module else {}
    imported = resolve_imports(tree)
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Call) and re.fullmatch(_TRAINS, _name_of(node.func, imported)):
            return True
        stack += functions.pop(_name_of(node, imported), [])
        stack += _find_registered(node) if isinstance(node, _FUNCTIONS) else ast.iter_child_nodes(node)
    return False


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _name_of(node: ast.AST, imported: dict[str, str]) -> str:
    """Return the last part of a name or attribute; if this is an import alias, the last part of the original name."""
    name = last_name(node)
    return imported.get(name, name).rpartition(".")[2]


def _find_functions(tree: ast.Module) -> _Functions:
    """Return the statements of a module's functions by name. The name of a class stands for its special methods."""
    found: _Functions = defaultdict(list)
    for node in ast.walk(tree):
        if isinstance(node, _FUNCTIONS):
            found[node.name] += node.body
        elif isinstance(node, ast.ClassDef):
            special = (each for each in node.body if isinstance(each, _FUNCTIONS) and _SPECIAL.fullmatch(each.name))
            found[node.name] += [statement for method in special for statement in method.body]
    return dict(found)


def _find_registered(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterable[ast.stmt]:
    """Return the statements of a function if a decorator turns it into a command; none for other functions."""
    decorators = (each.func if isinstance(each, ast.Call) else each for each in function.decorator_list)
    return function.body if any(last_name(each) in _COMMANDS for each in decorators) else ()
