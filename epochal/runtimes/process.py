"""The process runtime: every training in a plain process. No sandbox: the code may do what its user may."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from subprocess import Popen

from epochal.errors import UsageError
from epochal.folders import SCRIPT
from epochal.records import Log
from epochal.runtimes.environments import environment_folder, environment_for, python_in
from epochal.runtimes.imports import SECONDS as PROOF_SECONDS
from epochal.runtimes.imports import prove_once
from epochal.runtimes.log import MEGABYTE, Copying, LogFile, last_lines
from epochal.runtimes.outcome import outcome_of
from epochal.runtimes.owner import Belonging, id_of
from epochal.runtimes.process_tree import ended_within, kill_left_overs, process_tree
from epochal.runtimes.recipe import read_recipe
from epochal.runtimes.runtime import IsAlive, Outcome, Training
from epochal.runtimes.stop import Stop
from epochal.runtimes.workplace import data_folder, dataset_cache, dataset_variables, workplace
from epochal.settings import LimitSettings, ServerSettings

_FETCH_SECONDS = 3600.0

_LIMITED = 'ulimit -c 0; ulimit -f "$1" 2>/dev/null; ulimit -d "$2" 2>/dev/null; shift 2; exec "$@"'
"""For sh: file sizes in blocks of 512 bytes, the data segment in KiB. What is limited lower already stays so."""


class ProcessRuntime:
    """Trains in processes of this machine; limits of time, memory and file size hold, everything else is open."""

    name = "process"
    has_network = True  # nothing keeps a plain process from it

    def __init__(self, home: Path, settings: ServerSettings) -> None:
        self._home = home
        self._settings = settings

    def image_name(self, framework: str, code: Path) -> str:
        """As ``Runtime.image_name``: the environment's folder."""
        recipe = read_recipe(framework, code, self._settings.sandbox)
        return str(environment_folder(self._home / "cache", recipe))

    def prepare(self, framework: str, code: Path, log: Log) -> str:
        """As ``Runtime.prepare``; returns the environment's folder."""
        log("Training in a plain process: this is no sandbox, the code may do all that this user may.")
        recipe = read_recipe(framework, code, self._settings.sandbox)
        cache = self._home / "cache"
        return str(environment_for(cache, id_of(self._home), recipe, self._settings.images, log))

    def prove(self, image: str, modules: Sequence[str]) -> None:
        """As ``Runtime.prove``."""
        prove_once(
            self._home / "cache" / "proven",
            Path(image).name,  # it has the recipe's digest; the path differs between homes
            modules,
            lambda arguments: self._run_aside(image, arguments, {}, PROOF_SECONDS),
        )

    def train(self, training: Training) -> Outcome:
        """As ``Runtime.train``."""
        folder = training.folder
        limits = self._settings.limits
        datasets = dataset_cache(self._home)
        with workplace(folder, limits, datasets, datasets) as place:
            seconds = limits.minutes * 60
            belonging = Belonging(id_of(self._home), training.run, training.trial, int(time.time() + seconds))
            environment = _clean_environment(training.image, place.home) | {
                "EPOCHAL_OUT": str(folder.out.absolute()),
                "EPOCHAL_CHECKPOINTS": str(folder.checkpoints.absolute()),
                "PYTHONPATH": str(place.recorder.absolute()),
                **dataset_variables(datasets.absolute(), links=True),
            }
            if training.stop_at is not None:
                environment["EPOCHAL_STOP_AT"] = repr(training.stop_at)
            if data := data_folder(self._settings):
                environment["EPOCHAL_DATA"] = str(data)
            command = [python_in(Path(training.image)), str(folder.code.absolute() / SCRIPT)]
            sinks = training.on_output, place.log.write
            began = time.monotonic()
            status, timed_out = _run(
                command, limits, belonging, environment, folder.code, seconds, *sinks, stop=training.stop
            )
            return outcome_of(status, time.monotonic() - began, place.log.last(), timed_out=timed_out)

    def fetch_dataset(self, image: str, script: str, log: Log) -> None:
        """As ``Runtime.fetch_dataset``."""
        datasets = dataset_cache(self._home)
        environment = dataset_variables(datasets, links=False)
        if bundle := self._settings.images.ca_bundle:
            environment["SSL_CERT_FILE"] = str(Path(bundle).expanduser())
        log(f"Fetching into {datasets}.")
        status, output = self._run_aside(image, ["-c", script], environment, _FETCH_SECONDS)
        if status != 0:
            raise UsageError(f"The dataset could not be fetched. The last lines:\n{last_lines(output, 5)}")

    def reap(self, is_alive: IsAlive) -> list[int]:
        """As ``Runtime.reap``."""
        return sorted(kill_left_overs(id_of(self._home), is_alive) - {0})

    def _run_aside(self, image: str, arguments: list[str], changes: dict[str, str], seconds: float) -> tuple[int, str]:
        """Run Python on what is no training; returns its exit status and its last output."""
        belonging = Belonging.to_no_run(id_of(self._home), seconds)
        command = [python_in(Path(image)), *arguments]
        limits = self._settings.limits
        with tempfile.TemporaryDirectory() as name, LogFile(Path(name, "log"), MEGABYTE) as log:
            environment = _clean_environment(image, Path(name)) | changes
            status, _ = _run(command, limits, belonging, environment, Path(name), seconds, log.write)
            return status, log.last()


def _run(
    command: Sequence[str],
    limits: LimitSettings,
    belonging: Belonging,
    environment: dict[str, str],
    folder: Path,
    seconds: float,
    *sinks: Callable[[bytes], None],
    stop: Stop | None = None,
) -> tuple[int, bool]:
    """Run a process tree within ``limits`` to its end, its time limit or ``stop``, its output going to ``sinks``.

    Returns its exit status as a shell has it (128 + n if signal n ended it), and whether its time was over.
    """
    blocks, kibibytes = int(limits.output_mb * MEGABYTE / 512), int(limits.memory_mb * MEGABYTE / 1024)
    limited = ["sh", "-c", _LIMITED, "sh", str(blocks), str(kibibytes), *command]
    with process_tree(limited, belonging, environment, folder) as process:
        copying = Copying(_output(process), *sinks)
        with (stop or Stop()).ends(process.kill):
            timed_out = not ended_within(process, seconds)
    copying.finish()
    status = process.returncode
    return status if status >= 0 else 128 - status, timed_out


def _output(process: Popen[bytes]) -> Iterator[bytes]:
    assert process.stdout is not None
    with process.stdout as pipe:
        while chunk := pipe.read1(65536):  # type: ignore[attr-defined]  # typeshed says IO, it is a BufferedReader
            yield chunk


def _clean_environment(image: str, home: Path) -> dict[str, str]:
    """Return a training's environment with nothing of ours: a token in it would be the code's."""
    return {
        "PATH": f"{image}/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home.absolute()),
        "TMPDIR": str(home.absolute()),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }
