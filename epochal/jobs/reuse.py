"""An earlier run's verdict, where nothing that a verdict depends on has changed since: it is not trained twice."""

from dataclasses import replace

from epochal import __version__
from epochal.analysis.fingerprint import listing_of, meaning_of
from epochal.app import App
from epochal.jobs.finish import store_end
from epochal.jobs.log import log
from epochal.jobs.plan import Plan, keep_plan
from epochal.records import Run, State, Step, Trial
from epochal.results.gate import in_words
from epochal.runtimes.workplace import data_folder

_FORCE = "epochal run --force trains anyway"


def take_over(app: App, run: Run, plan: Plan) -> State | None:
    """End ``run`` with the newest verdict on what means the same, and return its state; None where it is to be trained.

    The verdicts of this repository count, whatever the branch; not where their trial's folder is gone, model and all.
    """
    meaning = _meaning(app, run, plan)
    app.store.change(run.id, meaning=meaning)
    if run.trials:  # it was interrupted, and goes on
        return None
    for earlier in app.store.verdicts_on(run.commit.repository, meaning):
        trial = earlier.best
        if earlier.state is State.REACHED and not earlier.reached:
            continue  # stored before the gate's word was, or by mistake
        if trial is None or not app.home.run(earlier.id).trial(trial.number).path.is_dir():
            log(f"run {earlier.id} has trained the same, but its folder is gone: training anew")
        elif app.environment.force:
            log(f"run {earlier.id} has trained the same ({earlier.state}): training anyway, as --force asks for it")
            return None
        else:
            return _end_as(app, earlier, run, plan, None if earlier.meaning == meaning else trial)
    return None


def keep_offer(app: App, run: Run, plan: Plan) -> None:
    """Remember what the commit that adopts the change of the run's best trial will mean: it has its verdict already."""
    best = app.store.run(run.id).best
    script = app.home.run(run.id).trial(best.number).script if best else None
    if script and script.exists():
        app.store.change(run.id, offered=_meaning(app, run, plan, script.read_bytes()))


def _end_as(app: App, earlier: Run, run: Run, plan: Plan, only: Trial | None) -> State:
    """End ``run`` as ``earlier`` ended, with all its trials or, where that is what the commit adopts, with ``only`` one."""
    keep_plan(app, run, plan, notes=list(dict.fromkeys(run.notes + earlier.notes)))
    app.store.mark(run.id, Step.VERDICT)
    ended = replace(
        app.store.run(run.id),
        state=earlier.state,
        reason=earlier.reason,
        explanation=earlier.explanation,
        taken_over=earlier.id,
        taken_trial=only.number if only else None,
        trials=(only,) if only else earlier.trials,
    )
    assert ended.best is not None
    assert ended.best.accuracy is not None
    accuracy, threshold = in_words(ended.best.accuracy, plan.threshold)
    log(f"verdict: {ended.state}, {accuracy} of {threshold}, taken over from run {earlier.id}")
    log(f"nothing that it depends on has changed, so nothing is trained; {_FORCE}")
    store_end(app, ended)
    return ended.state


def _meaning(app: App, run: Run, plan: Plan, script: bytes | None = None) -> str:
    """The digest of all that the verdict on the run's code, with ``script`` as its nn.py, depends on.

    That is how Epochal judges, where and in what it trains, what the training may use, and the server's data. Not what
    comes over a network, nor the cached datasets, which their libraries check.
    """
    settings = plan.settings.model_copy(update={"threshold": plan.threshold})
    data = data_folder(app.settings)
    circumstances = [
        __version__,
        plan.detection.framework,
        plan.runtime.name,
        plan.image,
        settings.model_dump_json(warnings=False),
        app.settings.limits.model_dump_json(exclude={"trials", "engine_minutes"}),
        app.settings.sandbox.model_dump_json(),
        f"{data} {listing_of(data)}" if data else "",
    ]
    return meaning_of(app.home.run(run.id).code, circumstances, script)
