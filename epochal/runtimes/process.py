"""The process runtime, which trains in a plain process, without a sandbox."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from subprocess import Popen

from epochal.errors import UsageError
from epochal.records import Log
from epochal.runtimes.environments import ensure_environment, environment_folder, python_in
from epochal.runtimes.imports import IMPORT_TIMEOUT_SECONDS, check_imports_once
from epochal.runtimes.label import Label, home_id
from epochal.runtimes.log import MEGABYTE, LogFile, OutputCopier, last_lines
from epochal.runtimes.outcome import determine_outcome
from epochal.runtimes.process_tree import kill_orphans, process_tree, wait_for_exit
from epochal.runtimes.recipe import read_recipe
from epochal.runtimes.remarks import REMARKS, describe_remarks
from epochal.runtimes.runtime import IsTraining, Outcome, Training
from epochal.runtimes.scratch import data_folder, dataset_cache, dataset_variables, scratch_folders
from epochal.runtimes.stop import Stop
from epochal.runtimes.variables import library_variables
from epochal.settings import LimitSettings, ServerSettings

_FETCH_SECONDS = 3600.0

_LIMITED = 'ulimit -c 0; ulimit -f "$1" 2>/dev/null; ulimit -d "$2" 2>/dev/null; shift 2; exec "$@"'
"""A script for sh that runs a command (the third and later arguments) with limits.

