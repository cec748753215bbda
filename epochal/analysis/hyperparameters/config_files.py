"""Locate the values in YAML, JSON and TOML files, so that a value can be changed without touching any other bytes."""

import ast
import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from epochal.analysis.hyperparameters.constant import Constant, parse_number
from epochal.analysis.syntax import Module, literal
from epochal.records import Value, is_same_value

CONFIG_SUFFIXES = (".yaml", ".yml", ".json", ".toml")

_Key = tuple[str, ...]
_Found = tuple[_Key, Value, int, int]
"""A value's full key, the value itself, and the byte offsets of its start and end."""

_TOML_SCALAR = r"""[+-]?\d[\w.+-]*|true|false|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'"""
_TOML_KEY = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')"""
_TOML_LINE = re.compile(rf"[ \t]*({_TOML_KEY}(?:[ \t]*\.[ \t]*{_TOML_KEY})*)[ \t]*=[ \t]*(.*)")
_TOML_VALUE = re.compile(rf"({_TOML_SCALAR})[ \t]*(?:#.*)?\r?")
_TOML_ITEM = re.compile(rf"(?<=[{{,])[ \t]*({_TOML_KEY})[ \t]*=[ \t]*({_TOML_SCALAR})[ \t]*(?=[,}}])")
_TOML_TABLE = re.compile(rf"[ \t]*\[[ \t]*({_TOML_KEY}(?:[ \t]*\.[ \t]*{_TOML_KEY})*)[ \t]*\][ \t]*(?:#.*)?\r?")
_PLAIN_YAML = re.compile(r"[A-Za-z_][\w.-]*")


def find_keys(path: str, content: bytes) -> list[Constant]:
    """Return the numbers, strings and booleans in the configuration file ``path``, in order, with their keys.

    The ``qualified_name`` of each constant is its full key, such as ``train.epochs``; list items are numbered from 0.
    The result is empty if the file is not valid, or if its suffix is not one of ``CONFIG_SUFFIXES``.
    """
    try:
        found = list(_read(path, content))
    except (ValueError, RecursionError):  # also covers Unicode, JSON and TOML errors
        return []
    return [
        Constant(key[-1], value, content.count(b"\n", 0, start) + 1, start, end, path, name, f"the key {name}")
        for key, value, start, end in found
        for name in [".".join(key)]
    ]


def format_value(path: str, before: bytes, value: Value) -> bytes:
    """Return ``value`` formatted for the file ``path`` and, if possible, quoted like the old value ``before``."""
    quote = before[:1].decode("ascii", "replace")
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, int | float):
        # YAML 1.1 reads 1e-05 as a string, but all three formats read 1.0e-05 as a number.
        text = re.sub(r"^(-?\d+)e", r"\1.0e", repr(value))
        if quote in "\"'":
            text = f"{quote}{text}{quote}"
    elif path.endswith((".yaml", ".yml")) and quote not in "\"'" and _is_plain_yaml(value):
        text = value
    elif quote == "'" and value.isprintable() and "'" not in value:
        text = f"'{value}'"
    else:
        text = json.dumps(value)
    return text.encode("utf-8")


def _is_plain_yaml(text: str) -> bool:
    """Return whether ``text`` is a simple word that YAML reads as the same string even without quotes."""
    import yaml

    return bool(_PLAIN_YAML.fullmatch(text)) and yaml.safe_load(text) == text


def check_change(path: str, before: bytes, after: bytes, changes: Mapping[Constant, Value]) -> bool:
    """Parse ``before`` and ``after``, two versions of a file, and return whether they differ by exactly ``changes``."""
    expected = [
        (
            each.qualified_name,
            next((value for constant, value in changes.items() if constant.start == each.start), each.value),
        )
        for each in find_keys(path, before)
    ]
    found = [(each.qualified_name, each.value) for each in find_keys(path, after)]
    return len(found) == len(expected) and all(
        name == other_name and is_same_value(value, other_value)
        for (name, value), (other_name, other_value) in zip(found, expected, strict=True)
    )


def _read(path: str, content: bytes) -> Iterator[_Found]:
    if path.endswith((".yaml", ".yml")):
        return _read_yaml(content)
    if path.endswith(".json"):
        return _read_json(content)
    return _read_toml(content) if path.endswith(".toml") else iter(())


