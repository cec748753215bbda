"""The Docker runtime: run each trial in its own hardened container."""

import os
import tempfile
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import docker

from epochal.errors import UsageError
from epochal.folders import SCRIPT
from epochal.records import Log
from epochal.runtimes.container import Task, find_containers, remove, run_container, user_and_group
from epochal.runtimes.engine import connect, engine_errors
from epochal.runtimes.images import ensure_image, image_tag, read_from_image
from epochal.runtimes.imports import IMPORT_TIMEOUT_SECONDS, check_imports_once
from epochal.runtimes.label import Label, home_id
from epochal.runtimes.log import MEGABYTE, LogFile, last_lines
from epochal.runtimes.outcome import determine_outcome
from epochal.runtimes.recipe import read_recipe
from epochal.runtimes.remarks import REMARKS, describe_remarks
from epochal.runtimes.runtime import IsTraining, Outcome, Training
from epochal.runtimes.scratch import Scratch, data_folder, dataset_cache, dataset_variables, scratch_folders
from epochal.runtimes.variables import library_variables
from epochal.settings import ServerSettings

_FETCH_SECONDS = 3600.0
_DATASETS = Path("/datasets")
_HOME = "/home/epochal"


class DockerRuntime:
    """A runtime that runs trials in containers of the Docker engine at ``docker_host``.

    ``docker_host`` takes the same form as the environment variable DOCKER_HOST; empty means the default socket. The
    engine is contacted only when it is needed.
    """

    name = "docker"

    def __init__(self, home: Path, settings: ServerSettings, docker_host: str = "") -> None:
        self._home = home
        self._settings = settings
        self._docker_host = docker_host
        self.has_network = settings.sandbox.network

    @cached_property
    def _client(self) -> docker.DockerClient:
        return connect(self._docker_host)

    def image_name(self, framework: str, code: Path) -> str:
        """Return the tag that ``prepare`` would return, without contacting the engine. See ``Runtime.image_name``."""
        return image_tag(read_recipe(framework, code, self._settings), self._settings.images)

    def describe_packages(self, framework: str, code: Path) -> list[str]:
        """Return notes on the packages in the image for ``code``. See ``Runtime.describe_packages``."""
        recipe = read_recipe(framework, code, self._settings)
        with engine_errors(self._docker_host):
            remarks = read_from_image(self._client, image_tag(recipe, self._settings.images), f"/opt/epochal/{REMARKS}")
        return describe_remarks(remarks, recipe.source)

    def prepare(self, framework: str, code: Path, log: Log) -> str:
        """Build the image for ``framework`` and ``code`` if it is missing; return its tag. See ``Runtime.prepare``."""
        recipe = read_recipe(framework, code, self._settings)
        with engine_errors(self._docker_host):
            return ensure_image(self._client, recipe, self._settings.images, self._home / "cache" / "locks", log)

    def check_imports(self, image: str, modules: Sequence[str]) -> None:
        """Check once that a container created from ``image`` can import ``modules``. See ``Runtime.check_imports``."""
        with engine_errors(self._docker_host):
            identity = self._client.images.get(image).id
            check_imports_once(
                self._home / "cache" / "proven",
                identity,
                modules,
                lambda arguments: self._run_helper(image, arguments, {}, IMPORT_TIMEOUT_SECONDS),
            )

    def train(self, training: Training) -> Outcome:
        """Run the script in a container until it ends, and return how it ended. See ``Runtime.train``."""
        folder = training.folder
        limits = self._settings.limits
        with (
            engine_errors(self._docker_host),
            scratch_folders(folder, limits, dataset_cache(self._home), _DATASETS) as scratch,
        ):
            _chown_to_trainer(folder.code, folder.out, folder.checkpoints, scratch.home, scratch.recorder)
            task = self._training_task(training, scratch)
            result = run_container(
                self._client, task, limits, training.on_output, scratch.log.write, stop=training.stop
            )
            return determine_outcome(
                result.exit_status,
                result.seconds,
                scratch.log.tail(),
                timed_out=result.timed_out,
                out_of_memory=result.out_of_memory,
            )

    def fetch_dataset(self, image: str, script: str, log: Log) -> None:
        """Run ``script`` in a container that may download data to the dataset cache. See ``Runtime.fetch_dataset``."""
        datasets = dataset_cache(self._home)
        _chown_to_trainer(datasets)
        environment = dataset_variables(_DATASETS, links=False)
        mounts = [(datasets, str(_DATASETS), True)]
        if bundle := self._settings.images.ca_bundle:
            environment["SSL_CERT_FILE"] = "/ca-bundle.pem"
            mounts.append((Path(bundle).expanduser(), "/ca-bundle.pem", False))
        log(f"Downloading the dataset to {datasets}.")
        with engine_errors(self._docker_host):
            status, output = self._run_helper(image, ["-c", script], environment, _FETCH_SECONDS, mounts, network=True)
        if status != 0:
            raise UsageError(
                f"The dataset could not be downloaded:\n    {last_lines(output, 1)}\nCheck this machine's network connection."
            )

    def reap(self, is_training: IsTraining) -> list[int]:
        """Remove this EPOCHAL_HOME's orphaned containers; return the numbers of their runs. See ``Runtime.reap``."""
        reaped = set()
        with engine_errors(self._docker_host):
            for container, label in find_containers(self._client, home_id(self._home)):
                if label.is_orphaned(is_training):
                    remove(self._client, container)
                    reaped.add(label.run)
        return sorted(reaped - {0})

    def _run_helper(
        self,
        image: str,
        arguments: list[str],
        environment: dict[str, str],
        seconds: float,
        mounts: Sequence[tuple[Path, str, bool]] = (),
        network: bool = False,
    ) -> tuple[int, str]:
        """Run Python in a container that belongs to no run; return its exit status and the end of its output."""
        label = Label.outside_runs(home_id(self._home), seconds)
        task = Task(image, label, environment, mounts, ["python3", *arguments], network, seconds)
        with tempfile.TemporaryDirectory() as folder, LogFile(Path(folder, "log"), MEGABYTE) as log:
            result = run_container(self._client, task, self._settings.limits, log.write)
            return result.exit_status, log.tail()

    def _training_task(self, training: Training, scratch: Scratch) -> Task:
        seconds = self._settings.limits.minutes * 60
        until = int(time.time() + seconds)
        environment = {
            "HOME": _HOME,
            "EPOCHAL_OUT": "/out",
            "EPOCHAL_CHECKPOINTS": "/checkpoints",
            "PYTHONPATH": "/recorder",
            **dataset_variables(_DATASETS, links=True),
            **library_variables(network=self.has_network),
        }
        mounts = [
            (training.folder.code, "/train", True),
            (training.folder.out, "/out", True),
            (training.folder.checkpoints, "/checkpoints", True),
            (scratch.home, _HOME, True),
            (scratch.recorder, "/recorder", False),
            (dataset_cache(self._home), str(_DATASETS), False),
        ]
        if training.stop_at is not None:
            environment["EPOCHAL_STOP_AT"] = repr(training.stop_at)
        if data := data_folder(self._settings):
            environment["EPOCHAL_DATA"] = "/data"
            mounts.append((data, "/data", False))
        return Task(
            training.image,
            Label(home_id(self._home), training.run, training.trial, until),
            environment,
            mounts,
            # The image's default command runs nn.py, so that a container started by hand needs no arguments.
            () if training.script == SCRIPT else ("python3", f"/train/{training.script}"),
            self._settings.sandbox.network,
            seconds=seconds,
        )


def _chown_to_trainer(*folders: Path) -> None:
    """If this process runs as root, give ``folders`` and everything in them to the user that training runs as."""
    if os.getuid() != 0:
        return
    user, group = user_and_group()
    for folder in folders:
        for parent, _, names in os.walk(folder):
            for name in [".", *names]:
                os.chown(Path(parent, name), user, group, follow_symlinks=False)
