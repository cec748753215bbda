"""The ``epochal jenkins`` commands, run as a user would run them."""

from pathlib import Path

from epochal.chains.jenkins.plugins import pinned_plugins
from tests.chains.jenkins.standin import TOKEN, USER, StandIn
from tests.jobs.chain import epochal


def test_exit_status_of_apply_delete_and_check(home: Path, tmp_path: Path) -> None:
    """The status is 2 for missing settings, 1 for a missing plugin or an unreachable Jenkins, and 0 otherwise."""
    refused = epochal(home, "jenkins", "apply")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("epochal: Jenkins: set [jenkins] url in server.toml")
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

    def run_jenkins_command(*arguments: str) -> tuple[int, str]:
        done = epochal(home, "jenkins", *arguments, EPOCHAL_JENKINS_TOKEN=TOKEN)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout + done.stderr

    status, text = run_jenkins_command("apply")
    assert (status, "git:5.7.0" in text, standin.jobs) == (1, True, {})
    assert run_jenkins_command("apply", "--without", "git")[0] == 0
    assert "nothing to change" in run_jenkins_command("apply", "--without", "git")[1]
    status, text = run_jenkins_command("apply", "--dry-run", "--without", "git", "--without", "timestamper")
    assert (status, "job pull: changed" in text) == (0, True)
    assert "Timestamper" in standin.jobs["pull"]
    assert run_jenkins_command("delete")[0] == 0
    assert standin.jobs == {}
    standin.stop()
    status, text = run_jenkins_command("check")
    assert (status, text.splitlines()[0].startswith("reachable: no")) == (1, True)
