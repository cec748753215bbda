"""A run's files somewhere else."""

import tempfile
from pathlib import Path

from epochal.jobs.artifacts import link_or_copy


def test_a_file_for_another_file_system_is_copied(tmp_path: Path) -> None:
    """Where no link can be made; a link that a script left stays a link."""
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
