"""Reading a TOML file into a model with errors that a person can act on, and writing a model's commented template."""

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from epochal.errors import SettingsError


class Table(BaseModel):
    """A table of a settings file: frozen, and it refuses keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


T = TypeVar("T", bound=Table)


def read_toml(path: Path, model: type[T], overrides: dict[str, Any] | None = None) -> T:
    """The settings in ``path`` (defaults where there is no such file), with ``overrides`` of the same shape on top.

    Raises SettingsError, naming file and key, where the file is no UTF-8 TOML or a key is unknown or out of its range.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig")) if path.exists() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{path} cannot be read as TOML: {error}") from error
    return parse(values | (overrides or {}), model, str(path))


def parse(values: dict[str, Any], model: type[T], where: str) -> T:
    """``values`` as a model; raises SettingsError that says ``where`` they stand and what each of them should be."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(where, fault, model) for fault in error.errors())) from None


def _sentence(where: str, fault: Any, model: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        known = ", ".join(_known_keys(model, fault["loc"][:-1]))
        return f"{where}: {key} is not a setting. Known here: {known}."
    return f"{where}: {key}: {fault['msg'].removeprefix('Value error, ')} (it is {_shown(fault['input'])})."


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _known_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    for part in path:
        if isinstance(part, int):
            continue
        model = _table_of(model.model_fields[part].annotation) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _table_of(annotation: Any) -> type[BaseModel] | None:
    candidates = [annotation, *getattr(annotation, "__args__", ())]
    return next((item for item in candidates if isinstance(item, type) and issubclass(item, BaseModel)), None)


def template(model: type[Table], title: str) -> str:
    """A commented TOML file with every setting of ``model``, its meaning and its default; uncommented it is the defaults."""
    lines = [
        f"# {title}",
        "# Every setting is here with its default, behind a '#': take it away from what you change.",
        "",
    ]
    return "\n".join(lines + _template_lines(model, "")) + "\n"


def _template_lines(model: type[BaseModel], prefix: str) -> list[str]:
    plain: list[str] = []
    tables: list[str] = []
    for name, field in model.model_fields.items():
        description = [f"# {line}" for line in (field.description or "").splitlines()]
        table = _table_of(field.annotation)
        key = field.alias or name
        if table is None:
            plain += [*description, f"#{key} = {_toml(field.get_default(call_default_factory=True))}", ""]
        elif isinstance(field.get_default(call_default_factory=True), tuple):
            tables += [*description, f"#[[{prefix}{key}]]"]
            tables += _example_lines(table)
        else:
            tables += [*description, f"[{prefix}{key}]", *_template_lines(table, f"{prefix}{key}.")]
    return plain + tables


def _example_lines(table: type[BaseModel]) -> list[str]:
    lines: list[str] = []
    for name, field in table.model_fields.items():
        example = field.examples[0] if field.examples else field.get_default(call_default_factory=True)
        lines += [f"# {line}" for line in (field.description or "").splitlines()]
        lines.append(f"#{field.alias or name} = {_toml(example)}")
    return [*lines, ""]


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, int | float):
        return repr(value)
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
