"""``epochal.toml``: the settings pushed with the code.

They tune training, but can neither loosen the sandbox nor redirect mail.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Annotated, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from epochal.errors import SettingsError
from epochal.grammar import join_words
from epochal.settings.search import Values
from epochal.settings.server import ServerSettings
from epochal.settings.toml import Table, parse, read_toml

FILE_NAME = "epochal.toml"
_MISNAMED = frozenset({FILE_NAME, "epochal.tml", "epochal.toml.txt"})
_OTHER_NAMES = _MISNAMED | {"epochal.yaml", "epochal.yml", "epochal.ini", "epochal.cfg"}
"""Names that users might give the settings file, in lower case and without a leading dot."""


class RetrainSettings(Table):
    """How the retrain job raises the number of epochs, and when it gives up."""

    epochs_step: Annotated[int, Field(ge=1, le=10_000, description="How many epochs each retrain adds.")] = 10
    max_epochs: Annotated[int, Field(ge=1, le=1_000_000, description="The maximum number of epochs in a trial.")] = 200
    max_minutes: Annotated[
        float,
        Field(gt=0, le=100_000, description="No trial starts once a run has spent this many minutes on training."),
    ] = 120.0
    max_trials: Annotated[
        int, Field(ge=1, le=1_000, description="The maximum number of trials in a run, including the first one.")
    ] = 10
    stop_at_threshold: Annotated[
        bool,
        Field(
            description="Whether retraining stops after the epoch that reaches the threshold on the script's "
            "validation data."
        ),
    ] = True
    patience: Annotated[
        int,
        Field(
            ge=1,
            le=1_000,
            description="Give up after this many consecutive trials that do not improve on the best accuracy.",
        ),
    ] = 3


class Project(Table):
    """A folder of the repository whose script is trained separately, as if the folder were a repository of its own."""

    REMEDY: ClassVar[str] = (
        "Set path to a folder in the repository, or remove this [[project]] (without projects, the script in the top-level "
        "folder is trained)."
    )

    path: Annotated[
        str,
        Field(max_length=255, description="The path of the project's folder.", examples=["projects/digits"]),
    ]

    @field_validator("path")
    @classmethod
    def _check_path(cls, value: str) -> str:
        path = PurePosixPath(value)
        if not path.parts or not _is_inside(path):
            raise ValueError('should be the path of a folder in the repository, such as "projects/digits"')
        return str(path)


def _is_inside(path: PurePosixPath) -> bool:
    """Return whether a path is relative and has no ``..``, so that it cannot lead out of the repository."""
    return not path.is_absolute() and ".." not in path.parts


class RepositorySettings(Table):
    """A repository's settings, which its developer writes in epochal.toml."""

    ELSEWHERE: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ServerSettings.model_fields, "server.toml, which only the server's admin can edit"
    )

    threshold: Annotated[float, Field(gt=0, le=1, description="The accuracy (0 to 1) to reach on unseen data.")] = 0.80
    confidence: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            description="The required confidence, for example 0.95, that the accuracy on all data, not only on the test\n"
            "samples, is above the threshold. It must be more than 0.5, or 0 to judge by the measured accuracy alone.",
        ),
    ] = 0.0
    metric: Annotated[
        str,
        Field(
            max_length=64,
            description='The name of the accuracy to use if evaluate() measures several, for example "main_accuracy".',
        ),
    ] = ""
    repeated_rows: Annotated[
        bool,
        Field(
            description="Whether an accuracy counts even if more test rows were used in training than duplicates\n"
            "in the data can explain. It still does not count if the test set is part of the training set, or if the\n"
            "script copies rows before the split. If it counts, the report and the email mention these rows."
        ),
    ] = False
    script: Annotated[
        str,
        Field(
            max_length=255,
            description="The path of the script or notebook to train; by default, nn.py or, failing that, train.py,\n"
            "main.py or a notebook in the repository's top-level folder. The script always runs in that folder.",
        ),
    ] = ""
    framework: Annotated[
        str, Field(description="The framework that the script trains with; by default, detected from the imports.")
    ] = ""
    # model_construct() returns the defaults without building the table's validator, unlike calling the class.
    retrain: Annotated[
        RetrainSettings, Field(description="How the retrain job raises the number of epochs, and when it gives up.")
    ] = RetrainSettings.model_construct()
    search: Annotated[
        dict[str, Values],
        Field(
            description="The constants in the script that a search may change if more epochs are not enough. Each has\n"
            "a range, such as { low = 1, high = 4 }, optionally with log = true or a step, or it has choices,\n"
            "such as { choices = [8, 16] }. To enable the search, remove the '#' in front of [search] and in\n"
            "front of the constants that it may change."
        ),
    ] = {}  # noqa: RUF012 (pydantic copies it)

    project: Annotated[
        tuple[Project, ...],
        Field(
            description="The projects, if the repository contains several. Each is trained separately, with the settings in its\n"
            "folder's epochal.toml, when files in that folder have changed. If you list projects, add no other "
            "settings here."
        ),
    ] = ()

    @model_validator(mode="after")
    def _check_projects(self) -> Self:
        others = [name for name in sorted(self.model_fields_set - {"project"}) if not _is_empty(getattr(self, name))]
        if self.project and others:
            raise ValueError(
                f"{join_words(others)}: with [[project]], settings go in each project's epochal.toml. Move them there"
            )
        return self

    @field_validator("script")
    @classmethod
    def _check_script(cls, value: str) -> str:
        if value and not (value.endswith((".py", ".ipynb")) and _is_inside(PurePosixPath(value))):
            raise ValueError('should be the path of a .py or .ipynb file in the repository, such as "project/train.py"')
        return value

    @field_validator("confidence")
    @classmethod
    def _check_confidence(cls, value: float) -> float:
        if 0 < value <= 0.5:
            raise ValueError("should be 0, or greater than 0.5 and less than 1, such as 0.95")
        return value


