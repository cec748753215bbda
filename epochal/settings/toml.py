"""Read TOML files into pydantic models, with error messages that help users fix the files, and write templates."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo

from epochal.errors import SettingsError
from epochal.grammar import join_words


class Table(BaseModel):
    """Base class for a table in a settings file. All such tables are frozen and reject unknown keys."""

    ELSEWHERE: ClassVar[Mapping[str, str]] = {}
    """Keys that belong in another file, each with a description of that file."""
    SYNONYMS: ClassVar[Mapping[str, str]] = {}
    """Words that users might write by mistake, each mapped to the key to suggest instead."""
    REMEDY: ClassVar[str] = ""
    """A sentence that says what to do if the table has an invalid value or lacks a key; empty if none is needed."""

    # defer_build: no command uses every table, so each table's validator is built when it is first used.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_quoted_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse strings where a number is expected: "90%", and even "100", which pydantic would convert."""
        if isinstance(value, str) and cls.model_fields[info.field_name or ""].annotation in (int, float):
            raise ValueError(f"should be a number, without quotation marks{_give_example(info.field_name, value)}")
        return value


@dataclass(frozen=True)
class Expected:
    """A description, in a setting's annotation, of the strings that its pattern matches; error messages quote it."""

    words: str


def _resolve_path(path: str, info: ValidationInfo) -> str:
    try:
        return str(info.context / Path(path).expanduser()) if path and info.context else path
    except RuntimeError:
        raise ValueError("should not begin with the home folder of an unknown user") from None


FilePath = Annotated[str, AfterValidator(_resolve_path)]
"""A path, which may be empty. A relative path is relative to the folder of the settings file."""

T = TypeVar("T", bound=Table)

_MISTAKES = {
    r"<{7}|={7}|>{7}": "Resolve the merge conflict there, and commit the result.",
    r"\s*(?://|/\*|;|--)": "Comments begin with #.",
    r"\s*\{": "Write each setting on its own line, without braces, as in name = value.",
    r"[^#]*=\s*\{(?:[^}]*|[^#]*,\s*\}.*)$": "Write the whole { … } on one line, with no comma before the closing brace.",
    r"\s*[\w.-]+\s*[:=]\s*(?:none|null|nil)\s*(?:#.*)?$": "Remove the line to use the default.",
}
"""Patterns that match the beginnings of lines that are not valid TOML, each with a remedy."""
_ASSIGNMENT = re.compile(
    r"""\s*["']?(?P<key>[\w.-]+)["']?(?:\s*(?:[:=]|:=|==)\s*(?P<value>[^\s#;]+?(?:\s*%)?)|\s+(?P<number>[\d.,]+\s*%?))"""
    r"\s*[,;]?\s*(?:(?:#|//|;).*)?"
)
"""Matches a line that was meant to set a key, such as ``threshold: 95%`` or ``threshold 0.95``."""


def read_toml(path: Path, model: type[T]) -> T:
    """Return the settings in the file ``path``, or the defaults if it does not exist.

    Raises SettingsError, which names the file and the key, if the file is not TOML in UTF-8, if a key is missing or
    unknown, or if a value is invalid.
    """
    try:
        text = path.read_text(encoding="utf-8-sig") if path.exists() else ""
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not encoded in UTF-8. Save it as UTF-8.") from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error}.") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"{path} cannot be read as TOML: {error}. {_correct_line(text, str(error))}".rstrip()
        ) from error
    return parse(values, model, str(path))


def _correct_line(text: str, error: str) -> str:
    """Return how to correct a common mistake in the line that ``error`` refers to; empty if there is none."""
    position = re.search(r"\(at line (\d+), ", error)
    line = text.splitlines()[int(position[1]) - 1] if position else ""
    for pattern, remedy in _MISTAKES.items():
        if re.match(pattern, line, re.IGNORECASE):
            return remedy
    found = _ASSIGNMENT.fullmatch(line)
    if found is None:
        return ""
    value = re.sub(r"(?<=\d),(?=\d)", ".", found["number"] or found["value"])
    value = re.sub(r"^\.(?=\d)", "0.", re.sub(r"(?<=\d)\.$", ".0", value))
    if percentage := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", value):
        value = str(Decimal(percentage[1]) / 100)
    elif value in ("True", "False"):
        value = value.lower()
    elif re.fullmatch(r"[A-Za-z_][\w./-]*", value) and value not in ("true", "false"):
        value = f'"{value}"'
    written = f"{found['key']} = {value}"
    try:
        tomllib.loads(written)
    except tomllib.TOMLDecodeError:
        return ""
    return f"Write {written}."


def parse(values: dict[str, Any], model: type[T], where: str) -> T:
    """Validate ``values``, which were read from the file ``where``, and return them as an instance of ``model``.

    A relative FilePath becomes a path in the folder of that file. Raises SettingsError with one line for each unknown
    key or invalid value; the line says what would be valid.
    """
    try:
        return model.model_validate(values, context=Path(where).parent)
    except ValidationError as error:
        faults = error.errors()
        meant = {(*fault["loc"][:-1], _find_similar(model, fault)) for fault in faults}
        lines = [
            _format_error(where, fault, model, values)
            for fault in faults
            if fault["type"] != "missing" or fault["loc"] not in meant
        ]
        raise SettingsError("\n".join(lines)) from None


def table_tag(table: type[Table]) -> str:
    """Return the tag that identifies ``table`` among the kinds of table that a key accepts.

    The tag becomes part of the location of a validation error, where its ``<`` distinguishes it from a key.
    """
    return f"<{table.__name__}>"


def _give_example(name: str | None, value: str) -> str:
    """Return a phrase such as ``, as in threshold = 0.9`` for a quoted number or percentage; empty for other text."""
    number = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%?)\s*", value)
    if number is None:
        return ""
    return f", as in {name} = {Decimal(number[1]) / 100 if number[2] else number[1]}"


def _format_error(where: str, fault: Any, model: type[Table], values: dict[str, Any]) -> str:
    path, value = fault["loc"], fault["input"]
    if not path:
        return f"{where}: {fault['msg'].removeprefix('Value error, ')}."
    key, remedy = _join_key(path), _find_table(model, path[:1]).REMEDY
    if _is_in_array(path):
        name = values[path[0]][path[1]].get("path")
        where = f"{where}: {path[0]} {path[1] + 1}" + (f" ({name})" if name else "")
    if fault["type"] == "extra_forbidden":
        problem = f"there is no table {_header(key, value)}" if _is_table(fault) else f"{key} is not a setting"
        return f"{where}: {problem}. {_suggest_key(model, fault)}"
    if fault["type"] == "missing":
        return f"{where}: {key} is missing. {remedy}".rstrip()
    if fault["type"] in ("tuple_type", "model_type") and (entry := _find_array_entry(model, fault)):
        written = f"[{key}]" if isinstance(value, dict) else key
        correct = f"[[{key}]], in double brackets, with {entry} on the next line"
        if not isinstance(value, dict) or entry.partition(" ")[0] in value:
            given = value.values() if isinstance(value, dict) else [value]
            is_kept = any(_format_value(each) in entry for each in given)
            return f"{where}: {written} should be {correct}. {'' if is_kept else remedy}".rstrip()
        plain = [name for name in value if name in model.model_fields]
        move = f"Move {join_words(plain)} to the top of the file, above all tables, and remove" if plain else "Remove"
        return (
            f"{where}: {written} is not a table of settings. {move} {written}; a list of tables begins with {correct}."
        )
    if fault["type"] == "values" and (place := _suggest_place(model, str(path[-1]), value)):
        return f"{where}: {key} is neither a range nor a set of choices. {place}"
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return f"{where}: {key}: {_describe_expected(model, fault, key)} (it is {shown}). {remedy}".rstrip()


def _is_in_array(path: tuple[int | str, ...]) -> bool:
    """Return whether ``path`` is the location of a key in an array of tables, such as [[project]]."""
    return len(path) > 2 and isinstance(path[1], int)


def _join_key(path: tuple[int | str, ...]) -> str:
    """Join the parts of a key. Positions, table tags and the name of an array of tables are left out."""
    parts = path[2:] if _is_in_array(path) else path
    return ".".join(part for part in parts if isinstance(part, str) and not part.startswith("<"))


def _describe_expected(model: type[Table], fault: Any, key: str) -> str:
    """Return what the value at the location of a validation error should be."""
    kind, value = fault["type"], fault["input"]
    if kind in ("model_type", "dict_type"):
        return f"Input should be a table: [{key}]"
    if kind == "tuple_type":
        entries = [part.strip() for part in value.split(",")] if isinstance(value, str) else []
        return "Input should be a list" + (f", as in {_format_value(entries)}" if entries else "")
    if kind in ("too_short", "string_too_short"):
        return "Input should not be empty"
    field = _find_field(model, fault["loc"])
    words = [item.words for item in field.metadata if isinstance(item, Expected)] if field else []
    if kind == "string_pattern_mismatch" and words:
        return f"Input should be {words[0]}"
    return str(fault["msg"]).removeprefix("Value error, ")


def _find_array_entry(model: type[Table], fault: Any) -> str:
    """Return the line to write below ``[[…]]`` if a validation error is about an array of tables; otherwise empty.

    The line, such as ``path = "digits"``, sets the first key to the value that was found, or to an example.
    """
    field, value = _find_field(model, fault["loc"][:1]), fault["input"]
    if (
        _is_in_array(fault["loc"])
        or field is None
        or not isinstance(field.default, tuple)
        or not (tables := _tables_of(field.annotation))
    ):
        return ""
    name, first = next(iter(tables[0].model_fields.items()))
    for written in (value, value.get(name) if isinstance(value, dict) else None):
        with suppress(ValidationError):
            return f"{name} = {_format_value(getattr(tables[0].model_validate({name: written}), name))}"
    return f"{name} = {_format_value((first.examples or [''])[0])}"


def _is_table(fault: Any) -> bool:
    """Return whether the unknown key in a validation error is a top-level table or array of tables."""
    value = fault["input"]
    return len(fault["loc"]) == 1 and isinstance(value[0] if value and isinstance(value, list) else value, dict)


def _header(name: str, value: Any) -> str:
    """Return the line that begins the table ``name``: [name] or, if its value is an array of tables, [[name]]."""
    return f"[[{name}]]" if isinstance(value, list | tuple) else f"[{name}]"


def _suggest_key(model: type[Table], fault: Any) -> str:
    """Suggest a valid key or table to replace the unknown key in a validation error."""
    path, value = fault["loc"], fault["input"]
    name, table, is_table = str(path[-1]), _find_table(model, path[:-1]), _is_table(fault)
    known = _keys_of(table)
    if name in table.ELSEWHERE:
        return f"It belongs in {table.ELSEWHERE[name]}."
    place = _suggest_place(model, name, value)
    if place and (len(path) == 1 or name in model.model_fields):
        return place
    similar = _find_similar(model, fault)
    if similar and not (len(path) == 1 and _differs(model.model_fields[similar].annotation, value)):
        found = _join_key((*path[:-1], similar))
        return f"Did you mean {_header(found, model.model_fields[found].default) if is_table else found}?"
    if place:
        return place
    if is_table:
        headers = {
            key: _header(key, each.default) for key, each in model.model_fields.items() if _tables_of(each.annotation)
        }
        plain = [key for key in value if key in model.model_fields and key not in headers]
        if plain:
            return f"Move {join_words(plain)} to the top of the file, above all tables, and remove [{name}]."
        return f"Valid tables: {', '.join(headers.values())}."
    return f"Valid settings here: {', '.join(known)}."


def _suggest_place(model: type[Table], name: str, value: Any) -> str:
    """Return a sentence that says where the misplaced key ``name`` belongs; empty if no setting has that name."""
    for key, field in model.model_fields.items():
        is_entry = isinstance(field.default, dict) and isinstance(value, dict) and bool(value)
        if is_entry and any(value.keys() <= {*_keys_of(each), *each.SYNONYMS} for each in _tables_of(field.annotation)):
            return f"Write {name} = {_format_value(value)} below the line [{key}]. Uncomment that line if necessary."
    if name in model.model_fields:
        return f"It belongs at the top of the file, above all tables: {name} = {_format_value(value)}."
    headers = [
        _header(key, field.default)
        for key, field in model.model_fields.items()
        if not isinstance(field.default, dict)
        and any(name in _keys_of(table) for table in _tables_of(field.annotation))
    ]
    return f"It belongs in the {join_words(headers, 'or')} table." if headers else ""


def _find_similar(model: type[Table], fault: Any) -> str:
    """Return the valid key that the user probably meant by the unknown key in a validation error; empty if none."""
    if fault["type"] != "extra_forbidden":
        return ""
    table, name = _find_table(model, fault["loc"][:-1]), str(fault["loc"][-1])
    close = difflib.get_close_matches(name.lower(), _keys_of(table), n=1)
    return table.SYNONYMS.get(name) or next(iter(close), "")


def _differs(annotation: Any, value: Any) -> bool:
    """Return whether ``value`` is a table with keys that do not exist in the table described by ``annotation``."""
    tables = _tables_of(annotation)
    return isinstance(value, dict) and len(tables) == 1 and not value.keys() <= tables[0].model_fields.keys()


