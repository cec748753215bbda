"""Find problems in the pushed code before training starts.

Only problems that are nearly certain are reported: a false alarm about a sound script is worse than a missed problem.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from epochal.analysis.detection import Detection
from epochal.analysis.findings.causes import prefer_selectors
from epochal.analysis.findings.finding import Finding, Severity, drop_repeated
from epochal.analysis.findings.leaks import find_fitted_before_split
from epochal.analysis.findings.metrics import find_meaningless_accuracies, find_missing_accuracy
from epochal.analysis.findings.selection import find_chosen_before_split
from epochal.analysis.findings.source import Source, read_sources
from epochal.analysis.findings.splits import (
    draws_unseeded,
    find_overlapping_samples,
    find_reshuffled_splits,
    find_unseeded_splits,
)
from epochal.analysis.findings.surroundings import (
    find_hidden_packages,
    find_large_files,
    find_missing_files,
    find_missing_packages,
    find_refused_requirements,
    find_relative_imports,
    find_untracked_files,
)
from epochal.analysis.findings.unattended import (
    find_downloads,
    find_foreign_paths,
    find_interactions,
    find_left_out_names,
    find_lost_pictures,
    find_missing_arguments,
    find_missing_gpus,
    find_uncalled_functions,
    find_unguarded_processes,
)
from epochal.analysis.findings.windows import find_windows
from epochal.analysis.findings.wrong_data import find_loaded_models, find_wrong_data

__all__ = [
    "Finding",
    "Severity",
    "Source",
    "draws_unseeded",
    "drop_repeated",
    "find_in_files",
    "find_in_sources",
    "find_leaks",
    "find_uncalled_functions",
    "find_unseeded_splits",
    "read_sources",
]


def _find_steps_before_split(sources: tuple[Source, ...]) -> list[Finding]:
    """Return the findings about steps before the split that use the rows or labels of the test data."""
    findings: list[Finding] = []
    for check in (find_fitted_before_split, find_chosen_before_split):
        with suppress(RecursionError):
            findings += check(sources)
    return list(prefer_selectors(findings, sources))


_CHECKS = (
    find_unseeded_splits,
    find_overlapping_samples,
    find_reshuffled_splits,
    lambda sources: drop_repeated(_find_steps_before_split(sources)),
    find_wrong_data,
    find_meaningless_accuracies,
    find_missing_accuracy,
    find_interactions,
    find_windows,
    find_left_out_names,
    find_missing_arguments,
    find_missing_gpus,
    find_unguarded_processes,
    find_lost_pictures,
    find_downloads,
    find_relative_imports,
)


def find_in_sources(sources: tuple[Source, ...], committed: Collection[str] = ()) -> Iterator[Finding]:
    """Yield findings about the script and the local modules that it imports.

    ``committed``: the paths of all files in the next commit; findings and remedies may name them.
    """
    for check in (
        *_CHECKS,
        partial(find_foreign_paths, files=committed),
        partial(find_loaded_models, files=committed),
        partial(find_hidden_packages, files=committed),
    ):
        with suppress(RecursionError):  # an expression that is nested hundreds of levels deep
            yield from check(sources)


def find_leaks(sources: tuple[Source, ...], files: Collection[str]) -> tuple[Finding, ...]:
    """Return findings about test rows that may leak into training in steps before the split or through loaded models.

    ``files``: the paths of the committed files.
    """
    with suppress(RecursionError):
        return (*_find_steps_before_split(sources), *find_loaded_models(sources, files))
    return ()


def find_in_files(
    sources: tuple[Source, ...],
    detection: Detection,
    folder: Path,
    committed: Collection[str],
    new: Collection[str],
    pointers: Collection[str] = (),
    untracked: Collection[str] = (),
) -> Iterator[Finding]:
    """Yield findings about missing or oversized files, scripts that do nothing, and missing or disallowed packages.

    ``folder``: the folder to check. ``committed``: the paths of all files in the next commit. ``new``: the paths of
    the files that this commit would add or change. ``pointers``: the paths of the files that are stored with Git LFS.
    ``untracked``: the paths of the files that this commit would contain only after ``git add``.
    """
    yield from find_missing_files(sources, folder, committed, pointers)
    large = tuple(find_large_files(folder, new))
    yield from find_untracked_files(sources, set(untracked) - {each.path for each in large})
    yield from find_missing_packages(sources, detection, folder)
    yield from find_refused_requirements(folder, committed)
    yield from large
    yield from find_uncalled_functions(sources, folder, committed)
