"""Docker images for training: each is built once from the Dockerfile and a recipe, and tagged with a digest of both."""

import io
import re
import tarfile
from collections import deque
from pathlib import Path

import docker
from docker.errors import ImageNotFound

from epochal.errors import Reason, RunFailed, SettingsError
from epochal.folders import resource
from epochal.records import Log
from epochal.runtimes.cleanup import managed_resource
from epochal.runtimes.lock import file_lock
from epochal.runtimes.log import last_lines
from epochal.runtimes.recipe import RESOLVE, Recipe
from epochal.runtimes.requested import REQUIREMENTS
from epochal.runtimes.uv_errors import explain_uv_error
from epochal.settings import ImageSettings

_DOCKERFILE = resource("Dockerfile")
_CA_BUNDLE = "ca-bundle.pem"
_PROGRESS = re.compile(r"^Step \d+/\d+ : RUN .*|^ *Downloading \S+ \([\d.]+ ?[MG]i?B\)", re.MULTILINE)
_ERROR = re.compile(r"^(?:ERROR: |error: |  cause: )(.*)", re.MULTILINE)  # of pip and uv


def image_tag(recipe: Recipe, settings: ImageSettings) -> str:
    """Return the tag of the image for ``recipe``, which may not have been built yet."""
    return f"epochal/{recipe.framework}:{recipe.digest(_DOCKERFILE.read_text(encoding='utf-8'), settings.base)}"


def ensure_image(client: docker.DockerClient, recipe: Recipe, settings: ImageSettings, locks: Path, log: Log) -> str:
    """Return the tag of the image for ``recipe``, after building the image if the engine does not have it.

    ``locks`` is the folder for lock files. If the build fails, raises RunFailed(ENVIRONMENT_FAILED) with the last lines
    of its output as the detail. Raises SettingsError if the CA bundle cannot be read.
    """
    tag = image_tag(recipe, settings)
    with file_lock(locks / f"{tag.replace('/', '-')}.lock", log):
        try:
            client.images.get(tag)
        except ImageNotFound:
            log(f"Building the image {tag}; later runs will reuse it.")
            _build(client, tag, recipe, settings, log)
    return tag


def read_from_image(client: docker.DockerClient, tag: str, path: str) -> str:
    """Return the text of the file ``path`` in an image."""
    with managed_resource(lambda: client.containers.create(tag), lambda found: found.remove(v=True)) as container:
        chunks, _ = container.get_archive(path)
        archive = io.BytesIO(b"".join(chunks))
    with tarfile.open(fileobj=archive) as files:
        content = files.extractfile(Path(path).name)
        assert content is not None
        return content.read().decode()


def _build(client: docker.DockerClient, tag: str, recipe: Recipe, settings: ImageSettings, log: Log) -> None:
    arguments = {"BASE_IMAGE": settings.base, "FRAMEWORK": recipe.framework, "PACKAGES": recipe.packages}
    arguments["TORCH_INDEX"] = recipe.torch_index
    if settings.ca_bundle:
        arguments["PIP_CERT"] = f"/opt/epochal/{_CA_BUNDLE}"
    context = _context(recipe, settings)
    # If an exception ends the loop below, the connection is closed. The engine then stops the build and, because of
    # forcerm, removes the container that it was building in.
    events = client.api.build(
        fileobj=context, custom_context=True, tag=tag, buildargs=arguments, rm=True, forcerm=True, decode=True
    )
    output: deque[str] = deque(maxlen=60)
    for event in events:
        text = event.get("stream") or event.get("status") or ""
        output.append(text.rstrip("\n"))
        for progress in _PROGRESS.findall(text):
            line = progress.strip()
            log(line if len(line) <= 100 else line[:99] + "…")
        if "error" in event:
            printed = "\n".join(output)
            errors = _ERROR.findall(printed)
            cause = errors[-1] if errors else event["error"]
            unknown = f"The image for {recipe.framework} could not be built: {cause}"
            explanation = explain_uv_error(printed, recipe.requirements, recipe.source) or unknown
            raise RunFailed(Reason.ENVIRONMENT_FAILED, explanation, last_lines(printed))


def _context(recipe: Recipe, settings: ImageSettings) -> io.BytesIO:
    """Return the build context as a tar file. Raises SettingsError if the CA bundle cannot be read."""
    files = {"Dockerfile": _DOCKERFILE.read_bytes(), "epochal/runtimes/resolve.py": RESOLVE.read_bytes()}
    for name, text in recipe.files().items():
        files[name if name == REQUIREMENTS else f"requirements/{name}"] = text.encode()
    if settings.ca_bundle:
        try:
            files[_CA_BUNDLE] = Path(settings.ca_bundle).expanduser().read_bytes()
        except OSError as error:
            raise SettingsError(f"images.ca_bundle: {settings.ca_bundle} cannot be read: {error.strerror}.") from None
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    buffer.seek(0)
    return buffer
