"""The tag of a training image."""

from dataclasses import replace
from typing import Any

import pytest

from epochal.runtimes.images import tag_of
from epochal.runtimes.recipe import Recipe
from epochal.settings import ImageSettings

RECIPE = Recipe("python", "numpy==2.4.6\n", "", "wheels")


@pytest.mark.parametrize(
    "change",
    [{"framework": "keras"}, {"pins": "numpy==2.4.5\n"}, {"requirements": "pandas\n"}, {"packages": "any"}],
)
def test_the_tag_changes_with_the_recipe(change: dict[str, Any]) -> None:
    """Never take an image for another one: all of them are built from one stage of the Dockerfile."""
    settings = ImageSettings()
    tag = tag_of(RECIPE, settings)
    assert tag.startswith("epochal/python:")
    assert tag_of(replace(RECIPE, **change), settings) != tag
    assert tag_of(RECIPE, settings.model_copy(update={"base": "debian:other"})) != tag
