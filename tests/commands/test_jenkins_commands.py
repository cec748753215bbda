"""epochal jenkins, as it is typed."""

from pathlib import Path

from epochal.chains.jenkins.plugins import pinned_plugins
from tests.chains.jenkins.standin import TOKEN, USER, StandIn
from tests.jobs.chain import epochal


def test_apply_preview_and_delete(home: Path, tmp_path: Path) -> None:
    """What is missing is said with status 1, what is not set with 2; applied twice, previewed, deleted with 0."""
    told = epochal(home, "jenkins", "apply")
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith("epochal: Jenkins: set [jenkins] url in server.toml")
    plugins = pinned_plugins()
    standin = StandIn(tmp_path / "jenkins", {name: plugins[name] for name in plugins if name != "git"}, {}).start()
    lines = [
        "[jenkins]",
        f'url = "{standin.url}"',
        f'user = "{USER}"',
        "[[repository]]",
        'url = "https://github.com/ada/digits.git"',
    ]
    (home / "server.toml").write_text("\n".join(lines), encoding="utf-8")

    def typed(*arguments: str) -> tuple[int, str]:
        done = epochal(home, "jenkins", *arguments, EPOCHAL_JENKINS_TOKEN=TOKEN)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout + done.stderr

    status, text = typed("apply")
    assert (status, "git:5.7.0" in text, standin.jobs) == (1, True, {})
    assert typed("apply", "--without", "git")[0] == 0
    assert "nothing to change" in typed("apply", "--without", "git")[1]
    status, text = typed("apply", "--dry-run", "--without", "git", "--without", "timestamper")
    assert (status, "job pull: changed" in text) == (0, True)
    assert "Timestamper" in standin.jobs["pull"]
    assert typed("delete")[0] == 0
    assert standin.jobs == {}
    standin.stop()
    status, text = typed("check")
    assert (status, text.splitlines()[0].startswith("reachable: no")) == (1, True)
