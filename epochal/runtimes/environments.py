"""Virtual environments for training without Docker, each built once by uv and named after a digest of its recipe."""

import os
import re
import shutil
import sys
from collections import deque
from pathlib import Path

import uv

from epochal.errors import Reason, RunFailed
from epochal.records import Log
from epochal.runtimes.label import Label
from epochal.runtimes.lock import file_lock
from epochal.runtimes.log import last_lines
from epochal.runtimes.process_tree import process_tree
from epochal.runtimes.recipe import RESOLVE, Recipe
from epochal.runtimes.requested import REQUIREMENTS
from epochal.runtimes.uv_errors import explain_uv_error
from epochal.settings import ImageSettings, child_environment

_BUILD_SECONDS = 3600.0
_COMPLETE = "complete"
_PROGRESS = re.compile(r"^(Resolved|Prepared|Installed|Downloading) ")


def environment_folder(cache: Path, recipe: Recipe) -> Path:
    """Return the folder inside ``cache`` for the virtual environment of ``recipe``, which may not have been built yet.

    Its name ends in a digest of the recipe and of the Python interpreter that runs Epochal.
    """
    name = f"{recipe.framework}-{recipe.digest(sys.version, os.path.realpath(sys.executable))}"
    return cache / "environments" / name


def ensure_environment(cache: Path, home: str, recipe: Recipe, settings: ImageSettings, log: Log) -> Path:
    """Return the folder of the virtual environment for ``recipe``, building it first if it is missing.

    ``home``: the ID of EPOCHAL_HOME (see ``home_id``). Raises RunFailed(ENVIRONMENT_FAILED) with the last lines of
    uv's output as its detail.
    """
    folder = environment_folder(cache, recipe)
    with file_lock(cache / "locks" / f"{folder.name}.lock", log):
        # The marker is written last, so that an environment is built again if its builder was killed.
        if not (folder / _COMPLETE).exists():
            log(f"Building the training environment {folder}; later runs will reuse it.")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            _build(folder, Label.outside_runs(home, _BUILD_SECONDS), recipe, settings, log)
            (folder / _COMPLETE).touch()
    return folder


def python_in(environment: Path) -> str:
    """Return the path to the Python interpreter of a virtual environment."""
    return str(environment / "bin" / "python")


def _build(folder: Path, label: Label, recipe: Recipe, settings: ImageSettings, log: Log) -> None:
    uv_path = uv.find_uv_bin()
    for name, text in recipe.files().items():
        (folder / name).write_text(text, encoding="utf-8")
    resolve = [sys.executable, "-I", str(RESOLVE), uv_path, recipe.framework, recipe.packages, str(folder)]
    install = [uv_path, "pip", "install", "--no-config", "--python", python_in(folder)]
    if recipe.packages == "wheels":
        install += ["--only-binary", ":all:"]
    install += ["--no-deps", "-r", str(folder / "packages.txt")]
    if "--hash" in recipe.requirements:
        install += ["--constraints", str(folder / REQUIREMENTS)]  # uv checks the hashes in it
    listed = f" that satisfy {recipe.source}" if recipe.requirements else ""
    steps = {
        "create the environment": [
            *(uv_path, "venv", "--no-config", "--allow-existing", "--python", sys.executable, str(folder))
        ],
        f"choose versions of the packages for {recipe.framework}{listed}": resolve,
        "install the packages": install,
    }
    # Compile bytecode here, once, instead of in every trial: importing TensorFlow then takes 5 s instead of 15.
    changes = {"UV_COMPILE_BYTECODE": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
    variables = child_environment(changes | recipe.variables())
    if settings.ca_bundle:
        variables["SSL_CERT_FILE"] = str(Path(settings.ca_bundle).expanduser())
    # Packages may run code while they are installed, and some of Epochal's environment variables are secret.
    variables = {name: value for name, value in variables.items() if not name.startswith("EPOCHAL_")}
    for action, arguments in steps.items():
        lines: deque[str] = deque(maxlen=60)
        with process_tree(arguments, label, variables, folder) as process:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line.decode("utf-8", errors="replace").rstrip())
                if _PROGRESS.match(lines[-1]):
                    log(lines[-1])
            status = process.wait()
        if status != 0:
            output = "\n".join(lines)
            unknown = f"uv could not {action}. The last lines of its output say why."
            explanation = explain_uv_error(output, recipe.requirements, recipe.source) or unknown
            raise RunFailed(Reason.ENVIRONMENT_FAILED, explanation, last_lines(output))