def _is_empty(value: object) -> bool:
    """Return whether a setting is a table without keys, such as [retrain] in the template."""
    return value == {} or (isinstance(value, Table) and not value.model_fields_set)


Project.ELSEWHERE = dict.fromkeys(
    RepositorySettings.model_fields.keys() - {"project"}, "the file epochal.toml in the project's folder"
)


def read_repository_settings(code: Path) -> RepositorySettings:
    """Return the settings in ``code``/epochal.toml, or the defaults if the file does not exist.

    Raises SettingsError if a setting is invalid, or if the settings are in another file, such as Epochal.toml or
    pyproject.toml.
    """
    path = code / FILE_NAME
    if not path.exists():
        for found in sorted(code.glob("*")):
            name = found.name.lower().removeprefix(".")
            if found.is_file() and (name in _OTHER_NAMES or (name == "epochal.json" and _is_json_settings(found))):
                remedy = "Rename it to" if name in _MISNAMED else "Write its settings as TOML in"
                raise SettingsError(f"{found.name} is not read. {remedy} {FILE_NAME}.")
        if _has_tool_table(code / "pyproject.toml"):
            raise SettingsError(f"pyproject.toml: [tool.epochal] is not read. Move its settings to {FILE_NAME}.")
    return read_toml(path, RepositorySettings)


def _is_json_settings(path: Path) -> bool:
    """Return whether all keys in a JSON file are settings; if not, the file may be the saved output of a command."""
    with suppress(OSError, ValueError):
        values = json.loads(path.read_text(encoding="utf-8-sig"))
        return isinstance(values, dict) and values.keys() <= RepositorySettings.model_fields.keys()
    return False


def _has_tool_table(path: Path) -> bool:
    with suppress(OSError, ValueError, AttributeError):
        return "epochal" in tomllib.loads(path.read_text(encoding="utf-8-sig")).get("tool", {})
    return False


def read_projects(content: str) -> tuple[str, ...]:
    """Return the paths of the projects that an epochal.toml with this ``content`` lists; empty if it lists none.

    Raises SettingsError if it lists projects and a setting is invalid. All other mistakes, such as invalid TOML, are
    ignored here; ``read_repository_settings`` reports them.
    """
    with suppress(tomllib.TOMLDecodeError):
        values = tomllib.loads(content.removeprefix("\ufeff"))
        if "project" in values:
            return tuple(project.path for project in parse(values, RepositorySettings, FILE_NAME).project)
    return ()


def check_project(project: str, projects: Sequence[str]) -> None:
    """Raise SettingsError unless ``project`` is one of the ``projects`` that epochal.toml lists."""
    if not projects:
        raise SettingsError(
            f"There is no project {project}, because epochal.toml lists none. Leave out --project, or add the folder to "
            "epochal.toml as a [[project]]."
        )
    if project not in projects:
        raise SettingsError(f"There is no project {project}. Projects: {', '.join(projects)}.")
