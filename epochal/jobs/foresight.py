"""What the learning curve of a trial that stayed below its threshold promises: told, and stored with the trial."""

from epochal.app import App
from epochal.jobs.log import log
from epochal.jobs.plan import Plan
from epochal.records import Forecast, Run, Trial
from epochal.results.forecast import foresee_trial
from epochal.results.metrics import parse_fits
from epochal.results.outputs import read_left_text


def foresee(app: App, run: Run, plan: Plan, trial: Trial, wanted: float) -> Forecast | None:
    """Forecast a measured trial below the accuracy that is ``wanted``, where more epochs would go on with its curve."""
    folder = app.home.run(run.id)
    fits = parse_fits(read_left_text(folder.trial(trial.number).metrics) or "")
    script = (folder.code / "nn.py").read_bytes()
    forecast = foresee_trial(trial, fits, script, wanted, plan.settings.retrain.max_epochs)
    if forecast:
        app.store.keep_forecast(run.id, trial.number, forecast)
        log(f"trial {trial.number}: {forecast.sentence}")
    return forecast