def _read_yaml(content: bytes) -> Iterator[_Found]:
    import yaml  # imported here, because most scripts have no such file

    text = content.decode("utf-8")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return
    for key, node in _walk_yaml(root, (), set()):
        value = _read_yaml_scalar(node)
        if key and value is not None:
            start, end = (len(text[: mark.index].encode("utf-8")) for mark in (node.start_mark, node.end_mark))
            yield key, value, start, end


def _walk_yaml(node: Any, key: _Key, seen: set[int]) -> Iterator[tuple[_Key, Any]]:
    """Yield the scalars in a YAML node with their keys. Block scalars and aliases are skipped."""
    import yaml

    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key_node, value in node.value:
            yield from _walk_yaml(value, (*key, str(key_node.value)), seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _walk_yaml(item, (*key, str(index)), seen)
    elif isinstance(node, yaml.ScalarNode) and node.style in (None, "'", '"'):
        yield key, node


def _read_yaml_scalar(node: Any) -> Value | None:
    """Return the value of a YAML scalar; None for null, dates and the like. ``1e-3`` counts as a number."""
    import yaml

    if node.tag == "tag:yaml.org,2002:str":
        number = parse_number(node.value)
        return str(node.value) if number is None else number
    try:
        value = yaml.safe_load(node.value)
    except (yaml.YAMLError, ValueError):
        return None
    return value if isinstance(value, bool | int | float) and math.isfinite(value) else None


def _read_json(content: bytes) -> Iterator[_Found]:
    json.loads(content)  # raises ValueError if it is not JSON
    # Parse JSON as Python, whose parser locates each value; only true, false and null are not Python literals.
    module = Module.parse(content)
    if module is None or not isinstance(module.tree.body[0], ast.Expr):
        return
    for key, node in _walk_json(module.tree.body[0].value, ()):
        value = node.id == "true" if isinstance(node, ast.Name) and node.id in ("true", "false") else literal(node)
        number = parse_number(value) if isinstance(value, str) else None
        if key and value is not None:
            yield (key, value if number is None else number, *module.span(node))


def _walk_json(node: ast.expr, key: _Key) -> Iterator[tuple[_Key, ast.expr]]:
    """Yield the scalars in a JSON node with their keys."""
    if isinstance(node, ast.Dict):
        for key_node, value in zip(node.keys, node.values, strict=True):
            yield from _walk_json(value, (*key, str(literal(key_node)) if key_node else ""))
    elif isinstance(node, ast.List):
        for index, item in enumerate(node.elts):
            yield from _walk_json(item, (*key, str(index)))
    else:
        yield key, node


def _read_toml(content: bytes) -> Iterator[_Found]:
    """Yield the scalars that are on the same line as their keys, including those in inline tables.

    Multi-line strings and arrays of tables are skipped, and so is any value that differs from what ``tomllib`` reads
    for the same key.
    """
    data = tomllib.loads(content.decode("utf-8"))
    table: _Key = ()
    start, is_inside_text = 0, False
    for line in content.split(b"\n"):
        text = line.decode("utf-8")
        was_inside_text = is_inside_text
        is_inside_text ^= bool((text.count('"' * 3) + text.count("'" * 3)) % 2)
        if was_inside_text:
            pass
        elif header := _TOML_TABLE.fullmatch(text):
            table = _split_toml_key(header[1])
        elif text.lstrip().startswith("[["):
            table = ("[[",)  # the items of an array of tables are skipped
        elif match := _TOML_LINE.match(text):
            key = (*table, *_split_toml_key(match[1]))
            places: list[tuple[_Key, str, int]] = []
            if scalar := _TOML_VALUE.fullmatch(match[2]):
                places = [(key, scalar[1], match.start(2))]
            elif match[2].startswith("{"):
                places = [
                    ((*key, *_split_toml_key(item[1])), item[2], match.start(2) + item.start(2))
                    for item in _TOML_ITEM.finditer(match[2])
                ]
            for found, written, at in places:
                value = tomllib.loads(f"x = {written}")["x"]
                if isinstance(value, str | bool | int | float) and _look_up(data, found) == value:
                    first = start + len(text[:at].encode("utf-8"))
                    number = parse_number(value) if isinstance(value, str) else None
                    yield found, value if number is None else number, first, first + len(written.encode("utf-8"))
        start += len(line) + 1


def _split_toml_key(text: str) -> _Key:
    return tuple(part.strip("\"'") for part in re.findall(_TOML_KEY, text))


def _look_up(data: Any, key: _Key) -> Any:
    for part in key:
        data = data.get(part) if isinstance(data, dict) else None
    return data
