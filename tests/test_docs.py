"""The documentation: the commands on its pages work, and its links lead somewhere.

The ``sh`` blocks of a page run in order, in one bash session in an empty folder. A block in another language whose first
line is a comment with only a file name (``# epochal.toml``) is written to that file when its turn comes. A block that CI
cannot run has a line directly above it that says why: ``<!-- not run: needs an ngrok account -->``.
"""

import itertools
import math
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pytest

from epochal.chains.jenkins.plugins import pinned_plugins
from epochal.demo.mailbox import free_port
from epochal.folders import resource
from tests.chains.jenkins.standin import TOKEN, StandIn
from tests.repositories import git
from tests.warm import warm_epochal

TOP = Path(__file__).parent.parent
DOCS = [str(path.relative_to(TOP)) for path in sorted((TOP / "docs").rglob("*.md"))]
PAGES = ["README.md", *DOCS]

REASONS = {
    "installs Epochal",
    "needs a Gmail account",
    "needs a push to GitHub",
    "needs a search that runs",
    "needs an image registry",
    "needs an ngrok account",
    "needs docker compose",
    "takes minutes",
    "takes minutes and tests/integration/test_demo.py runs it",
}
"""Why CI cannot run a block."""

IN_CONTAINERS = {"docs/how-to/docker.md", "docs/how-to/own-image.md"}
"""The pages that train with Docker. On all others, training runs in plain processes, whatever the page says."""

JENKINS = "https://jenkins.example.com/"
"""The address of Jenkins on the pages: a stand-in answers there."""

SECONDS = 120.0
"""How long the blocks of one page may take."""

MOST_LINES = 96
"""How long a page may be, by `_count_lines`: two screens, 1,900 pixels on GitHub in a window 1,280 pixels wide."""

