"""Check that an environment can import the modules that nn.py imports, and remember which ones it can import."""

from collections.abc import Callable, Sequence
from pathlib import Path

from epochal.errors import Reason, RunFailed
from epochal.runtimes.log import last_lines
from epochal.runtimes.recipe import digest

IMPORT_TIMEOUT_SECONDS = 300.0
"""Time limit for the imports. Importing TensorFlow from a cold disk takes 8 s."""

_ERROR_PREFIX = "epochal cannot import "

SCRIPT = f"""
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except BaseException as error:
        print(f"{_ERROR_PREFIX}{{name}}: {{type(error).__name__}}: {{error}}")
        raise
"""
"""A script that imports the modules given as arguments. If one cannot be imported, it prints a line that says why."""


class ImportFailed(RunFailed):
    """A module cannot be imported in the training environment. ``module``: its name. ``output``: what Python printed."""

    def __init__(self, module: str, output: str) -> None:
        self.module = module
        self.output = output
        explanation = f"{module} cannot be imported in the training environment."
        super().__init__(Reason.IMPORT_ERROR, explanation, last_lines(output))


def check_imports_once(
    folder: Path, environment: str, modules: Sequence[str], run: Callable[[list[str]], tuple[int, str]]
) -> None:
    """Check that ``modules`` can be imported, unless ``folder`` records that ``environment`` can import all of them.

    If any of them is not recorded yet, all are imported in the given order, because it may be possible to import a
    module only after another one. ``run`` starts Python with the given arguments and returns its exit status and
    output. Raises ImportFailed if an import fails.
    """
    markers = [folder / digest(environment, module) for module in modules]
    if all(path.exists() for path in markers):
        return
    status, output = run(["-c", SCRIPT, *modules])
    if status != 0:
        names = [line.removeprefix(_ERROR_PREFIX) for line in output.splitlines() if line.startswith(_ERROR_PREFIX)]
        raise ImportFailed(names[-1].partition(":")[0] if names else ", ".join(modules), output)
    folder.mkdir(parents=True, exist_ok=True)
    for path in markers:
        path.touch()
