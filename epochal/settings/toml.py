"""Read TOML files into pydantic models, with error messages that help users fix the files, and write templates."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from epochal.errors import SettingsError


class Table(BaseModel):
    """Base class for a table in a settings file. All such tables are frozen and reject unknown keys."""

    ELSEWHERE: ClassVar[Mapping[str, str]] = {}
    """Keys that belong in other files, each with a description of that file."""

    # defer_build: no command uses every table, so each table's validator is built when it is first used.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_quoted_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse strings where a number is expected: "90%", and even "100", which pydantic would convert."""
        if isinstance(value, str) and cls.model_fields[info.field_name or ""].annotation in (int, float):
            raise ValueError(f"should be a number, without quotation marks{_give_example(info.field_name, value)}")
        return value


def _resolve_path(path: str, info: ValidationInfo) -> str:
    try:
        return str(info.context / Path(path).expanduser()) if path and info.context else path
    except RuntimeError:
        raise ValueError("there is no user with this home folder") from None


FilePath = Annotated[str, AfterValidator(_resolve_path)]
"""A path that is relative to the folder of the settings file, or empty."""

T = TypeVar("T", bound=Table)


def read_toml(path: Path, model: type[T]) -> T:
    """Return the settings in the file ``path``, or the defaults if it does not exist.

    Raises SettingsError, which names the file and the key, if the file is not TOML in UTF-8, if a key is unknown, or if
    a value is out of range.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig")) if path.exists() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{path} cannot be read as TOML: {error}.{_correct_line(path, str(error))}") from error
    return parse(values, model, str(path))


def _correct_line(path: Path, error: str) -> str:
    """Suggest a replacement for the line that an error names, if it looks like YAML or has a decimal comma."""
    position = re.search(r"\(at line (\d+), ", error)
    line = path.read_text(encoding="utf-8-sig").splitlines()[int(position[1]) - 1] if position else ""
    found = re.fullmatch(r"\s*([\w.-]+)\s*[:=]\s*([^\s#]+)\s*(?:#.*)?", line)
    if found is None:
        return ""
    value = re.sub(r"(?<=\d),(?=\d)", ".", found[2])
    is_text = re.fullmatch(r"[A-Za-z_][\w./-]*", value) and value not in ("true", "false")
    written = f'{found[1]} = "{value}"' if is_text else f"{found[1]} = {value}"
    return f" Write {written}." if written.replace(" ", "") != line.replace(" ", "") else ""


def parse(values: dict[str, Any], model: type[T], where: str) -> T:
    """Validate ``values``, which were read from the file ``where``, and return them as an instance of ``model``.

    A relative FilePath becomes a path in the folder of that file. Raises SettingsError with one line for each unknown
    key or invalid value; the line says what would be valid.
    """
    try:
        return model.model_validate(values, context=Path(where).parent)
    except ValidationError as error:
        raise SettingsError("\n".join(_format_error(where, fault, model) for fault in error.errors())) from None


def table_tag(table: type[Table]) -> str:
    """Return the tag that identifies ``table`` if a key may hold any of several tables.

    The tag becomes part of the location of a validation error, where its ``<`` distinguishes it from a key.
    """
    return f"<{table.__name__}>"


def _give_example(name: str | None, value: str) -> str:
    """Return a phrase such as ``, as in threshold = 0.9`` for a quoted number or percentage; empty for other text."""
    number = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%?)\s*", value)
    if number is None:
        return ""
    return f", as in {name} = {Decimal(number[1]) / 100 if number[2] else number[1]}"


def _format_error(where: str, fault: Any, model: type[Table]) -> str:
    if not fault["loc"]:
        return f"{where}: {fault['msg'].removeprefix('Value error, ')}."
    key = ".".join(str(part) for part in fault["loc"] if not str(part).startswith("<"))  # without table tags
    if fault["type"] == "extra_forbidden":
        problem = f"there is no table [{key}]" if _is_table(fault) else f"{key} is not a setting"
        return f"{where}: {problem}. {_suggest_key(model, fault)}"
    if fault["type"] == "missing":
        return f"{where}: {key} is missing."
    value = repr(fault["input"])
    value = value if len(value) <= 60 else value[:57] + "..."
    return f"{where}: {key}: {fault['msg'].removeprefix('Value error, ')} (it is {value})."


def _is_table(fault: Any) -> bool:
    """Return whether the unknown key of a validation error is a table at the top of the file."""
    return len(fault["loc"]) == 1 and isinstance(fault["input"], dict)


def _suggest_key(model: type[Table], fault: Any) -> str:
    """Suggest a valid key or table for the unknown key of a validation error."""
    path: tuple[int | str, ...] = fault["loc"]
    is_table = _is_table(fault)
    name, known = str(path[-1]), _known_keys(model, path[:-1])
    if len(path) == 1 and name in model.ELSEWHERE:
        return f"It belongs in {model.ELSEWHERE[name]}."
    if len(path) > 1 and name in model.model_fields:
        return f"It belongs at the top of the file, above all tables: {name} = {_format_value(fault['input'])}."
    similar = difflib.get_close_matches(name.lower(), known, n=1)
    if similar and not (len(path) == 1 and _differs(model.model_fields[similar[0]].annotation, fault["input"])):
        tables = [str(part) for part in path[:-1] if not str(part).startswith("<")]
        found = ".".join([*tables, similar[0]])
        return f"Did you mean {f'[{found}]' if is_table else found}?"
    for table, field in model.model_fields.items():
        if len(path) == 1 and isinstance(field.default, Table) and name in type(field.default).model_fields:
            return f"It belongs in the [{table}] table."
    if is_table:
        tables = [name for name, field in model.model_fields.items() if _tables_of(field.annotation)]
        plain = [key for key in fault["input"] if key in model.model_fields and key not in tables]
        if plain:
            return f"Move {', '.join(plain)} to the top of the file, above all tables, and remove [{name}]."
        return f"Valid tables: {', '.join(f'[{each}]' for each in tables)}."
    return f"Valid settings here: {', '.join(known)}."


def _differs(annotation: Any, value: Any) -> bool:
    """Return whether ``value`` is a table with keys that do not exist in the table described by ``annotation``."""
    tables = _tables_of(annotation)
    return isinstance(value, dict) and len(tables) == 1 and not value.keys() <= tables[0].model_fields.keys()


def find_line(text: str, key: str) -> int:
    """Return the number, counted from 1, of the line in a TOML file that sets ``key``, such as ``retrain.max_epochs``.

    The key may point into an inline table. Returns 0 if no line sets it.
    """
    table, arrays = "", dict[str, int]()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*(\[{1,2})\s*([\w.\-\"' ]+?)\s*\]", line):
            table = re.sub(r"[\"' ]", "", header[2])
            if header[1] == "[[":
                arrays[table] = arrays.get(table, -1) + 1
                table = f"{table}.{arrays[table]}"
            name = table
        elif setting := re.match(r"\s*([\w.\-\"']+)\s*=", line):
            name = f"{table}.{setting[1]}".strip(".").replace('"', "").replace("'", "")
        else:
            continue
        if name == key or (key.startswith(f"{name}.") and name != table):
            return number
    return 0


def _known_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Return the valid keys of the table at ``path``, which is the location of a validation error."""
    tables = [model]
    for part in path:
        if str(part).startswith("<"):
            tables = [table for table in tables if issubclass(table, Table) and table_tag(table) == part]
        elif len(tables) == 1 and part in tables[0].model_fields:
            tables = _tables_of(tables[0].model_fields[str(part)].annotation)
    return [field.alias or name for name, field in tables[0].model_fields.items()]


def _tables_of(annotation: Any) -> list[type[BaseModel]]:
    """Return the tables in a type annotation, however deeply nested."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [table for part in get_args(annotation) for table in _tables_of(part)]


def template(model: type[Table], title: str, proposed: Mapping[str, Mapping[str, Table]] | None = None) -> str:
    """Return the text of a TOML file that lists every setting of ``model``, with its description and default.

    All settings are commented out. ``title``: the first line of the text. ``proposed``: for a key that holds named
    tables, the tables to suggest, which are commented out, too.
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


def _template_lines(model: type[BaseModel], prefix: str, proposed: Mapping[str, Mapping[str, Table]]) -> list[str]:
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


def _example_lines(table: type[BaseModel]) -> list[str]:
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
        return "{" + ", ".join(f"{_format_value(key)} = {_format_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_format_value(item) for item in value) + "]"
    if isinstance(value, int | float):
        return repr(value)
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
