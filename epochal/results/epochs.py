"""Count the epochs that a trial actually ran, from the recorder's events and the script's output. No I/O."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from epochal.records import Fit
from epochal.results.metrics import PARSE_ERRORS, parse_events, parse_fits, read_count

# "Epoch 3/10", "Epoch [3/10]", "[epoch 3]", "Train Epoch: 3 [0/60000]", even after a log prefix; not "best epoch: 3".
_PRINTED_EPOCH = re.compile(
    r"(?:^|[\r\n]|[\[(|]\s*|(?:INFO|DEBUG)\b[^\n]{0,40}?[\s:\]-])[^\w\n]{0,8}(?:train(?:ing)?\s+)?epochs?"
    r"[\s:=#\[(]{1,4}(?P<number>\d{1,6})(?![.\d])(?:\s*(?:/|of)\s*(?P<all>\d{1,6}))?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class TrainedEpochs:
    """The number of epochs that a trial ran.

    ``total``: the number of epochs in all fits; if a fit resumed from a checkpoint, the epochs before it count too.
    ``targets``: the numbers of epochs that the script may have asked for. ``are_iterations``: whether the numbers count
    boosting rounds or iterations instead of epochs; each estimator may then have its own limit. ``converged``: whether
    every estimator stopped before its limit. ``is_asked``: whether ``targets`` is certain to contain the number that
    the script asked for, even if training stopped early.
    """

    total: int
    targets: frozenset[int]
    are_iterations: bool = False
    converged: bool = False
    is_asked: bool = False


def count_epochs(metrics_jsonl: str, output: str) -> TrainedEpochs | None:
    """Return how many epochs a trial ran; None if neither the recorder's events nor the script's output shows it.

    ``metrics_jsonl``: the recorder's events. ``output``: the script's output, which may have lines like "Epoch 3/10".
    """
    if fits := parse_fits(metrics_jsonl):
        return _count_fits(fits)
    return _count_printed(output) or _count_iterations(metrics_jsonl)


def _count_fits(fits: Sequence[Fit]) -> TrainedEpochs:
    total = sum(fit.last_epoch for fit in fits)
    # The script may loop over the epochs itself and run a single epoch in each of many fits.
    passes = {
        model: sum(fit.target_epoch for fit in fits if fit.model == model) for model in {fit.model for fit in fits}
    }
    targets = frozenset({total, *passes.values(), *(fit.target_epoch for fit in fits)})
    return TrainedEpochs(total, targets, is_asked=True)


def _count_iterations(metrics_jsonl: str) -> TrainedEpochs | None:
    counts = []
    for event in parse_events(metrics_jsonl):
        try:
            if event["event"] == "iterations":
                counts.append((read_count(event["trained"]), read_count(event["limit"])))
        except PARSE_ERRORS:
            continue
    if not counts:
        return None
    converged = all(trained < limit for trained, limit in counts)
    limits = frozenset(limit for _, limit in counts)
    return TrainedEpochs(sum(trained for trained, _ in counts), limits, are_iterations=True, converged=converged)


def _count_printed(output: str) -> TrainedEpochs | None:
    matches = list(_PRINTED_EPOCH.finditer(output))
    numbers = {int(match["number"]) for match in matches}
    if not numbers:
        return None
    total = max(numbers) + (0 in numbers)
    targets = {int(match["all"]) for match in matches if match["all"]}
    # A script that prints only every tenth epoch does not show how many it ran.
    prints_all = len(numbers) > 1 and len(numbers) == total
    if not prints_all and total not in targets:
        return None
    return TrainedEpochs(total, frozenset({total, *targets}), is_asked=bool(targets))
