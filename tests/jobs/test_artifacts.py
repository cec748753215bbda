"""Linking or copying a run's files into another folder."""

import tempfile
from pathlib import Path

from epochal.jobs.artifacts import link_or_copy


def test_file_is_copied_to_another_file_system(tmp_path: Path) -> None:
    """Hard links cannot cross file systems. A symbolic link that the script created stays a link."""
    source, link = tmp_path / "model.keras", tmp_path / "link"
    source.write_text("weights")
    link.symlink_to("/etc/hostname")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = Path(name)
        assert folder.stat().st_dev != tmp_path.stat().st_dev
        link_or_copy(source, folder / "model.keras")
        link_or_copy(link, folder / "link")
        assert (folder / "model.keras").read_text() == "weights"
        assert str((folder / "link").readlink()) == "/etc/hostname"
