"""Find where attributes, keys and options get their values, and describe the literals there."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from epochal.analysis.hyperparameters.constant import Constant, parse_number
from epochal.analysis.hyperparameters.unit import Function, Scope, Unit
from epochal.analysis.syntax import last_name, literal

RECORDS = frozenset(
    {"dict", "Namespace", "SimpleNamespace", "Munch", "EasyDict", "edict", "ConfigDict", "DotMap", "AttrDict", "Box"}
    | {"set_defaults", "update", "DotDict", "Dict", "OmegaConf", "create"}
)
"""Functions that turn their keyword arguments into the attributes or keys of an object."""


@dataclass(frozen=True)
class Label:
    """The name and location of a literal. The fields have the same meanings as those of ``Constant``."""

    name: str
    qualified_name: str
    place: str


@dataclass(frozen=True)
class Definition:
    """A place in the code where an attribute, key or option gets its value.

    ``kind``: ``set`` (``args.epochs = 5``), ``item`` (of a dictionary), ``field`` (of a class), or ``option`` (of the
    command line). ``owner``: the class or dictionary that the attribute or key belongs to, if that is known.
    """

    unit: Unit
    value: ast.expr
    kind: str
    label: Label
    owner: ast.AST | None = None


def find_definitions(unit: Unit, node: ast.AST, classes: Mapping[str, ast.ClassDef]) -> Iterator[Definition]:
    """Yield the definitions of attributes, keys and options in a syntax node."""
    match node:
        case ast.Assign() | ast.AnnAssign():
            if node.value is None:
                return
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                yield from _define_target(unit, node, target, node.value)
        case ast.Dict():
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    name = f"{_name_dictionary(unit, node)}.{key.value}".removeprefix(".")
                    label = Label(key.value, name, f"the key {key.value!r} in a dictionary")
                    yield Definition(unit, value, "item", label, node)
        case ast.Call():
            yield from _define_in_call(unit, node, classes)


def _name_dictionary(unit: Unit, node: ast.Dict) -> str:
    """Return the key of ``node`` in an outer dictionary, or else the variable that ``node`` is assigned to, if any."""
    match next(unit.ancestors(node), None):
        case ast.Dict() as outer:
            key = outer.keys[outer.values.index(node)]
            return str(key.value) if isinstance(key, ast.Constant) else ""
        case ast.Assign(targets=[ast.Name() as target]) | ast.AnnAssign(target=ast.Name() as target):
            return target.id
    return ""


def _define_target(unit: Unit, node: ast.AST, target: ast.expr, value: ast.expr) -> Iterator[Definition]:
    owner = unit.scope(node)
    if isinstance(target, ast.Name) and isinstance(owner, ast.ClassDef):
        label = Label(target.id, f"{owner.name}.{target.id}", f"the attribute {target.id} of the class {owner.name}")
        yield Definition(unit, value, "field", label, owner)
    elif isinstance(target, ast.Attribute | ast.Subscript):
        base, keys = read_keys(target)
        if keys:
            is_self = isinstance(base, ast.Name) and base.id in ("self", "cls")
            prefix = unit.class_of(target) if is_self else None
            start = prefix.name if prefix else last_name(base) or "object"
            name = f"{start}.{'.'.join(keys)}"
            yield Definition(unit, value, "set", Label(keys[-1], name, f"the attribute {name}"), prefix)
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        for each, item in zip(target.elts, value.elts, strict=True):
            yield from _define_target(unit, node, each, item)


def _define_update(unit: Unit, node: ast.Call, values: ast.Dict) -> Iterator[Definition]:
    start = last_name(node.func.value) if isinstance(node.func, ast.Attribute) else ""
    for key, value in zip(values.keys, values.values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            label = Label(key.value, f"{start}.{key.value}", f"the key {key.value!r} in a dictionary")
            yield Definition(unit, value, "set", label)


def _define_in_call(unit: Unit, node: ast.Call, classes: Mapping[str, ast.ClassDef]) -> Iterator[Definition]:
    name = last_name(node.func)
    keywords = {each.arg: each.value for each in node.keywords if each.arg}
    texts = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    is_option = "default" in keywords and any(each.startswith("--") for each in texts)
    if texts and (name in ("add_argument", "option", "argument") or is_option):
        option = next((each for each in texts if each.startswith("--")), texts[0])
        dest = keywords.get("dest")
        key = str(dest.value) if isinstance(dest, ast.Constant) else option.split("/")[0].lstrip("-").replace("-", "_")
        value = keywords.get("default")
        action = keywords.get("action")
        if value is None and isinstance(action, ast.Constant) and action.value in ("store_true", "store_false"):
            value = ast.copy_location(ast.Constant(action.value == "store_false"), node)
        if value is None and "is_flag" in keywords:
            value = ast.copy_location(ast.Constant(False), node)
        if value is not None:
            yield Definition(unit, value, "option", Label(key, key, f"the default of {option}"))
    elif name.startswith("DEFINE_") and texts and len(node.args) > 1:
        label = Label(texts[0], texts[0], f"the default of --{texts[0]}")
        yield Definition(unit, keywords.get("default", node.args[1]), "option", label)
    elif name == "update" and len(node.args) == 1 and isinstance(node.args[0], ast.Dict):
        yield from _define_update(unit, node, node.args[0])
    elif name in RECORDS or name in classes:
        owner = classes.get(name)
        for key, value in keywords.items():
            label = Label(key, f"{name}.{key}", f"the {key} argument of {name}()")
            yield Definition(unit, value, "set" if owner or name == "update" else "item", label, owner)


def make_number(unit: Unit, node: ast.expr, label: Label) -> Constant | None:
    """Return the literal ``node`` as a constant if it is a number or a numeric string; None otherwise."""
    value = literal(node)
    if isinstance(value, str):
        value = parse_number(value)
    if value is None or isinstance(value, bool) or getattr(node, "end_lineno", None) is None:
        return None
    name = label.name or "epochs"
    return Constant(
        name, value, node.lineno, *unit.module.span(node), unit.path, label.qualified_name or name, label.place
    )


def read_keys(node: ast.expr) -> tuple[ast.expr, tuple[str, ...]]:
    """Split ``config.train["epochs"]`` into the object ``config`` and its attributes or keys ``("train", "epochs")``."""
    keys: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            keys.append(node.attr)
        elif (
            isinstance(node, ast.Subscript)
            and isinstance(node.slice, ast.Constant)
            and isinstance(node.slice.value, str)
        ):
            keys.append(node.slice.value)
        else:
            return node, tuple(reversed(keys))
        node = node.value


def is_environment(node: ast.Call) -> bool:
    """Return whether a call reads an environment variable: ``os.environ.get(…)`` or ``os.getenv(…)``."""
    if isinstance(node.func, ast.Attribute) and node.func.attr == "get":
        return last_name(node.func.value) == "environ"
    return last_name(node.func) == "getenv"


def find_default(function: Function, parameter: ast.arg) -> ast.expr | None:
    """Return the default value of a function's parameter, or None if the parameter has no default."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = dict(zip(reversed(positional), reversed(arguments.defaults), strict=False))
    return defaults.get(parameter) or dict(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)).get(parameter)


def label_parameter(function: Function, parameter: ast.arg) -> Label:
    """Return the name and location of a parameter's default value."""
    place = f"the default of the parameter {parameter.arg} in {function.name}()"
    return Label(parameter.arg, f"{function.name}.{parameter.arg}", place)


def label_argument(function: str, argument: str, place: str = "") -> Label:
    """Return the name and location of an argument in a call to ``function``.

    ``place``: an ordinal such as "third" if the argument is passed by position; empty if it is passed by keyword.
    """
    where = f"the {place} argument" if place else f"the {argument} argument"
    return Label(argument, f"{function}.{argument}", f"{where} of {function}()")


def label_variable(unit: Unit, scope: Scope, name: str) -> Label:
    """Return the name and location of a variable in a module, function or class."""
    if isinstance(scope, ast.Module | ast.Lambda):
        return Label(name, f"{unit.path.rpartition('/')[2].removesuffix('.py')}.{name}", f"the constant {name}")
    return Label(name, f"{scope.name}.{name}", f"the variable {name} in {scope.name}()")