def find_line(text: str, key: str) -> int:
    """Return the number, counted from 1, of the line in a TOML file that sets ``key``, such as ``retrain.max_epochs``.

    The key may point into an inline table. If no line sets it, the result is 0 or, for a key in an array of tables,
    the line of the ``[[…]]`` header.
    """
    table, arrays, entry = "", dict[str, int](), 0
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*(\[{1,2})\s*([\w.\-\"' ]+?)\s*\]", line):
            table = re.sub(r"[\"' ]", "", header[2])
            if header[1] == "[[":
                if table == key:
                    return number
                arrays[table] = arrays.get(table, -1) + 1
                table = f"{table}.{arrays[table]}"
                entry = number if key.startswith(f"{table}.") else entry
            name = table
        elif setting := re.match(r"\s*([\w.\-\"']+)\s*=", line):
            name = f"{table}.{setting[1]}".strip(".").replace('"', "").replace("'", "")
        else:
            continue
        if name == key or (key.startswith(f"{name}.") and name != table):
            return number
    return entry


def _find_table(model: type[Table], path: tuple[int | str, ...]) -> type[Table]:
    """Return the table at ``path``, which is part of the location of a validation error."""
    tables = [model]
    for part in path:
        if str(part).startswith("<"):
            tables = [table for table in tables if table_tag(table) == part]
        elif len(tables) == 1 and part in tables[0].model_fields:
            tables = _tables_of(tables[0].model_fields[str(part)].annotation) or tables
    return tables[0]


def _keys_of(table: type[Table]) -> list[str]:
    return [field.alias or name for name, field in table.model_fields.items()]


def _find_field(model: type[Table], path: tuple[int | str, ...]) -> FieldInfo | None:
    """Return the field at ``path``, which is the location of a validation error; None for a list item."""
    fields = _find_table(model, path[:-1]).model_fields
    return next((field for name, field in fields.items() if path[-1] in (name, field.alias)), None)


def _tables_of(annotation: Any) -> list[type[Table]]:
    """Return the tables in a type annotation, however deeply nested."""
    if isinstance(annotation, type) and issubclass(annotation, Table):
        return [annotation]
    return [table for part in get_args(annotation) for table in _tables_of(part)]


def template(model: type[Table], title: str, proposed: Mapping[str, Mapping[str, Table]] | None = None) -> str:
    """Return the text of a TOML file that lists every setting of ``model``, with its description and default.

    All settings are commented out. ``title``: the first line of the text. ``proposed``: for each key that
    holds named tables, the tables to suggest; they are commented out as well.
    """
    lines = [
        f"# {title}",
        "# All settings are listed with their defaults. To change one, remove the '#' in front of it.",
        "",
    ]
    return "\n".join(lines + _template_lines(model, "", proposed or {})) + "\n"


def table_lines(key: str, tables: Mapping[str, Table]) -> list[str]:
    """Return the TOML lines that set ``key`` to ``tables``: a header, then one line for each table."""
    return [f"[{key}]", *(f"{name} = {_format_value(table)}" for name, table in tables.items())]


def _template_lines(model: type[Table], prefix: str, proposed: Mapping[str, Mapping[str, Table]]) -> list[str]:
    plain: list[str] = []
    tables: list[str] = []
    for name, field in model.model_fields.items():
        description = [f"# {line}" for line in (field.description or "").splitlines()]
        found = _tables_of(field.annotation)
        default = field.get_default(call_default_factory=True)
        key = field.alias or name
        if not found:
            plain += [*description, f"#{key} = {_format_value(default)}", ""]
        elif isinstance(default, dict):
            tables += [*description, *(f"#{line}" for line in table_lines(prefix + key, proposed.get(key, {}))), ""]
        elif isinstance(default, tuple):
            tables += [*description, f"#[[{prefix}{key}]]", *_example_lines(found[0])]
        else:
            tables += [*description, f"[{prefix}{key}]", *_template_lines(found[0], f"{prefix}{key}.", {})]
    return plain + tables


def _example_lines(table: type[Table]) -> list[str]:
    lines: list[str] = []
    for name, field in table.model_fields.items():
        example = field.examples[0] if field.examples else field.get_default(call_default_factory=True)
        lines += [f"# {line}" for line in (field.description or "").splitlines()]
        lines.append(f"#{field.alias or name} = {_format_value(example)}")
    return [*lines, ""]


def _format_value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Table):
        items = value.model_dump(exclude_defaults=True).items()
        return "{ " + ", ".join(f"{key} = {_format_value(item)}" for key, item in items) + " }"
    if isinstance(value, dict):
        plain = {key if re.fullmatch(r"[\w-]+", key, re.ASCII) else _format_value(key): value[key] for key in value}
        return "{ " + ", ".join(f"{key} = {_format_value(plain[key])}" for key in plain) + " }" if plain else "{}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_format_value(item) for item in value) + "]"
    if isinstance(value, int | float):
        return repr(value)
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
