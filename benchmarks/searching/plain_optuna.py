"""Search with Optuna, as in its examples, until a model reaches the threshold on the test data.

Arguments: ``prune`` to stop poor trials early (MedianPruner); a file name to share the study with other processes.
"""

import sys

import keras
import optuna
from network import images, network
from optuna.storages.journal import JournalFileBackend
from told import EPOCHS, SEED, SPACE, is_reached

training, validation, test = images()
prunes = "prune" in sys.argv[1:]
shared = [name for name in sys.argv[1:] if name != "prune"]


class Pruning(keras.callbacks.Callback):
    """A callback that reports each epoch, and ends the trial early if it is not worth finishing."""

    def __init__(self, trial):
        super().__init__()
        self._trial = trial

    def on_epoch_end(self, epoch, logs=None):
        """Report the accuracy, and end the trial early if other trials were better."""
        self._trial.report(logs["val_accuracy"], epoch)
        if self._trial.should_prune():
            raise optuna.TrialPruned


def objective(trial):
    """Train a model to the end and return its validation accuracy."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(SEED)
    values = {name: _suggested(trial, name, range_) for name, range_ in SPACE.items()}
    batch_size = values.pop("batch_size")
    model = network(**values)
    callbacks = [Pruning(trial)] if prunes else []
    fitted = model.fit(
        *training, batch_size=batch_size, epochs=EPOCHS, validation_data=validation, callbacks=callbacks, verbose=0
    )
    if is_reached(model, test):
        trial.study.stop()
    return fitted.history["val_accuracy"][-1]


def _suggested(trial, name, values):
    if "choices" in values:
        return trial.suggest_categorical(name, values["choices"])
    suggest = trial.suggest_int if isinstance(values["low"], int) else trial.suggest_float
    return suggest(name, values["low"], values["high"], log=values.get("log", False))


study = optuna.create_study(
    study_name="digits",
    storage=optuna.storages.JournalStorage(JournalFileBackend(shared[0])) if shared else None,
    load_if_exists=True,
    direction="maximize",
    # Processes that share a study must not draw the same values.
    sampler=optuna.samplers.TPESampler(seed=None if shared else SEED),
    pruner=optuna.pruners.MedianPruner() if prunes else optuna.pruners.NopPruner(),
)
study.optimize(objective)
