"""Reuse the verdict of an earlier run with the same fingerprint, instead of training the same code again."""

from collections.abc import Mapping
from dataclasses import replace

from epochal import __version__
from epochal.analysis.fingerprint import digest_listing, fingerprint, fingerprint_parts
from epochal.analysis.outside import find_outside, is_address
from epochal.jobs.active_run import ActiveRun
from epochal.jobs.finish import store_end
from epochal.jobs.log import log
from epochal.jobs.plan import store_plan
from epochal.records import Run, State, Step, Trial
from epochal.results.wording import describe_with_threshold
from epochal.runtimes.scratch import data_folder
from epochal.store.runs import add_notes, runs_with_verdict
from epochal.store.transitions import change_run


def reuse_verdict(active: ActiveRun) -> State | None:
    """End a run with the newest verdict for its fingerprint, and return the run's state, or None if training is needed.

    The verdict may come from any branch of the repository. It is not reused if the folder of the best trial, with the
    model in it, is gone; if --force was given; or if the code may read anything that the fingerprint does not cover.
    Also store the run's fingerprint.
    """
    app, own = active.app, _fingerprint(active, {})
    change_run(app.database, active.run.id, fingerprint=own)
    if active.run.trials:  # it was interrupted and is now resumed
        return None
    for earlier in runs_with_verdict(app.database, active.run.commit.repository, own):
        trial = earlier.best
        if trial is None or (earlier.state is State.REACHED and not earlier.reached):
            continue  # an older version or a mistake ended the run without a measured trial or a verdict
        if not app.home.run(earlier.id).trial(trial.number).path.is_dir():
            log(f"the verdict of run {earlier.id} cannot be reused, because the folder of its best trial is gone")
        elif app.environment.force:
            log(
                f"the verdict of run {earlier.id} ({earlier.state}) is not reused, because --force was given or "
                "EPOCHAL_FORCE is set: training again"
            )
            return None
        elif outside := _find_outside(active):
            log(
                f"the verdict of run {earlier.id} is not reused, because the code may read {outside[0]}, which is not in "
                "the commit and may have changed: training again"
            )
            return None
        else:
            return _end_like(active, earlier, None if earlier.fingerprint == own else trial)
    return None


def store_offered_fingerprint(active: ActiveRun) -> None:
    """Store the fingerprint of the code as changed by the best trial; a commit of that code can reuse the verdict."""
    best = active.load().best
    folder = active.folder.trial(best.number).changed_files if best else None
    if folder and folder.is_dir():
        files = (path for path in folder.rglob("*") if path.is_file())
        changed_files = {str(path.relative_to(folder)): path.read_bytes() for path in files}
        change_run(active.app.database, active.run.id, offered_fingerprint=_fingerprint(active, changed_files))


def _end_like(active: ActiveRun, earlier: Run, adopted: Trial | None) -> State:
    """End the run in the same way as the run ``earlier``, and reuse that run's verdict.

    ``adopted``: the trial whose change the commit adopts, if any. If it is given, the run shows only this trial;
    otherwise, the run shows all trials of ``earlier``.
    """
    store_plan(active)
    add_notes(active.app.database, active.run.id, earlier.notes)
    active.mark(Step.VERDICT)
    ended = replace(
        active.load(),
        state=earlier.state,
        reason=earlier.reason,
        explanation=earlier.explanation,
        reused_run=earlier.id,
        reused_trial=adopted.number if adopted else None,
        trials=(adopted,) if adopted else earlier.trials,
    )
    assert ended.best is not None
    assert ended.best.accuracy is not None
    accuracy = describe_with_threshold(ended.best.accuracy.value, active.threshold)
    log(f"verdict: {ended.state}, {accuracy}, reused from run {earlier.id}")
    log("nothing that affects the verdict has changed; to train anyway, use epochal run --force")
    store_end(active.app, ended)
    return ended.state


def _find_outside(active: ActiveRun) -> list[str]:
    """Return the paths and addresses that the code may access but that the fingerprint does not cover.

    Paths are left out if training runs in a container, which can access only the commit, the image and the server's
    data folder. Addresses are left out if training has no access to the network.
    """
    runtime, data = active.plan.runtime, data_folder(active.app.settings)
    found = [
        each
        for each in find_outside(active.folder.code, active.script.files_to_train({}))
        if (runtime.has_network if is_address(each) else runtime.name == "process")
    ]
    return [each for each in found if data is None or not (f"{each}/").startswith(f"{data}/")]


def _fingerprint(active: ActiveRun, changed_files: Mapping[str, bytes]) -> str:
    """Return the digest of everything that the verdict depends on, with ``changed_files`` replacing pushed files.

    It covers the code, Epochal's version, the framework, the runtime and image, the repository's settings, the
    limits, the sandbox and the server's data folder. It covers neither downloads nor cached datasets, which are
    checked by the libraries that download them.
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
        f"{data} {digest_listing(data)}" if data else "",
    ]
    return fingerprint([*circumstances, *fingerprint_parts(active.folder.code, changed_files)])
