"""Environment variables that keep libraries from opening windows and, without a network, from contacting servers."""

import os

_NO_WINDOW = {"MPLBACKEND": "Agg"}
"""With this backend, Matplotlib draws only to files, and its ``show()`` returns at once."""

_OFFLINE = {
    "CLEARML_OFFLINE_MODE": "1",
    "COMET_GET_OR_ADD_EXPERIMENT_RETRY_TOTAL": "0",
    "COMET_HTTP_SESSION_RETRY_TOTAL": "0",
    "COMET_START_ONLINE": "false",
    "NEPTUNE_MODE": "offline",
    "SWANLAB_MODE": "offline",
    "WANDB_MODE": "offline",
}
"""Settings for experiment trackers that contact a server by default.

MLflow, TensorBoard, Aim and DVCLive write to the working folder by default, so they need no variable. Comet's
``Experiment()`` cannot work offline: it tries to reach the server (for half a minute, or only once if retries are
disabled), and then logs nothing.
"""

_NO_KEY = {"COMET_API_KEY": "offline"}
"""Without an API key, Comet's ``Experiment()`` ends the script. The admin's key is not passed to the script."""


def library_variables(*, network: bool) -> dict[str, str]:
    """Return the environment variables for training. ``network``: whether training may use the network.

    Values set in Epochal's own environment take precedence, except for API keys. The script may change any variable.
    """
    variables = _NO_WINDOW if network else _NO_WINDOW | _OFFLINE
    return {name: os.environ.get(name, value) for name, value in variables.items()} | ({} if network else _NO_KEY)
