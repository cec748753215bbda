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
    max_epochs: Annotated[int, Field(ge=1, le=1_000_000, description="The maximum number of epochs of a trial.")] = 200
    max_minutes: Annotated[
        float, Field(gt=0, le=100_000, description="No trial starts once the run has trained for this many minutes.")
    ] = 120.0
    max_trials: Annotated[
        int, Field(ge=1, le=1_000, description="The maximum number of trials of a run, including the first one.")
    ] = 10
    stop_at_threshold: Annotated[
        bool,
        Field(
            description=f"Whether a retrain stops after the epoch that reaches the threshold on {SCRIPT}'s validation data."
        ),
    ] = True
    patience: Annotated[
        int,
        Field(
            ge=1,
            le=1_000,
            description="Give up after this many consecutive trials that did not improve the best accuracy.",
        ),
    ] = 3


class RepositorySettings(Table):
    """The settings of one repository, which its developer writes into epochal.toml."""

    threshold: Annotated[float, Field(gt=0, le=1, description="The accuracy (0 to 1) to reach on unseen data.")] = 0.80
    confidence: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            description="The required confidence that the accuracy on all data, not only on the test samples, is above the\n"
            "threshold, for example 0.95 (more than 0.5), or 0 to compare the measured accuracy itself.",
        ),
    ] = 0.0
    metric: Annotated[
        str,
        Field(
            max_length=64,
            description='The name of the accuracy to compare if evaluate() measures several, for example "main_accuracy".',
        ),
    ] = ""
    repeated_rows: Annotated[
        bool,
        Field(
            description="Whether an accuracy counts even if the network was fitted on more of the test rows than a clean split\n"
            "would show. The report and the mail mention it."
        ),
    ] = False
    framework: Annotated[
        str, Field(description=f"The framework to train with; if empty, detect it from the imports of {SCRIPT}.")
    ] = ""
    # model_construct() returns the defaults without building the table's validator, unlike calling the class.
    retrain: Annotated[
        RetrainSettings, Field(description="How the retrain job raises the epochs, and when it gives up.")
    ] = RetrainSettings.model_construct()
    search: Annotated[
        dict[str, Values],
        Field(
            description=f"The constants of {SCRIPT} that a search may change if more epochs are not enough, each with a range,\n"
            "{ low = 1, high = 4 }, optionally with log = true or a step, or with choices, { choices = [8, 16] }.\n"
            "To enable the search, remove the '#' in front of [search] and of the constants that it may change."
        ),
    ] = {}  # noqa: RUF012 (pydantic copies it)

    @field_validator("confidence")
    @classmethod
    def _check_confidence(cls, value: float) -> float:
        if 0 < value <= 0.5:
            raise ValueError("should be 0, or greater than 0.5 and less than 1, such as 0.95")
        return value


def read_repository_settings(code: Path) -> RepositorySettings:
    """Return the settings in ``code``/epochal.toml, or the defaults if the file does not exist.

    Raises SettingsError if a setting is invalid.
    """
    return read_toml(code / FILE_NAME, RepositorySettings)
