"""What a genuine Jenkins made of jobs, compared with what was rendered: tests/chains/jenkins/recorded says where from."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from epochal.chains.jenkins.comparison import differences, digest, lost, seal_of, sealed

_RECORDED = Path(__file__).parent / "recorded"


def _recorded(name: str) -> str:
    return (_RECORDED / f"{name}.xml").read_text(encoding="utf-8")


def test_what_jenkins_dropped_is_named() -> None:
    """Elements of absent plugins are gone without a word; those of the plugins that are there are not called lost."""
    assert lost(_recorded("core.rendered"), _recorded("core.kept")) == []
    everything = lost(_recorded("plugins.rendered"), _recorded("plugins.kept-without-plugins"))
    assert "hudson.plugins.git.GitSCM" in everything
    assert "hudson.plugins.timestamper.TimestamperBuildWrapper" in everything
    some = lost(_recorded("plugins.rendered"), _recorded("plugins.kept-with-git-and-timestamper"))
    assert {name.split(".")[2] for name in some} == {
        "parameterizedtrigger",
        "build_timeout",
        "build__timeout",
        "jenkins",
    }


def test_a_digest_stays_while_jenkins_only_saves() -> None:
    """Saving a job again, and a plugin's new version, change nothing; another command does."""
    kept = _recorded("core.kept")
    assert digest(kept) == digest(_recorded("core.kept-after-save"))
    with_git = _recorded("plugins.kept-with-git-and-timestamper")
    assert digest(with_git) == digest(with_git.replace("git@5.9", "git@6.0"))
    assert digest(kept) != digest(kept.replace("mkdir -p out", "mkdir -p in"))


def test_differences_are_what_applying_would_change() -> None:
    """Defaults that Jenkins leaves out or adds are none; a value that was changed is one, on both sides."""
    rendered, kept = _recorded("core.rendered"), _recorded("core.kept")
    changed = kept.replace("<daysToKeep>30</daysToKeep>", "<daysToKeep>31</daysToKeep>")
    found = [str(each) for each in differences(rendered, changed) if "authToken" not in each.path]
    path = "properties/jenkins.model.BuildDiscarderProperty/strategy/daysToKeep"
    assert found == [f"  - {path}: 31\n  + {path}: 30"]


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"])))
def test_the_seal_is_found_again_behind_any_description(description: str) -> None:
    """Whatever a description says, its seal is read back, and the seal is not part of what it seals."""
    from xml.sax.saxutils import escape

    xml = f"<project><description>{escape(description)}</description><quietPeriod>0</quietPeriod></project>"
    once = sealed(xml)
    seal = seal_of(once)
    assert seal is not None
    assert (seal.rendered, seal.kept) == (digest(xml), None)
    assert digest(once) == digest(xml)
    again = seal_of(sealed(xml, "0" * 16))
    assert again is not None
    assert again.kept == "0" * 16
    assert seal_of(xml) is None