The first argument is the limit on the size of a file, in blocks of 512 bytes; the second is the limit on the data
segment, in KiB. Neither can exceed a hard limit that is already in force.
"""


class ProcessRuntime:
    """A runtime that trains in plain processes on this machine.

    There is no sandbox: time, memory and file sizes are limited, but the code may do anything that the user who runs it
    may do.
    """

    name = "process"
    has_network = True  # a plain process cannot be kept off the network

    def __init__(self, home: Path, settings: ServerSettings) -> None:
        self._home = home
        self._settings = settings

    def image_name(self, framework: str, code: Path) -> str:
        """Return the folder that ``prepare`` would return, without building anything. See ``Runtime.image_name``."""
        recipe = read_recipe(framework, code, self._settings)
        return str(environment_folder(self._home / "cache", recipe))

    def prepare(self, framework: str, code: Path, log: Log) -> str:
        """Build the environment for ``framework`` and ``code`` if it is missing; return its folder.

        See ``Runtime.prepare``.
        """
        log("Training in a plain process, without a sandbox: the code can do anything that this user can do.")
        recipe = read_recipe(framework, code, self._settings)
        cache = self._home / "cache"
        return str(ensure_environment(cache, home_id(self._home), recipe, self._settings.images, log))

    def describe_packages(self, framework: str, code: Path) -> list[str]:
        """Return notes on the packages in the environment for ``code``. See ``Runtime.describe_packages``."""
        recipe = read_recipe(framework, code, self._settings)
        remarks = environment_folder(self._home / "cache", recipe) / REMARKS
        return describe_remarks(remarks.read_text(encoding="utf-8"), recipe.source)

    def check_imports(self, image: str, modules: Sequence[str]) -> None:
        """Import ``modules`` once with the Python in the environment ``image``. See ``Runtime.check_imports``."""
        check_imports_once(
            self._home / "cache" / "proven",
            Path(image).name,  # the name contains the recipe's digest; the path differs between homes
            modules,
            lambda arguments: self._run_helper(image, arguments, {}, IMPORT_TIMEOUT_SECONDS),
        )

    def train(self, training: Training) -> Outcome:
        """Run the script in a process until it ends, and return how it ended. See ``Runtime.train``."""
        folder = training.folder
        limits = self._settings.limits
        datasets = dataset_cache(self._home)
        with scratch_folders(folder, limits, datasets, datasets) as scratch:
            seconds = limits.minutes * 60
            label = Label(home_id(self._home), training.run, training.trial, int(time.time() + seconds))
            environment = _clean_environment(training.image, scratch.home) | {
                "EPOCHAL_OUT": str(folder.out.absolute()),
                "EPOCHAL_CHECKPOINTS": str(folder.checkpoints.absolute()),
                "PYTHONPATH": str(scratch.recorder.absolute()),
                **dataset_variables(datasets.absolute(), links=True),
                # A process reaches the network in any case, but not with the keys that the user's HOME holds.
                **library_variables(network=self._settings.sandbox.network),
            }
            if training.stop_at is not None:
                environment["EPOCHAL_STOP_AT"] = repr(training.stop_at)
            if data := data_folder(self._settings):
                environment["EPOCHAL_DATA"] = str(data)
            command = [python_in(Path(training.image)), str(folder.code.absolute() / training.script)]
            sinks = training.on_output, scratch.log.write
            started = time.monotonic()
            status, timed_out = _run(
                command, limits, label, environment, folder.code, seconds, *sinks, stop=training.stop
            )
            return determine_outcome(status, time.monotonic() - started, scratch.log.tail(), timed_out=timed_out)

    def fetch_dataset(self, image: str, script: str, log: Log) -> None:
        """Run ``script`` in a process that downloads into the dataset cache. See ``Runtime.fetch_dataset``."""
        datasets = dataset_cache(self._home)
        environment = dataset_variables(datasets, links=False)
        if bundle := self._settings.images.ca_bundle:
            environment["SSL_CERT_FILE"] = str(Path(bundle).expanduser())
        log(f"Downloading the dataset to {datasets}.")
        status, output = self._run_helper(image, ["-c", script], environment, _FETCH_SECONDS)
        if status != 0:
            raise UsageError(
                f"The dataset could not be downloaded:\n    {last_lines(output, 1)}\nCheck this machine's network connection."
            )

    def reap(self, is_training: IsTraining) -> list[int]:
        """Kill the orphaned processes of this EPOCHAL_HOME; return the numbers of their runs. See ``Runtime.reap``."""
        return sorted(kill_orphans(home_id(self._home), is_training) - {0})

    def _run_helper(self, image: str, arguments: list[str], changes: dict[str, str], seconds: float) -> tuple[int, str]:
        """Run Python in a process that belongs to no run; return its exit status and the end of its output."""
        label = Label.outside_runs(home_id(self._home), seconds)
        command = [python_in(Path(image)), *arguments]
        limits = self._settings.limits
        with tempfile.TemporaryDirectory() as name, LogFile(Path(name, "log"), MEGABYTE) as log:
            environment = _clean_environment(image, Path(name)) | changes
            status, _ = _run(command, limits, label, environment, Path(name), seconds, log.write)
            return status, log.tail()


def _run(
    command: Sequence[str],
    limits: LimitSettings,
    label: Label,
    environment: dict[str, str],
    folder: Path,
    seconds: float,
    *sinks: Callable[[bytes], None],
    stop: Stop | None = None,
) -> tuple[int, bool]:
    """Run ``command`` in ``folder`` until it ends, ``stop`` ends it or ``seconds`` have passed; then kill what is left.

    Each chunk of its output is passed to all ``sinks``. Returns its exit status as a shell reports it (128 + n if
    signal n ended it), and whether it reached its time limit.
    """
    blocks, kibibytes = int(limits.output_mb * MEGABYTE / 512), int(limits.memory_mb * MEGABYTE / 1024)
    limited = ["sh", "-c", _LIMITED, "sh", str(blocks), str(kibibytes), *command]
    with process_tree(limited, label, environment, folder) as process:
        copier = OutputCopier(_read_chunks(process), *sinks)
        with (stop or Stop()).on_request(process.kill):
            timed_out = not wait_for_exit(process, seconds)
    copier.finish()
    status = process.returncode
    return status if status >= 0 else 128 - status, timed_out


def _read_chunks(process: Popen[bytes]) -> Iterator[bytes]:
    assert process.stdout is not None
    with process.stdout as pipe:
        while chunk := pipe.read1(65536):  # type: ignore[attr-defined]  # typeshed says IO, but it is a BufferedReader
            yield chunk


def _clean_environment(image: str, home: Path) -> dict[str, str]:
    """Return the environment variables for untrusted code, without Epochal's own, which may contain a token."""
    return {
        "PATH": f"{image}/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home.absolute()),
        "TMPDIR": str(home.absolute()),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }
