"""Rendered jobs compared with what a real Jenkins stored for them (see tests/chains/jenkins/recorded/README.md)."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from epochal.chains.jenkins.comparison import add_seal, differences, digest, missing_classes, read_seal

_RECORDED = Path(__file__).parent / "recorded"


def _read_recorded(name: str) -> str:
    return (_RECORDED / f"{name}.xml").read_text(encoding="utf-8")


def test_dropped_classes_are_listed() -> None:
    """Jenkins silently drops the elements of missing plugins. Elements of installed plugins are not listed."""
    assert missing_classes(_read_recorded("core.rendered"), _read_recorded("core.kept")) == []
    without_plugins = missing_classes(
        _read_recorded("plugins.rendered"), _read_recorded("plugins.kept-without-plugins")
    )
    assert "hudson.plugins.git.GitSCM" in without_plugins
    assert "hudson.plugins.timestamper.TimestamperBuildWrapper" in without_plugins
    with_two_plugins = missing_classes(
        _read_recorded("plugins.rendered"), _read_recorded("plugins.kept-with-git-and-timestamper")
    )
    assert {name.split(".")[2] for name in with_two_plugins} == {
        "parameterizedtrigger",
        "build_timeout",
        "build__timeout",
        "jenkins",
    }


def test_digest_changes_only_with_the_job() -> None:
    """The digest stays the same when Jenkins saves the job again or a plugin is updated."""
    stored = _read_recorded("core.kept")
    assert digest(stored) == digest(_read_recorded("core.kept-after-save"))
    with_git = _read_recorded("plugins.kept-with-git-and-timestamper")
    assert digest(with_git) == digest(with_git.replace("git@5.9", "git@6.0"))
    assert digest(stored) != digest(stored.replace("mkdir -p out", "mkdir -p in"))


def test_differences_are_the_changed_values() -> None:
    """Defaults that Jenkins adds or leaves out do not count as differences."""
    rendered, stored = _read_recorded("core.rendered"), _read_recorded("core.kept")
    changed = stored.replace("<daysToKeep>30</daysToKeep>", "<daysToKeep>31</daysToKeep>")
    found = [str(each) for each in differences(rendered, changed) if "authToken" not in each.path]
    path = "properties/jenkins.model.BuildDiscarderProperty/strategy/daysToKeep"
    assert found == [f"  - {path}: 31\n  + {path}: 30"]


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"])))
def test_seal_is_read_back_after_any_description(description: str) -> None:
    """The digest in the seal does not cover the seal itself."""
    from xml.sax.saxutils import escape

    xml = f"<project><description>{escape(description)}</description><quietPeriod>0</quietPeriod></project>"
    sealed = add_seal(xml)
    seal = read_seal(sealed)
    assert seal is not None
    assert (seal.rendered, seal.stored) == (digest(xml), None)
    assert digest(sealed) == digest(xml)
    second_seal = read_seal(add_seal(xml, "0" * 16))
    assert second_seal is not None
    assert second_seal.stored == "0" * 16
    assert read_seal(xml) is None
