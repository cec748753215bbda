"""``epochal.toml``: the settings pushed with the code.

They tune training, but never loosen the sandbox or redirect mail.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from epochal.folders import SCRIPT
from epochal.settings.search import Values
from epochal.settings.toml import Table, read_toml

FILE_NAME = "epochal.toml"


class RetrainSettings(Table):
    """How job retrain raises the epochs, and when it gives up."""

    epochs_step: Annotated[int, Field(ge=1, le=10_000, description="How many epochs each retrain adds.")] = 10
    max_epochs: Annotated[int, Field(ge=1, le=1_000_000, description="No trial is given more epochs than this.")] = 200
    max_minutes: Annotated[
        float, Field(gt=0, le=100_000, description="No trial starts after so many minutes of training in this run.")
    ] = 120.0
    max_trials: Annotated[
        int, Field(ge=1, le=1_000, description="The most trials of a run, the first one included.")
    ] = 10
    stop_at_threshold: Annotated[
        bool,
        Field(
            description=f"Whether a retrain's fit ends with the epoch that reaches the threshold on {SCRIPT}'s validation data."
        ),
    ] = True
    patience: Annotated[
        int,
        Field(
            ge=1, le=1_000, description="Give up after so many trials in a row that did not better the best accuracy."
        ),
    ] = 3


class RepositorySettings(Table):
    """The settings of one repository, which its developer writes into epochal.toml."""

    threshold: Annotated[
        float, Field(gt=0, le=1, description="The accuracy (0 to 1) on unseen data that has to be reached.")
    ] = 0.80
    confidence: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            description="How certain it has to be that the accuracy on all data, not only on the test samples, is over the\n"
            "threshold: 0.95, say; over 0.5. 0: the measured accuracy counts as it is.",
        ),
    ] = 0.0
    metric: Annotated[
        str,
        Field(
            max_length=64,
            description='The name of the accuracy that is judged, if evaluate() measures several: "main_accuracy", say.',
        ),
    ] = ""
    repeated_rows: Annotated[
        bool,
        Field(
            description="Whether an accuracy counts although the network was fitted on more of its test rows than a clean split\n"
            "would show. Report and mail say so."
        ),
    ] = False
    framework: Annotated[
        str, Field(description=f"The framework to train with; empty: what the imports of {SCRIPT} say.")
    ] = ""
    retrain: Annotated[RetrainSettings, Field(description="Job retrain.")] = RetrainSettings()
    search: Annotated[
        dict[str, Values],
        Field(
            description="What a search may change where more epochs alone will not do: "
            f"constants of {SCRIPT}, each with its range,\n"
            "{ low = 1, high = 4 }, with log = true or a step, or with choices. Take the '#' away from [search] and from\n"
            "the constants that it may change, and the search is on."
        ),
    ] = {}  # noqa: RUF012 (pydantic copies it)

    @field_validator("confidence")
    @classmethod
    def _check_confidence(cls, value: float) -> float:
        if 0 < value <= 0.5:
            raise ValueError("should be 0 (none), or over 0.5 and under 1, as 0.95 is")
        return value


def read_repository_settings(code: Path) -> RepositorySettings:
    """Return the settings in ``code``/epochal.toml, or the defaults without one; raises SettingsError if invalid."""
    return read_toml(code / FILE_NAME, RepositorySettings)
