"""XGBoost. Its estimators' scores are recorded like scikit-learn's.

The tables list what XGBoost has removed, with replacements; each entry was tested with XGBoost 3.2. Parameters that it
merely ignores, such as ``use_label_encoder`` and ``predictor``, are not listed.
"""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from epochal.analysis.frameworks import LogLines, Recorder, RemovedApi
from epochal.analysis.syntax import full_name, parse_tree, resolve_imports
from epochal.folders import resource

TITLE = "XGBoost"
IMPORTS = ("xgboost",)
RANK = 1
PINS = resource("requirements") / "xgboost.txt"
DATASETS = None
MODEL_SUFFIXES = (".ubj", ".bst", ".joblib", ".pkl")
# "[0]\tvalidation_0-logloss:0.61", one line per round.
LOG_LINES = LogLines(progress=r"\s*\[\d+\]\s+\S+-\S+:")
RECORDER = Recorder()
SET_EPOCHS = (
    "Write epochs = 100 at the top of the script, and pass it as the number of trees: n_estimators=epochs or "
    "num_boost_round=epochs."
)

_MOVED_FROM_FIT = frozenset({"callbacks", "early_stopping_rounds", "eval_metric"})
"""Arguments that have moved from an estimator's ``fit`` to its constructor."""
_REMOVED_VALUES = {"gpu_hist": "'hist'", "gpu_exact": "'exact'"}
"""Values that ``tree_method`` no longer accepts.

Setting one raises no error, but a later call fails with an error message that quotes the value.
"""
_PREDICTIONS = frozenset({"apply", "predict", "predict_proba"})


def find_removed_apis(source: str) -> list[RemovedApi]:
    """Return each place in a module's ``source`` that uses an API removed from XGBoost, in line order.

    The list is empty if the source does not import XGBoost, or is not valid Python (which is reported elsewhere).
    """
    tree = parse_tree(source)
    if tree is None:
        return []
    names = resolve_imports(tree)
    if not any(path.split(".")[0] == "xgboost" for path in names.values()):
        return []
    values = _find_values(tree)
    found = {removed for node in ast.walk(tree) for removed in _check_node(node, names, values)}
    return sorted(found, key=lambda removed: (removed.line, removed.what))


def _find_values(tree: ast.Module) -> dict[str, ast.expr]:
    """Return the value of each variable or attribute that is assigned only once, keyed by its name in the source."""
    assigned: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                assigned.setdefault(ast.unparse(target), []).append(node.value)
    stored = Counter(
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
    stored.update(node.arg for node in ast.walk(tree) if isinstance(node, ast.arg))
    return {name: values[0] for name, values in assigned.items() if len(values) == 1 and stored[name] <= 1}


def _check_node(node: ast.AST, names: dict[str, str], values: Mapping[str, ast.expr]) -> Iterator[RemovedApi]:
    if isinstance(node, ast.Attribute) and node.attr == "best_ntree_limit":
        yield RemovedApi(node.end_lineno or node.lineno, "best_ntree_limit", "best_iteration + 1")
    if not isinstance(node, ast.Call):
        return
    called = full_name(node.func, names)
    if isinstance(node.func, ast.Attribute) and not called:
        yield from _check_method(node, node.func, names, values)
    if called in ("xgboost.train", "xgboost.cv"):
        options = [each.value for each in node.keywords if each.arg == "params"] or node.args[:1]
        yield from _check_parameters(node.keywords, {"feval": "custom_metric=…"})
    elif _is_estimator(called):
        options = [each.value for each in node.keywords if each.arg is None]
        yield from _check_parameters(node.keywords, {"gpu_id": 'device="cpu"'})
    else:
        return
    for each in options:
        yield from _check_dictionary(values.get(ast.unparse(each), each))


def _check_method(
    call: ast.Call, method: ast.Attribute, names: dict[str, str], values: Mapping[str, ast.expr]
) -> Iterator[RemovedApi]:
    line, name = method.end_lineno or call.lineno, method.attr
    arguments = {each.arg for each in call.keywords if each.arg}
    if name in _PREDICTIONS and "ntree_limit" in arguments:
        yield RemovedApi(line, f"{name}(ntree_limit=…)", f"{name}(iteration_range=(0, …))")
    model = values.get(ast.unparse(method.value), method.value)
    estimator = full_name(model.func, names) if isinstance(model, ast.Call) else ""
    if name == "fit" and _is_estimator(estimator):
        for argument in sorted(arguments & _MOVED_FROM_FIT):
            yield RemovedApi(line, f"fit({argument}=…)", f"{estimator.rpartition('.')[2]}({argument}=…)")


def _is_estimator(name: str) -> bool:
    return name.startswith("xgboost.") and name.rpartition(".")[2].startswith("XGB")


def _check_parameters(keywords: Iterable[ast.keyword], removed: Mapping[str, str]) -> Iterator[RemovedApi]:
    for each in keywords:
        if each.arg and each.arg in removed:
            yield RemovedApi(each.value.lineno, each.arg, removed[each.arg])
        elif each.arg == "tree_method":
            yield from _check_tree_method(each.value)


def _check_dictionary(parameters: ast.expr) -> Iterator[RemovedApi]:
    for key, value in zip(parameters.keys, parameters.values, strict=True) if isinstance(parameters, ast.Dict) else ():
        name = key.value if isinstance(key, ast.Constant) else None
        if name == "gpu_id":
            yield RemovedApi(value.lineno, "gpu_id", "'device': 'cpu'")
        elif name == "tree_method":
            yield from _check_tree_method(value)


def _check_tree_method(value: ast.expr) -> Iterator[RemovedApi]:
    if isinstance(value, ast.Constant) and value.value in _REMOVED_VALUES:
        yield RemovedApi(value.lineno, f"'{value.value}'", _REMOVED_VALUES[str(value.value)])
