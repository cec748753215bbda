"""An earlier run's verdict, if nothing that a verdict depends on has changed since: it is not trained twice."""

from collections.abc import Mapping
from dataclasses import replace

from epochal import __version__
from epochal.analysis.fingerprint import fingerprint, listing_of, read_parts
from epochal.jobs.active_run import ActiveRun
from epochal.jobs.finish import store_end
from epochal.jobs.log import log
from epochal.jobs.plan import keep_plan
from epochal.records import Run, State, Step, Trial
from epochal.results.wording import in_words
from epochal.runtimes.workplace import data_folder
from epochal.store.ends import change_run
from epochal.store.runs import add_notes, runs_with_verdict


def reuse_verdict(active: ActiveRun) -> State | None:
    """End a run with the newest verdict on what has the same fingerprint, and return its state; None to train it.

    The verdicts of this repository count, whatever the branch; not if their trial's folder is gone, model and all.
    """
    app, own = active.app, _fingerprint(active, {})
    change_run(app.database, active.run.id, fingerprint=own)
    if active.run.trials:  # it was interrupted, and resumes
        return None
    for earlier in runs_with_verdict(app.database, active.run.commit.repository, own):
        trial = earlier.best
        if earlier.state is State.REACHED and not earlier.reached:
            continue  # stored before the gate's word was, or by mistake
        if trial is None or not app.home.run(earlier.id).trial(trial.number).path.is_dir():
            log(f"run {earlier.id} has trained the same, but its folder is gone: training anew")
        elif app.environment.force:
            log(f"run {earlier.id} has trained the same ({earlier.state}): training anyway, as --force asks for it")
            return None
        else:
            return _end_as(active, earlier, None if earlier.fingerprint == own else trial)
    return None


def keep_offer(active: ActiveRun) -> None:
    """Remember the fingerprint of the commit that adopts the change of the run's best trial: it has its verdict already."""
    best = active.load().best
    folder = active.folder.trial(best.number).change if best else None
    if folder and folder.is_dir():
        files = (path for path in folder.rglob("*") if path.is_file())
        change = {str(path.relative_to(folder)): path.read_bytes() for path in files}
        change_run(active.app.database, active.run.id, offered_fingerprint=_fingerprint(active, change))


def _end_as(active: ActiveRun, earlier: Run, only: Trial | None) -> State:
    """End a run as ``earlier`` ended, with all its trials or, if that is what the commit adopts, with ``only`` one."""
    keep_plan(active)
    add_notes(active.app.database, active.run.id, earlier.notes)
    active.mark(Step.VERDICT)
    ended = replace(
        active.load(),
        state=earlier.state,
        reason=earlier.reason,
        explanation=earlier.explanation,
        reused_run=earlier.id,
        reused_trial=only.number if only else None,
        trials=(only,) if only else earlier.trials,
    )
    assert ended.best is not None
    assert ended.best.accuracy is not None
    accuracy, threshold = in_words(ended.best.accuracy.value, active.threshold)
    log(f"verdict: {ended.state}, {accuracy} of {threshold}, taken over from run {earlier.id}")
    log("nothing that it depends on has changed, so nothing is trained; epochal run --force trains anyway")
    store_end(active.app, ended)
    return ended.state


def _fingerprint(active: ActiveRun, change: Mapping[str, bytes]) -> str:
    """Return the digest of all that the verdict depends on, if the files in ``change`` have that content.

    That is the code, how Epochal judges, where and in what it trains, what the training may use, and the server's data. Not
    what comes over a network, nor the cached datasets, which their libraries check.
    """
    plan, server = active.plan, active.app.settings
    data = data_folder(server)
    circumstances = [
        __version__,
        plan.code.detection.framework,
        plan.runtime.name,
        plan.image,
        plan.settings.model_dump_json(warnings=False),
        server.limits.model_dump_json(exclude={"trials", "engine_minutes"}),
        server.sandbox.model_dump_json(),
        f"{data} {listing_of(data)}" if data else "",
    ]
    return fingerprint([*circumstances, *read_parts(active.folder.code, change)])
