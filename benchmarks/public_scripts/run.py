"""Compare Epochal's results for 40 unmodified public scripts with what the scripts print when they are run by hand.

Each script in list.toml becomes the nn.py of its own repository. Epochal trains it up to twice in the process runtime.
Then it is run by hand: with plain Python, in the environment that Epochal built for it, without the recorder.

Usage: benchmarks/public_scripts/run.py [--scripts FOLDER] [--hand RUNS] [NAME …]

``--scripts``: the folder with the fetched scripts, by name (default: .cache/public_scripts, see README.md). ``--hand``:
how many times an unseeded script is run by hand (default: 2); a seeded one is run once, and 0 skips the runs by hand.
NAME: the name of a script, or the beginning of several names (default: all scripts).

Results are kept in results.json in the folder of scripts. Runs by hand are not repeated as long as the script and the
environment stay the same, and the table includes the kept results of scripts that were not named. Epochal's home is the
subfolder home (its cache is BENCH_CACHE_FOLDER if that is set). The exit status is 1 if fewer than 38 scripts agree.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import describe_machine, log_progress, print_table, temporary_folder

HERE = Path(__file__).resolve().parent
FETCHED = HERE.parents[1] / ".cache" / "public_scripts"
THRESHOLD = 0.9999
STEP = 10
TARGET = 38
SECONDS = 600
INTERNAL_ERROR = 70
SETTINGS = f"[retrain]\nmax_trials = 2\nmax_epochs = 1000000\nepochs_step = {STEP}\n"


@dataclass(frozen=True)
class Literal:
    """An integer literal in the script: its line, counted from 1, and its value."""

    line: int
    value: int


@dataclass(frozen=True)
class Script:
    """A script from list.toml, where the fields are explained."""

    name: str
    framework: str
    query: str
    rank: int
    sha256: str
    accuracy: str
    repository: str = ""
    path: str = ""
    commit: str = ""
    id: str = ""
    requirements: list[str] = field(default_factory=list)
    percent: bool = False
    epochs: Literal | None = None
    seeded: bool = False
    by_hand: list[float] = field(default_factory=list)

    @classmethod
    def parse(cls, table: dict[str, Any]) -> "Script":
        """Return the script that a table in list.toml describes."""
        epochs = table.pop("epochs", None)
        return cls(**table, epochs=Literal(**epochs) if epochs else None)

    def read_accuracy(self, output: str) -> tuple[float, float] | None:
        """Return the accuracy that a reader would take from the script's output, and its rounding error.

        The error is half a unit in the last digit, but at most 0.005, because Python prints 1 as 1.0.
        """
        found = re.findall(self.accuracy, output.replace("\r", "\n"), re.MULTILINE)
        if not found:
            return None
        scale = 100 if self.percent else 1
        return float(found[-1]) / scale, min(0.005, 0.5 * 10 ** -len(found[-1].partition(".")[2]) / scale)


def read_scripts() -> list[Script]:
    """Return the scripts in list.toml."""
    return [Script.parse(table) for table in tomllib.loads((HERE / "list.toml").read_text("utf-8"))["script"]]


def read_text(folder: Path, script: Script) -> bytes | None:
    """Return the content of a fetched script, or None if the file is missing or has the wrong hash."""
    path = folder / f"{script.name}.py"
    text = path.read_bytes() if path.exists() else b""
    return text if hashlib.sha256(text).hexdigest() == script.sha256 else None


def run_epochal(home: Path, script: Script, text: bytes) -> dict[str, Any]:
    """Train the script with Epochal, and return its results."""
    with temporary_folder() as folder:
        files = {"nn.py": text, "epochal.toml": SETTINGS.encode()}
        if script.requirements:
            files["requirements.txt"] = "\n".join([*script.requirements, ""]).encode()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        git = ["git", "-C", str(folder), "-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        for command in (["init", "-q", "-b", "main"], ["add", "--all"], ["commit", "-q", "-m", script.name]):
            subprocess.run([*git, *command], check=True)
        options = ["--runtime", "process", "--threshold", str(THRESHOLD), "--no-mail", "--force", "--json"]
        done = call_epochal(home, "run", str(folder), *options)
        checked = json.loads(call_epochal(home, "check", str(folder), "--json").stdout)["projects"][0]
    if done.returncode == INTERNAL_ERROR or not done.stdout.strip():
        return {"state": "failed", "reason": "internal error", "explanation": done.stderr[-500:], "trials": []}
    view: dict[str, Any] = json.loads(done.stdout)
    keys = ("state", "reason", "explanation", "framework", "image", "notes")
    return {key: view[key] for key in keys} | {
        "found": checked["epochs"],
        "trials": [describe_trial(script, text, trial, Path(view["folder"])) for trial in view["trials"]],
    }


def call_epochal(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command ``epochal`` with ``home`` as its home folder."""
    environment = os.environ | {"EPOCHAL_HOME": str(home)}
    command = [sys.executable, "-m", "epochal", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def describe_trial(script: Script, text: bytes, trial: dict[str, Any], run: Path) -> dict[str, Any]:
    """Return what Epochal recorded about a trial, and what the output of the same training run says."""
    folder = run / "trials" / str(trial["number"])
    log, code = folder / "train.log", folder / "code" / "nn.py"
    keys = ("state", "reason", "accuracy", "accuracy_source", "epochs_trained", "epochs_resumed")
    return {key: trial[key] for key in keys} | {
        "printed": script.read_accuracy(log.read_text("utf-8", "replace")) if log.exists() else None,
        "changes": find_changes(text, code.read_bytes()) if code.exists() else None,
        "converged": log.exists() and b"ConvergenceWarning" not in log.read_bytes(),
    }


def find_changes(before: bytes, after: bytes) -> list[tuple[int, str, str]]:
    """Return the lines that differ: for each, its number (counted from 1), the old line and the new one."""
    old, new = before.splitlines(), after.splitlines()
    if len(old) != len(new):
        return [(0, f"{len(old)} lines", f"{len(new)} lines")]
    numbered = enumerate(zip(old, new, strict=True), 1)
    return [(number, one.decode(), other.decode()) for number, (one, other) in numbered if one != other]


def run_by_hand(image: str, script: Script, text: bytes) -> tuple[float, float] | str:
    """Run the script with plain Python in the environment ``image``; return its accuracy, or why it has none."""
    with temporary_folder() as folder:
        (folder / "nn.py").write_bytes(text)
        environment = {
            "PATH": f"{image}/bin:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "MPLBACKEND": "Agg",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [f"{image}/bin/python", str(folder / "nn.py")]
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, check=False, timeout=SECONDS
            )
        except subprocess.TimeoutExpired:
            return f"not done after {SECONDS} s"
    found = script.read_accuracy(done.stdout.decode("utf-8", "replace"))
    if done.returncode or found is None:
        return (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no accuracy was printed"])[-1]
    return found


def judge_accuracy(script: Script, result: dict[str, Any]) -> tuple[bool, str]:
    """Return whether Epochal's accuracy is the one that the script prints, and a description of any difference."""
    trials, hand = result["epochal"]["trials"], result.get("hand", [])
    first = trials[0] if trials else None
    if first is None or first["accuracy"] is None:
        return False, f"{result['epochal']['reason']}: {result['epochal']['explanation']}"
    for trial in trials:
        if trial["accuracy"] is None or trial["printed"] is None:
            return False, f"a trial has no accuracy ({trial['reason']})"
        printed, error = trial["printed"]
        if abs(trial["accuracy"] - printed) > error + 1e-6:
            return False, f"{trial['accuracy']:.4f}, but the same training printed {printed:.4f}"
    if failures := [run for run in hand if isinstance(run, str)]:
        return False, f"by hand: {failures[0]}"
    if script.seeded and hand and abs(first["accuracy"] - hand[0][0]) > hand[0][1] + 1e-6:
        return False, f"{first['accuracy']:.4f}, by hand {hand[0][0]:.4f}"
    return True, ""


def judge_epochs(script: Script, text: bytes, result: dict[str, Any]) -> tuple[bool, str, str]:
    """Return whether the right number was raised, what was raised, and a description of any difference."""
    trials = result["epochal"]["trials"]
    second = trials[1] if len(trials) > 1 else None
    changes = second["changes"] if second else None
    if script.epochs is None:
        return not changes, "none", f"changed {changes}" if changes else ""
    line, value = script.epochs.line, script.epochs.value
    raised = f"{value} → {value + STEP}"
    if changes is None:
        found = result["epochal"].get("found")
        if result["epochal"]["state"] == "reached":
            right = found is not None and found["line"] == line
            return right, f"{value}, reached" if right else "–", "" if right else f"epochal check finds {found}"
        if result["epochal"]["reason"] == "stops_itself" and trials[-1]["converged"]:
            return True, f"{value}, converged", ""
        return False, "–", f"{value} on line {line} not raised: {result['epochal']['reason']}"
    old = text.splitlines()[line - 1].decode()
    wanted = {re.sub(rf"(?<![\w.]){value}(?![\w.])", str(value + STEP), old)}
    right = [change[0] for change in changes] == [line] and changes[0][2] in wanted
    return right, raised if right else "other", "" if right else f"changed {changes}"


def format_hand(script: Script, hand: Sequence[Any]) -> str:
    """Return the range of accuracies in runs by hand as text, including those recorded in list.toml."""
    values = sorted({run[0] for run in hand if not isinstance(run, str)} | set(script.by_hand))
    digits = [f"{value:.4f}" for value in values]
    return " to ".join(dict.fromkeys([digits[0], digits[-1]])) if digits else "–"


def print_results(scripts: Sequence[Script], texts: dict[str, bytes], results: dict[str, Any]) -> int:
    """Print the table, and return for how many scripts both accuracy and epochs agree."""
    rows = [("script", "by hand", "Epochal", "from", "epochs", "agrees")]
    differences = []
    agreeing = 0
    for script in scripts:
        if script.name not in results:
            continue
        result, text = results[script.name], texts[script.name]
        is_accurate, why = judge_accuracy(script, result)
        is_right, raised, where = judge_epochs(script, text, result)
        trials = result["epochal"]["trials"]
        first = trials[0] if trials and trials[0]["accuracy"] is not None else None
        agreeing += is_accurate and is_right
        verdict = "yes" if is_accurate and is_right else "no"
        accuracy, source = (f"{first['accuracy']:.4f}", first["accuracy_source"]) if first else ("–", "–")
        rows.append((script.name, format_hand(script, result.get("hand", [])), accuracy, source, raised, verdict))
        differences += [f"- {script.name}: {text}" for text in (why, where) if text]
    print(f"{agreeing} of {len(rows) - 1} agree. {describe_machine()}.\n")
    print_table(*rows)
    print("\n".join(differences))
    return agreeing


def main() -> None:
    """Run the scripts that the command line names, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scripts", type=Path, default=FETCHED)
    parser.add_argument("--hand", type=int, default=2)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    folder = arguments.scripts.absolute()
    scripts = read_scripts()
    texts = {script.name: text for script in scripts if (text := read_text(folder, script)) is not None}
    if missing := [script.name for script in scripts if script.name not in texts]:
        log_progress(f"not in {folder}, or with another text: {', '.join(missing)}")
    home, kept = folder / "home", folder / "results.json"
    home.mkdir(parents=True, exist_ok=True)
    if (cache := os.environ.get("BENCH_CACHE_FOLDER")) and not (home / "cache").exists():
        Path(cache).mkdir(parents=True, exist_ok=True)
        (home / "cache").symlink_to(Path(cache).absolute())
    results: dict[str, Any] = json.loads(kept.read_text("utf-8")) if kept.exists() else {}
    for script in scripts:
        if script.name not in texts or not script.name.startswith(tuple(arguments.names or [""])):
            continue
        log_progress(script.name)
        before = results.get(script.name, {})
        found = run_epochal(home, script, texts[script.name])
        is_same = before.get("epochal", {}).get("image") == found.get("image")
        hand = before.get("hand", []) if is_same else []
        image = found.get("image")
        while image and len(hand) < min(arguments.hand, 1 if script.seeded else arguments.hand):
            hand.append(run_by_hand(image, script, texts[script.name]))
        results[script.name] = {"epochal": found, "hand": hand}
        kept.write_text(json.dumps(results, indent=1, ensure_ascii=False), encoding="utf-8")
        shutil.rmtree(home / "runs", ignore_errors=True)
    agreeing = print_results(scripts, texts, results)
    raise SystemExit(0 if agreeing >= TARGET else 1)


if __name__ == "__main__":
    main()