_FENCE = re.compile(r"(?P<indent> *)(?P<fence>`{3,})(?P<language>[\w-]*)")
_NOT_RUN = re.compile(r" *<!-- not run: (?P<reason>.+) -->")
_FILE = re.compile(r"# (?P<name>\S*\.(?:py|toml|txt))")
_PORT = re.compile(r"\b(?:2525|8787)\b")
_LINK = re.compile(r"\]\((?P<target>[^()\s]+)(?: \"[^\"]*\")?\)")
_HEADING = re.compile(r"#{1,6} +(?P<title>.+)")
_COMMENT = re.compile(r"^<!--.*?-->\n", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    first: the index of its first line in the page, from 0.
    reason: why it is not run; empty if it is.
    """

    language: str
    first: int
    lines: tuple[str, ...]
    reason: str = ""

    @property
    def file(self) -> str:
        """The name of the file that the block shows, from its first line; empty if there is none."""
        named = _FILE.fullmatch(self.lines[0]) if self.lines and self.language != "sh" else None
        return named["name"] if named else ""


def _read_blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page, without the indentation that they have in a list."""
    lines = text.splitlines()
    blocks = []
    place = 0
    while place < len(lines):
        if fence := _FENCE.match(lines[place]):
            end = next(index for index in range(place + 1, len(lines)) if lines[index].strip() == fence["fence"])
            content = tuple(line.removeprefix(fence["indent"]) for line in lines[place + 1 : end])
            above = _NOT_RUN.fullmatch(lines[place - 1]) if place else None
            blocks.append(Block(fence["language"], place + 1, content, above["reason"] if above else ""))
            place = end
        place += 1
    return blocks


def _read_prose(text: str) -> list[str]:
    """Return the lines of a page that are not in a fenced block."""
    lines = text.splitlines()
    for block in reversed(_read_blocks(text)):
        del lines[block.first - 1 : block.first + len(block.lines) + 1]
    return lines


def _read_links(page: str) -> list[str]:
    """Return the targets of the links on a page."""
    text = "\n".join(re.sub(r"`[^`]+`", "", line) for line in _read_prose(_read_page(page)))
    return [unquote(link["target"]) for link in _LINK.finditer(text)]


def _read_anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub derives from the headings of a page."""
    anchors: set[str] = set()
    for heading in filter(None, map(_HEADING.fullmatch, _read_prose(path.read_text(encoding="utf-8")))):
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading["title"])
        anchor = re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")
        numbered = (f"{anchor}-{number}" for number in itertools.count(1))
        anchors.add(next(name for name in itertools.chain([anchor], numbered) if name not in anchors))
    return anchors


def _read_page(page: str) -> str:
    return (TOP / page).read_text(encoding="utf-8")


def _count_lines(text: str) -> int:
    """Return the number of lines of a page without comments. A table row counts as two lines, or more if it is long."""
    lines = _COMMENT.sub("", text).splitlines()
    return sum(1 + math.ceil(len(line) / 120) if line.startswith("|") else 1 for line in lines)


def _has_commands(page: str) -> bool:
    return any(block.language == "sh" and not block.reason for block in _read_blocks(_read_page(page)))


def _script_of(text: str) -> str:
    """Return a bash script that runs a page's commands and ends what it started. Its line numbers match the page's."""
    first = "PS4='+ line $LINENO: '; trap 'jobs -p | xargs --no-run-if-empty kill || :; wait' EXIT"
    lines = [first, *[""] * len(text.splitlines())]
    for block in _read_blocks(text):
        end = block.first + len(block.lines)
        if block.reason or not (block.language == "sh" or block.file):
            continue
        lines[block.first : end] = block.lines
        if block.file:
            lines[block.first - 1] = f'mkdir -p "$(dirname "{block.file}")"; cat >"{block.file}" <<\'END OF FILE\''
            lines[end] = "END OF FILE"
    ports: dict[str, str] = {}
    return _PORT.sub(lambda port: ports.setdefault(port[0], str(free_port())), "\n".join(lines))


@pytest.fixture
def reader(tmp_path: Path, home: Path) -> dict[str, str]:
    """Return a reader's environment for a page's commands: Epochal on PATH, HOME, EPOCHAL_HOME and a git identity.

    The reader's GitHub repository, https://github.com/you/digits.git, is empty and stored in a local folder.
    """
    own, github = tmp_path / "reader", tmp_path / "github"
    for folder in (own / "bin", github / "digits.git"):
        folder.mkdir(parents=True)
    git(github / "digits.git", "init", "--quiet", "--bare", "--initial-branch=main")
    (own / ".gitconfig").write_text(
        '[user]\nname = "Ada"\nemail = "ada@example.com"\n[init]\ndefaultBranch = "main"\n[epochal]\nretries = 0\n'
        f'[url "{github}/"]\ninsteadOf = "https://github.com/you/"\n',
        encoding="utf-8",
    )
    epochal = own / "bin" / "epochal"
    epochal.write_text(f'#!/bin/sh\nexec {shlex.quote(str(warm_epochal()))} -m epochal "$@"\n', encoding="utf-8")
    epochal.chmod(0o755)
    kept = {"EPOCHAL_BASE_IMAGE", "EPOCHAL_CA_BUNDLE"}
    left_out = ("EPOCHAL_", "GIT_", "PYTHON", "XDG_")
    environment = {name: value for name, value in os.environ.items() if name in kept or not name.startswith(left_out)}
    return environment | {
        "PATH": f"{own / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(own),
        "EPOCHAL_HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(own / ".gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "EDITOR": "true",
    }


@pytest.fixture
def jenkins(tmp_path: Path, reader: dict[str, str]) -> Iterator[StandIn]:
    """Start a stand-in for Jenkins, with an agent on which Epochal is installed."""
    agent = {name: reader[name] for name in ("EPOCHAL_HOME", "HOME", "PATH")}
    agent |= {"EPOCHAL_SCRIPTS": str(resource("scripts"))}
    standin = StandIn(tmp_path / "jenkins", dict(pinned_plugins()), agent).start()
    yield standin
    standin.kill()


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.docker] if page in IN_CONTAINERS else [])
        for page in PAGES
        if _has_commands(page)
    ],
)
def test_commands_run(page: str, tmp_path: Path, reader: dict[str, str], request: pytest.FixtureRequest) -> None:
    """All commands on a page succeed when they are run in order."""
    text = _read_page(page)
    if page in IN_CONTAINERS:
        request.getfixturevalue("docker_host")
    else:
        reader["EPOCHAL_RUNTIME"] = "process"
    if JENKINS in text:
        text = text.replace(JENKINS, request.getfixturevalue("jenkins").url)
        reader["EPOCHAL_JENKINS_TOKEN"] = TOKEN
    commands = _script_of(text)
    assert "epochal serve" not in commands or "port = 8787" in text, "the page has to name the port: it is replaced"
    script, folder = tmp_path / page.replace("/", "-"), tmp_path / "empty"
    script.write_text(commands, encoding="utf-8")
    folder.mkdir()
    session = subprocess.Popen(
        ["bash", "-euxo", "pipefail", str(script)],
        cwd=folder,
        env=reader,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = session.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(session.pid, signal.SIGKILL)
        output, _ = session.communicate()
        pytest.fail(f"{page} took more than {SECONDS:g} s:\n{output}")
    assert session.returncode == 0, output


@pytest.mark.parametrize("page", PAGES)
def test_all_commands_are_run_or_say_why_not(page: str) -> None:
    """Commands are in sh blocks. A block that is not run has one of REASONS directly above it."""
    text = _read_page(page)
    blocks = _read_blocks(text)
    assert not {block.language for block in blocks} & {"bash", "console", "shell"}
    reasons = [block.reason for block in blocks if block.language == "sh" and block.reason]
    assert set(reasons) <= REASONS
    assert len(reasons) == text.count("<!-- not run")


def test_a_page_whose_command_fails_is_seen(tmp_path: Path, reader: dict[str, str]) -> None:
    """The session ends at the failing command and names its line in the page."""
    page = "# Title\n\n```toml\n# a/b.toml\nx = 1\n```\n\n```sh\ncat a/b.toml\nfalse\necho never\n```\n"
    script = tmp_path / "page"
    script.write_text(_script_of(page), encoding="utf-8")
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", str(script)],
        cwd=tmp_path,
        env=reader,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "# a/b.toml\nx = 1\n")
    assert "+ line 10: false" in done.stderr.splitlines()


@pytest.mark.parametrize("page", [*PAGES, "CHANGELOG.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(page: str) -> None:
    """Every relative link leads to a file in the repository, and every anchor to a heading on its page."""
    broken = []
    for link in _read_links(page):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        path = TOP / page if not target else (TOP / page).parent / target
        if not path.exists() or (anchor and anchor not in _read_anchors(path)):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("page", DOCS)
def test_a_page_fits_two_screens(page: str) -> None:
    """A page answers one question. If it grows too long, cut it or split it by question."""
    assert _count_lines(_read_page(page)) <= MOST_LINES


def test_comments_are_not_counted() -> None:
    """Readers do not see comments, and table rows are taller than lines of text."""
    text = "# Title\n\n<!-- for the test of this page:\n```sh\ntrue\n```\n-->\n| a | b |\n" + f"| {'c' * 120} |\n"
    assert _count_lines(text) == 2 + 2 + 3


def test_index_lists_every_page() -> None:
    """docs/index.md links to every other page in docs/ exactly once."""
    linked = [f"docs/{link}" for link in _read_links("docs/index.md") if not link.startswith("..")]
    assert sorted(linked) == sorted(set(DOCS) - {"docs/index.md"})
