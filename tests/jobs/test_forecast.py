"""The forecast in the jobs: a learning curve that levels off too low ends the run, and every report says so."""

import email
import email.policy
from pathlib import Path

from epochal.app import App
from epochal.errors import Reason
from epochal.records import State
from epochal.store.outbox import message_of_run
from tests.jobs.chain import environment_of, epochal, epochal_json, train_commit

# Writes what the recorder would write about a fit that saturates at 0.80 in validation, 0.03 above the test accuracy.
_LEVELS_OFF = """
import json, math, os
epochs = 60
with open(os.environ["EPOCHAL_OUT"] + "/metrics.jsonl", "w") as file:
    def tell(event, **more):
        print(json.dumps({"event": event, "model": 1, "call": 1, "epochs": epochs} | more), file=file)
    tell("fit", continued=0, why="", history={})
    for epoch in range(1, epochs + 1):
        accuracy = 0.80 - 0.6 * math.exp(-epoch / 5) + 0.004 * (-1) ** epoch
        tell("epoch", epoch=epoch, seconds=0.1, metrics={"val_accuracy": accuracy})
    tell("fitted", epoch=epochs)
print("Test accuracy:", accuracy - 0.03)
"""


def test_run_that_levels_off_gets_no_more_epochs(home: Path, tmp_path: Path) -> None:
    """The run ends after its first trial. The job's output, show, history, --json and the email say where it levels off."""
    result = train_commit(home, tmp_path, {"nn.py": _LEVELS_OFF, "epochal.toml": "threshold = 0.8\n"})
    assert (result.run.state, result.run.reason, len(result.run.trials)) == (State.EXHAUSTED, Reason.LEVELS_OFF, 1)
    (shown,) = epochal_json(home, "show", "1")["trials"]
    forecast = shown["forecast"]
    assert forecast["hopeless"]
    assert (forecast["threshold"], forecast["last_epoch"], round(forecast["level"], 2)) == (0.8, 200, 0.77)
    level = f"at 0.77 ± {forecast['margin']:.2f}"
    sentence = f"levels off {level} and will not reach 0.80, even with more epochs"
    assert forecast["sentence"] == sentence
    assert f"trial 1: forecast of the accuracy that counts: {sentence}\n" in result.printed["train"]
    assert sentence in epochal(home, "show", "1").stdout
    assert f"levels_off {level}" in epochal(home, "history").stdout
    app = App.open(environment_of(home))
    message = message_of_run(app.database, 1)
    app.database.close()
    assert message is not None
    mail = email.message_from_bytes(message.content, policy=email.policy.default).get_body(("plain",))
    assert mail is not None
    assert f"The accuracy {sentence}." in " ".join(mail.get_content().split())
