"""Find out which small faults in Epochal's code the tests notice.

Mutants are drawn from a seed. Each is one change to one function: a comparison, a condition, a number, a return value, a
deleted call … The mutants are spread over the files in proportion to their lines of code, and no function gets two.
Each is applied to a copy of the tracked files, in which the tests run until one of them fails, the quickest first:

1. the test files that name the mutated module or mirror it
2. all others that need neither a framework nor a Docker engine
3. those that do

A mutant is noticed if a test fails with it, fails again when repeated, and passes without it. A test that hangs and an
import that fails count as failures, too. A test that also fails without the mutant is listed and left out from then on.
Examine every survivor: either a test is missing, or the change makes no difference.

The tests run in their own process namespace (unshare(1), so only on Linux), because a mutant may signal any process.

Usage: benchmarks/mutants.py [--quick] [--seed N] [--count N] [--stages 1,2,3] [--only K] [--list] [--out FILE]
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import QUICK, describe_machine, log_progress, temporary_folder
from mutation.drawing import Mutant, draw, room

TOP = Path(__file__).resolve().parents[1]
COUNT, STAGES = (2, "1") if QUICK else (60, "1,2,3")
NOT_MUTATED = ("epochal/demo/", "epochal/store/migrations/")
PYTEST = ("-x", "-v", "--tb=no", "-p", "no:cacheprovider")
MARKED = "(keras or sklearn or docker or torch)"
ISOLATED = (
    *("unshare", "--pid", "--fork", "--kill-child", "--mount-proc"),
    *(() if os.getuid() == 0 else ("--user", "--map-root-user")),
    *("sh", "-c", '"$@"; exit $?', "sh"),  # the first process of a namespace has to reap orphans, as a shell does
)
MOST_ATTEMPTS = 20
"""How many tests may fail for a reason other than the mutant before the benchmark gives up."""
HANGS_AFTER = {1: 180.0, 2: 180.0, 3: 900.0}
"""Seconds without output after which a test counts as hanging, by stage; pytest prints when a test begins or ends."""


def find_near_tests(path: str, tests: Mapping[str, str]) -> list[str]:
    """Return the test files that mention the module at ``path`` or are named after it, else those of its package."""
    dotted = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__").removeprefix("epochal.recorder.")
    package, _, name = dotted.rpartition(".")
    named = rf"\b{re.escape(dotted)}\b|{re.escape(path)}|from {re.escape(package)} import [(\s\w,]*\b{name}\b"
    of_room = [
        test for test in tests if test.startswith("tests/test_" if room(path) == "top" else f"tests/{room(path)}/")
    ]
    found = [test for test in tests if re.search(named, tests[test])]
    found += [test for test in of_room if test.endswith(f"test_{name}.py") and test not in found]
    return found or of_room


@dataclass(frozen=True)
class Failure:
    """The first test that failed or hung, and the ``arguments`` with which pytest runs it again."""

    test: str
    arguments: Sequence[str]
    hangs: bool = False

    def __str__(self) -> str:
        return f"{self.test}{', which hangs' if self.hangs else ''}"


class Copy:
    """A copy of the tracked files in ``folder``, with an interpreter that imports Epochal from there."""

    def __init__(self, folder: Path, tracked: Iterable[str]) -> None:
        self._folder, self._tree, self._temporary = folder, folder / "tree", folder / "t"
        folder.chmod(0o755)  # PostgreSQL runs as another user
        for name in tracked:
            (self._tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, self._tree / name, follow_symlinks=False)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
        (packages,) = (folder / "venv").glob("lib/python*/site-packages")
        # PYTHONPATH would not work, because job scripts and training runs do not pass it on.
        paths = [str(self._tree), *(path for path in sys.path if path.endswith("site-packages"))]
        (packages / "copy.pth").write_text("\n".join(paths) + "\n", encoding="utf-8")
        self._written = time.time()
        self.left_out: list[str] = []

    @contextmanager
    def replacing(self, path: str, text: bytes) -> Iterator[None]:
        """Replace the content of the file ``path`` with ``text`` inside the context."""
        kept = (self._tree / path).read_bytes()
        self._write(path, text)
        try:
            yield
        finally:
            self._write(path, kept)

    def _write(self, path: str, text: bytes) -> None:
        (self._tree / path).write_bytes(text)
        self._written += 2  # bytecode counts as outdated only if the times differ by a second
        os.utime(self._tree / path, (self._written, self._written))

    def find_failure(self, arguments: Sequence[str], seconds: float) -> Failure | None:
        """Run pytest with ``arguments`` until a test fails, or nothing is printed for ``seconds``."""
        self._temporary.mkdir(exist_ok=True)
        self._temporary.chmod(0o777)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PYTHON"))}
        environment |= {"TMPDIR": str(self._temporary), "TEST_NOISE_SEED": "0"}
        environment.setdefault("TEST_CACHE_FOLDER", str(self._folder / "cache"))
        command = [*ISOLATED, str(self._folder / "venv/bin/python"), "-m", "pytest", *PYTEST]
        command += [f"--deselect={test}" for test in self.left_out]
        log = self._folder / "output"
        with (
            log.open("wb") as output,
            subprocess.Popen(
                [*command, *arguments],
                cwd=self._tree,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as process,
        ):
            try:
                hangs = not _wait_for_end(process, log, seconds)
            finally:
                process.kill()  # also ends whatever the tests started
        shutil.rmtree(self._temporary, ignore_errors=True)
        printed = log.read_text(encoding="utf-8", errors="replace")
        return None if process.returncode in (0, 5) else _read_failure(printed, process.returncode, arguments, hangs)


def _read_failure(printed: str, status: int, arguments: Sequence[str], hangs: bool) -> Failure:
    started = [
        line.strip() for line in printed.splitlines() if re.match(r"tests/.*::", line) and not line.endswith("%]")
    ]
    failed = re.findall(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", printed, re.MULTILINE)
    test = next(iter(failed or started[-1:]), "")
    if "::" in test and (failed or hangs):
        return Failure(test, ["-m", "", test], hangs)
    if failed or hangs or 0 < status < 128:  # it failed before the first test
        return Failure(test or "the import of conftest.py", ["--collect-only", *arguments], hangs)
    return Failure(f"the whole run, which ended with status {status}", arguments)


def _wait_for_end(process: "subprocess.Popen[bytes]", log: Path, seconds: float) -> bool:
    """Wait for the process to end; return False if its log stops growing for ``seconds``."""
    size, since = 0, time.monotonic()
    while process.poll() is None:
        time.sleep(0.1)
        if log.stat().st_size != size:
            size, since = log.stat().st_size, time.monotonic()
        elif time.monotonic() - since > seconds:
            return False
    return True


def plan_runs(stages: Iterable[int], files: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the stage and the pytest arguments of each run; ``files``: the test files of the first stage."""
    unmarked, marked = f"not cases and not {MARKED}", f"not cases and {MARKED}"
    others = ["tests", *(f"--ignore={file}" for file in files)]
    runs = [(1, unmarked, list(files)), (1, marked, list(files)), (2, unmarked, others), (3, marked, others)]
    return ((stage, ["-m", markers, *where]) for stage, markers, where in runs if stage in stages and where)


