"""Training images: built from the Dockerfile for a framework, once, and known by what is in them."""

import io
import re
import tarfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
from docker.errors import ImageNotFound

from epochal.errors import Reason, RunFailed, SettingsError
from epochal.records import Log
from epochal.resources import resource
from epochal.runtimes.lock import one_at_a_time
from epochal.runtimes.log import last_lines
from epochal.runtimes.recipe import Recipe
from epochal.settings import ImageSettings

_CA_BUNDLE = "ca-bundle.pem"
_PROGRESS = re.compile(r"^Step \d+/\d+ : RUN .*|^ *Downloading \S+ \([\d.]+ [MG]B\)", re.MULTILINE)


def tag_of(recipe: Recipe, settings: ImageSettings) -> str:
    """The tag of the image for ``recipe``, built or not."""
    return f"epochal/{recipe.framework}:{recipe.digest(_dockerfile(), settings.base)}"


def image_for(client: docker.DockerClient, recipe: Recipe, settings: ImageSettings, locks: Path, log: Log) -> str:
    """The tag of the image for ``recipe``, built if the engine has it not.

    Raises RunFailed(ENVIRONMENT_FAILED), the builder's last lines as detail.
    """
    tag = tag_of(recipe, settings)
    with one_at_a_time(locks / f"{tag.replace('/', '-')}.lock", log):
        if not _exists(client, tag):
            log(f"Building the image {tag}: once, it is kept.")
            _build(client, tag, recipe, settings, log)
    return tag


def _dockerfile() -> str:
    return resource("Dockerfile").read_text(encoding="utf-8")


def _exists(client: docker.DockerClient, tag: str) -> bool:
    try:
        client.images.get(tag)
    except ImageNotFound:
        return False
    return True


def _build(client: docker.DockerClient, tag: str, recipe: Recipe, settings: ImageSettings, log: Log) -> None:
    lines: deque[str] = deque(maxlen=60)
    # Leaving in the middle of the answer closes the connection, at which the engine stops building and, by forcerm,
    # removes the container that it built in.
    answer = client.api.build(
        fileobj=_context(recipe, settings),
        custom_context=True,
        tag=tag,
        buildargs=_build_arguments(recipe, settings),
        rm=True,
        forcerm=True,
        decode=True,
    )
    for part in answer:
        text = part.get("stream") or part.get("status") or ""
        lines.append(text.rstrip("\n"))
        for progress in _PROGRESS.findall(text):
            log(_short(progress.strip()))
        if "error" in part:
            raise RunFailed(
                Reason.ENVIRONMENT_FAILED, _explanation(recipe, part["error"], lines), last_lines("\n".join(lines))
            )


def _build_arguments(recipe: Recipe, settings: ImageSettings) -> dict[str, str]:
    arguments = {"BASE_IMAGE": settings.base, "FRAMEWORK": recipe.framework}
    if recipe.packages == "any":
        arguments["PIP_ONLY_BINARY"] = ""
    if settings.ca_bundle:
        arguments["PIP_CERT"] = f"/opt/epochal/{_CA_BUNDLE}"
    return arguments


def _context(recipe: Recipe, settings: ImageSettings) -> io.BytesIO:
    files = {"Dockerfile": _dockerfile().encode(), f"requirements/{recipe.framework}.txt": recipe.pins.encode()}
    if recipe.requirements:
        files["requirements.txt"] = recipe.requirements.encode()
    if settings.ca_bundle:
        files[_CA_BUNDLE] = read_ca_bundle(settings)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    buffer.seek(0)
    return buffer


def read_ca_bundle(settings: ImageSettings) -> bytes:
    """The bytes of the CA bundle; raises SettingsError if it cannot be read."""
    try:
        return Path(settings.ca_bundle).expanduser().read_bytes()
    except OSError as error:
        raise SettingsError(f"images.ca_bundle: {settings.ca_bundle} cannot be read: {error.strerror}.") from None


def _explanation(recipe: Recipe, error: str, lines: Iterator[Any] | deque[str]) -> str:
    told = [line.strip() for line in "\n".join(lines).splitlines() if line.startswith("ERROR: ")]
    why = told[-1].removeprefix("ERROR: ") if told else error
    return f"The image for {recipe.framework} could not be built: {why}"


def _short(line: str) -> str:
    return line if len(line) <= 100 else line[:99] + "…"
