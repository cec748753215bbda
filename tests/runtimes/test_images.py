"""The tag of a training image."""

from dataclasses import replace
from typing import Any

import pytest

from epochal.runtimes.images import image_tag
from epochal.runtimes.recipe import Recipe
from epochal.settings import ImageSettings

RECIPE = Recipe("python", "numpy==2.4.6\n", "numpy\n", "", "requirements.txt", "wheels", "cpu")


@pytest.mark.parametrize(
    "change",
    [
        {"framework": "keras"},
        {"pins": "numpy==2.4.5\n"},
        {"requirements": "pandas\n"},
        {"packages": "any"},
        {"torch_index": "cu130"},
    ],
)
def test_tag_changes_with_the_recipe(change: dict[str, Any]) -> None:
    """All images are built from one stage of the Dockerfile, so only the tag distinguishes them."""
    settings = ImageSettings()
    tag = image_tag(RECIPE, settings)
    assert tag.startswith("epochal/python:")
    assert image_tag(replace(RECIPE, **change), settings) != tag
    assert image_tag(RECIPE, settings.model_copy(update={"base": "debian:other"})) != tag
