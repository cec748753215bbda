"""What the learning curve of a trial that stayed below its threshold promises: told, and stored with the trial."""

from epochal.jobs.job import Job, tell
from epochal.jobs.left_files import read_left_text
from epochal.jobs.training import Prepared
from epochal.metrics import parse_fits
from epochal.records import Run, TrialState
from epochal.strategies.foresight import foresee_trial


def foresee(job: Job, run: Run, prepared: Prepared) -> None:
    """Forecast the run's last measured trial, where it has a learning curve that more epochs would go on."""
    last = [trial for trial in job.store.run(run.id).trials if trial.state is TrialState.MEASURED][-1]
    folder = job.home.run(run.id)
    fits = parse_fits(read_left_text(folder.trial(last.number).metrics) or "")
    script = (folder.code / "nn.py").read_bytes()
    forecast = foresee_trial(last, fits, script, prepared.threshold, prepared.settings.retrain.max_epochs)
    if forecast:
        job.store.keep_forecast(run.id, last.number, forecast)
        tell(f"trial {last.number}: {forecast.sentence}")