def judge(copy: Copy, mutant: Mutant, runs: Iterable[tuple[int, list[str]]]) -> Failure | None:
    """Return the failure that reveals the mutant, or None if it survives."""
    for stage, arguments in runs:
        for _ in range(MOST_ATTEMPTS):
            with copy.replacing(mutant.path, mutant.text):
                failure = copy.find_failure(arguments, HANGS_AFTER[stage])
                if failure is None:
                    break
                again = failure.hangs or copy.find_failure(failure.arguments, HANGS_AFTER[stage])
            if again and not copy.find_failure(failure.arguments, HANGS_AFTER[stage]):
                return failure
            log_progress(f"not because of the mutant: {failure}")
            copy.left_out += [failure.test] if "::" in failure.test else []
        else:
            raise RuntimeError("The tests fail without a mutant, too: make them pass first.")
    return None


def count_noticed(results: Sequence[tuple[Mutant, Failure | None]]) -> Iterator[str]:
    """Yield how many of the tested mutants were noticed: overall, by kind and by top-level package."""
    found: dict[str, list[bool]] = {"all": []}
    for mutant, failure in results:
        for name in ("all", f"kind: {mutant.kind}", f"room: {room(mutant.path)}"):
            found.setdefault(name, []).append(failure is not None)
    for name in sorted(found):
        yield f"{name:28} {sum(found[name])} of {len(found[name])} noticed"


def main() -> None:
    """Draw the mutants, run the tests and print the results."""
    parser = argparse.ArgumentParser(description="which small faults in the code the tests notice")
    parser.add_argument("--quick", action="store_true", help="two mutants, the first stage")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=COUNT, help="how many mutants are drawn")
    parser.add_argument("--stages", default=STAGES, help="which tests run, as in 1,2")
    parser.add_argument("--only", type=int, metavar="K", help="run the K-th mutant of the draw alone")
    parser.add_argument("--list", action="store_true", help="print the draw and run nothing")
    parser.add_argument("--out", type=Path, help="a file for the results")
    options = parser.parse_args()
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, check=True, capture_output=True, text=True).stdout
    tracked = [name for name in listed.split("\0") if name and (TOP / name).exists()]
    product = [name for name in tracked if re.match(r"epochal/.*\.py$", name) and not name.startswith(NOT_MUTATED)]
    tests = [name for name in tracked if re.match(r"tests/(?!cases/).*test_\w+\.py$", name)]
    mutants = draw({name: (TOP / name).read_bytes() for name in product}, options.seed, options.count)
    texts = {name: (TOP / name).read_text(encoding="utf-8") for name in tests}
    lines: list[str] = []

    def report(line: str) -> None:
        print(line, flush=True)
        lines.append(line)
        if options.out:
            options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")

    report(f"{describe_machine()}; {len(mutants)} mutants of seed {options.seed}, stages {options.stages}\n")
    results = []
    with temporary_folder() as folder:
        copy = None if options.list else Copy(folder, tracked)
        for number, mutant in enumerate(mutants, start=1):
            if options.only in (None, number) and copy is None:
                report(f"{number}. {mutant}")
            elif options.only in (None, number) and copy:
                stages = [int(stage) for stage in options.stages.split(",")]
                failure = judge(copy, mutant, plan_runs(stages, find_near_tests(mutant.path, texts)))
                results.append((mutant, failure))
                report(f"{number}. {mutant}: {f'noticed by {failure}' if failure else 'SURVIVED'}")
        for line in [*(f"left out: {test}" for test in copy.left_out), "", *count_noticed(results)] if copy else []:
            report(line)


if __name__ == "__main__":
    main()
