"""Prepare the demo: the developer's repository, the bare repository that stands in for GitHub, and server.toml."""

import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from epochal.analysis.hyperparameters.changes import change_all, find_constants
from epochal.commands.init import initialise
from epochal.folders import SCRIPT, resource
from epochal.records import Value
from epochal.settings import child_environment, watch_repository

_SERVER = """\
# Written by the demo.
runtime = "{runtime}"

[gateway]
port = {gateway_port}

[mail]
host = "127.0.0.1"
port = {mail_port}
security = "none"
from = "epochal@example.com"
allowed_domains = ["example.com"]
"""

_TOO_SMALL: dict[str, Value] = {"learning_rate": 0.1, "conv_blocks": 1, "filters": 2, "dense_units": 2}
"""Hyperparameters that make the model too small: with two units feeding ten outputs, its accuracy stays near 0.6."""

_SEARCH = """\
# Written by the demo.
threshold = 0.9

[retrain]
max_trials = 20

[search]
learning_rate = { low = 0.01, high = 0.3, log = true }
conv_blocks = { low = 1, high = 3 }
filters = { choices = [2, 4, 8, 16, 32] }
dense_units = { choices = [2, 4, 8, 16, 32, 64] }
"""


@dataclass(frozen=True)
class Stage:
    """The demo's folders, all inside ``folder``.

    Another demo in the same folder recreates the repositories but keeps EPOCHAL_HOME. ``search``: whether to make the
    sample model too small to reach its threshold even with more epochs, and to give it a search space.
    """

    folder: Path
    search: bool = False

    @property
    def home(self) -> Path:
        """The demo's EPOCHAL_HOME."""
        return self.folder / "home"

    @property
    def developer(self) -> Path:
        """The developer's repository, created from ml_code/."""
        return self.folder / "ml_code"

    @property
    def github(self) -> Path:
        """The bare repository that stands in for GitHub."""
        return self.folder / "github" / "ml_code.git"

    @property
    def intro(self) -> str:
        """An introduction that tells the user what the demo will show."""
        if self.search:
            return (
                f"A demo: {SCRIPT} is committed with a model too small for its threshold of 0.90. More epochs will not "
                "help, so a search changes the model until it reaches the threshold, and Epochal reports this by email."
            )
        return (
            f"A demo: {SCRIPT} is committed with too few epochs for its threshold of 0.80. Epochal trains it, trains "
            "it again with ten more epochs, and reports by email that the threshold was reached."
        )

    def set_up(self, runtime: str, gateway_port: int, mail_port: int) -> None:
        """Create the repositories and write server.toml. ``runtime`` is ``docker`` or ``process``."""
        for folder in (self.developer, self.github.parent):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(resource("ml_code"), self.developer, ignore=shutil.ignore_patterns("__pycache__", "*.keras"))
        if self.search:
            script = self.developer / SCRIPT
            source = script.read_bytes()
            changes = {found: _TOO_SMALL[found.name] for found in find_constants(source) if found.name in _TOO_SMALL}
            script.write_bytes(change_all(source, changes))
            (self.developer / "epochal.toml").write_text(_SEARCH, encoding="utf-8")
        self.github.mkdir(parents=True)
        git("init", "--quiet", "--bare", "--initial-branch=main", str(self.github))
        self.home.mkdir(parents=True, exist_ok=True)
        server = _SERVER.format(runtime=runtime, gateway_port=gateway_port, mail_port=mail_port)
        (self.home / "server.toml").write_text(server, encoding="utf-8")
        watch_repository(self.home, str(self.github), ("main",))
        sender = [sys.executable, "-m", "epochal.demo.github", str(self.github)]
        sender += [f"http://127.0.0.1:{gateway_port}/webhook", str(self.home / "webhook-secret")]
        hook = self.github / "hooks" / "post-receive"
        hook.write_text(f"#!/bin/sh\nexec {shlex.join(sender)}\n", encoding="utf-8")
        hook.chmod(0o755)
        # Without this, initialise would refuse a folder inside another repository, such as a checkout of Epochal.
        git("init", "--quiet", "--initial-branch=main", str(self.developer))
        initialise(self.developer, str(self.github), ("main",))
        git("-C", str(self.developer), "config", "user.name", "Ada")
        git("-C", str(self.developer), "config", "user.email", "ada@example.com")

    def commit(self) -> str:
        """Commit nn.py as a developer would, and return what git prints. The post-commit hook pushes the commit."""
        git("-C", str(self.developer), "add", "--all")
        message = "A tiny CNN for handwritten digits" if self.search else "A small CNN for handwritten digits"
        printed = git("-C", str(self.developer), "commit", "-m", message)
        return "\n".join(line for line in printed.splitlines() if not line.startswith(" create mode"))


def git(*arguments: str) -> str:
    """Run git and return its standard output. Raises subprocess.CalledProcessError if git fails."""
    done = subprocess.run(
        ["git", *arguments],
        check=True,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env=child_environment({}),
    )
    return done.stdout
