"""Recognise that a model was evaluated even though its fit had raised an exception that the script caught."""

from collections.abc import Sequence

from epochal.errors import Reason
from epochal.results.accuracy import Findings
from epochal.results.diagnosis import describe_swallowed_fit, explain_swallowed_fit
from epochal.results.ending import FailedFit
from epochal.results.own_gate import is_own_statement
from epochal.results.remedies import Origin


def find_swallowed_fit(
    failed_fits: Sequence[FailedFit], findings: Findings, origin: Origin
) -> tuple[Reason, str] | None:
    """Return why the fit of the evaluated model failed, and what to do about it; None if it did not fail.

    A fit does not count as failed if a later fit of the same model finished, or if the script itself raised the
    exception after at least one epoch, to stop the fit on purpose.
    """
    measured = max(findings.recorded.measurements, key=lambda each: each.at, default=None)
    for failed in reversed(failed_fits):
        is_measured = measured is None or (failed.key is not None and measured.model == f"model {failed.key[0]}")
        if is_measured and _left_untrained(failed, findings, origin):
            return explain_swallowed_fit(failed.raised, origin)
    return None


def describe_last_swallowed_fit(failed_fits: Sequence[FailedFit], findings: Findings, origin: Origin) -> str:
    """Return a sentence about the last fit that failed, whether or not its model was evaluated; empty if no fit failed."""
    failed = (each for each in reversed(failed_fits) if _left_untrained(each, findings, origin))
    return next((describe_swallowed_fit(each.raised, origin) for each in failed), "")


def _left_untrained(failed: FailedFit, findings: Findings, origin: Origin) -> bool:
    """Return whether a failed fit was neither stopped on purpose nor followed by a finished fit of the same model."""
    if failed.key is None:  # scikit-learn
        return True
    model, call = failed.key
    fits = [fit for fit in findings.fits if fit.model == model]
    is_repeated = any(fit.ended and fit.call > call for fit in fits)
    trained = any(fit.trained for fit in fits if fit.call == call)
    return not is_repeated and not (trained and is_own_statement(failed.raised[0], origin))
