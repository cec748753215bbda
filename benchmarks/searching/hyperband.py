"""Search with Keras Tuner's Hyperband, as in its documentation, until a model reaches the threshold on the test data."""

import sys
import tempfile

import keras
import keras_tuner
from network import images, network
from told import EPOCHS, SEED, SPACE, is_reached

training, validation, test = images()


class Digits(keras_tuner.HyperModel):
    """The model of nn.py, with its constants as hyperparameters."""

    def build(self, hp):
        """Build a model. The batch size is chosen here as well, but used in ``fit``."""
        keras.utils.set_random_seed(SEED)
        values = {name: _chosen(hp, name, range_) for name, range_ in SPACE.items()}
        del values["batch_size"]
        return network(**values)

    def fit(self, hp, model, *args, **kwargs):
        """Train the model, and end the search if it reaches the threshold."""
        history = model.fit(*args, batch_size=hp.get("batch_size"), **kwargs)
        if is_reached(model, test):
            sys.exit()
        return history


def _chosen(hp, name, values):
    if "choices" in values:
        return hp.Choice(name, values["choices"])
    sampling = "log" if values.get("log") else "linear"
    choose = hp.Int if isinstance(values["low"], int) else hp.Float
    return choose(name, values["low"], values["high"], sampling=sampling)


with tempfile.TemporaryDirectory() as folder:
    tuner = keras_tuner.Hyperband(
        Digits(),
        objective="val_accuracy",
        max_epochs=EPOCHS,
        factor=3,
        hyperband_iterations=1000,
        seed=SEED,
        directory=folder,
    )
    tuner.search(*training, validation_data=validation, verbose=0)
