"""Reading the pushed code: script, framework and removed APIs."""

from pathlib import Path

import pytest

from epochal.analysis.code import read_code
from epochal.analysis.detection import Detection

_SCRIPT = "import helpers\nfrom keras.optimizers import Adam\n\nepochs = 20\nAdam(lr=0.1)\n"


def test_code_is_read_as_a_whole(tmp_path: Path) -> None:
    """The result has the script and its epochs, the modules that must be importable, and the calls removed from Keras."""
    (tmp_path / "nn.py").write_text(_SCRIPT)
    (tmp_path / "helpers.py").write_text("import numpy\n")
    code = read_code(tmp_path)
    assert code.detection == Detection("keras", "nn.py line 2 imports keras", ("keras.optimizers", "numpy"))
    assert code.script.content == _SCRIPT.encode()
    assert [epochs.number for epochs in code.script.epochs] == [20]
    assert [(removed.line, removed.what) for removed in code.removed_apis] == [(5, "Adam(lr=…)")]
    assert code.leaks == ()


def test_call_that_copies_rows_before_the_split_is_read(tmp_path: Path) -> None:
    """The call's line can then explain why an accuracy was refused."""
    (tmp_path / "nn.py").write_text(
        "from sklearn.model_selection import train_test_split\nfrom sklearn.utils import resample\n"
        "rows = resample(rows)\ntrain, test = train_test_split(rows)\n"
    )
    (copied,) = read_code(tmp_path).leaks
    assert (copied.path, copied.line) == ("nn.py", 3)


OLD = "old = pickle.load(open('base.pkl', 'rb'))\n"


@pytest.mark.parametrize(
    ("load", "is_found"),
    [
        ("model = keras.models.load_model('base.keras')\n", True),
        ("PATH = './base.keras'\nif os.path.exists(PATH):\n    model = keras.models.load_model(PATH)\n", True),
        ("model = pickle.load(open('base.pkl', 'rb'))\n", True),
        ("model = keras.models.load_model('best.keras')\n", False),  # written by the script itself
        ("rows = pickle.load(open('rows.csv', 'rb'))\n", False),
        ("import joblib\nx, y = joblib.load('base.pkl')\n", False),
        ("import joblib\nprint(joblib.load('base.pkl').predict(x))\n", True),
        ("import joblib\nmodel.load_state_dict(joblib.load('base.pkl'))\n", True),
        (
            "class Model:\n    def load(self, path):\n        self.scaler, self.model = pickle.load(open(path, 'rb'))\n"
            "    def train(self):\n        self.model.partial_fit(x, y)\nModel().load(HERE / 'base.pkl')\n",
            True,
        ),
        (
            "class Model:\n    def __init__(self, path):\n        self.model = pickle.load(open(path, 'rb'))\n"
            "    def train(self):\n        self.model.partial_fit(x, y)\nModel('base.pkl').train()\n",
            True,
        ),
        (
            "class Model:\n    def __init__(self, path):\n        self.model = pickle.load(path) if path.exists() else SVC()\n"
            "    def train(self):\n        self.model.partial_fit(x, y)\nModel(HERE / 'base.pkl').train()\n",
            True,
        ),
        (
            "model = (os.path.exists('base.pkl') and pickle.load(open('base.pkl', 'rb'))) or SVC()\nmodel.score(x, y)\n",
            True,
        ),
        (
            "def restore(path):\n    return pickle.load(path) if path.exists() else SVC()\n"
            "model = restore(HERE / 'base.pkl')\nmodel.predict(x)\n",
            True,
        ),
        ("scaler = pickle.load(open('base.pkl', 'rb')) if old else Scaler()\nx = scaler.transform(x)\n", False),
        ("model = FrozenEstimator(pickle.load(open('base.pkl', 'rb')))\n", True),
        ("old = pickle.load(open('base.pkl', 'rb'))\nmodel = VotingClassifier([('old', old)])\n", True),
        ("old = pickle.load(open('base.pkl', 'rb'))\nx = np.hstack([x, old.decision_function(x)])\n", True),
        ("old = pickle.load(open('base.pkl', 'rb'))\nwiden = lambda x: [*x, old.predict(x)]\nx = widen(x)\n", True),
        ("old = pickle.load(open('base.pkl', 'rb'))\nmodel.fit(x, y, coef_init=old.coef_)\n", True),
        ("scaler = pickle.load(open('base.pkl', 'rb'))\nx = scaler.transform(x) / scaler.scale_\n", False),
        ("path = HERE / 'old' / 'last.weights.h5'\nif path.exists():\n    model.load_weights(path)\n", True),
        ("model.load_weights(os.path.join(FOLDER, 'last.weights.h5'))\nmodel.save('last.weights.h5')\n", True),
        ("for fold in range(3):\n    model.load_weights(f'older/{fold}.h5')\n", False),
        ("model.load_weights(f'old/{name}.weights.h5')\n", True),
        ("model.load_weights(sorted(HERE.glob('old/*.h5'))[-1])\n", True),
        ("model.load_weights(str(HERE / NAME) + '.weights.h5')\n", True),
        ("def restore(path):\n    return keras.models.load_model(path)\nmodel = restore(HERE / 'base.keras')\n", True),
        ("def restore(path=HERE / 'base.keras'):\n    return keras.models.load_model(path)\nrestore()\n", True),
        ("def restore(path):\n    return keras.models.load_model(path)\nmodel = restore(HERE / 'best.keras')\n", False),
        ("def restore(path):\n    return pickle.load(open(path, 'rb'))\nrestore('base.pkl').predict(x)\n", True),
        ("def load_model(path):\n    return pickle.load(open(path, 'rb'))\nload_model('base.pkl').predict(x)\n", True),
        ("def restore(path):\n    return pickle.load(open(path, 'rb'))\nx = restore('base.pkl')[0]\n", False),
        ("with open(HERE / 'base.pkl', 'rb') as file:\n    model = pickle.load(file)\nmodel.predict(x)\n", True),
        (
            "old = pickle.load(open('base.pkl', 'rb'))\nprint('same', (old.predict(x) == model.predict(x)).mean())\n"
            "print('accuracy', model.score(x, y))\n",
            False,
        ),
        ("old = pickle.load(open('base.pkl', 'rb'))\nprint('accuracy', old.score(x, y))\n", True),
        (
            OLD
            + "before = old.score(x, y)\nprint(before)\nafter = model.score(x, y)\nprint(f'{after} {after - before}')\n",
            False,
        ),
        (
            OLD
            + "before = old.score(x, y)\nafter = model.score(x, y)\nif after > before:\n    pickle.dump(model, f)\n",
            False,
        ),
        (OLD + "p = old.predict(x)\nbefore = (p == y).mean()\ngain = model.score(x, y) - before\nprint(gain)\n", False),
        (OLD + "logging.info('old: %.3f', old.score(x, y))\nprint('accuracy', model.score(x, y))\n", False),
        (OLD + "_, before = old.evaluate(x, y)\nlogger.debug(before)\nprint('accuracy', model.score(x, y))\n", False),
        (OLD + "before = old.score(x, y)\nif before > 0.5:\n    grow(model)\nmodel.score(x, y)\n", True),
        (OLD + "p = old.predict(x)\nmodel.fit(np.c_[x, p], y)\nprint('accuracy', model.score(x, y))\n", True),
        (OLD + "after = model.score(x, y)\nbefore = old.score(x, y)\nprint(before)\n", True),
        (OLD + "before = old.score(x, y)\nafter = model.score(x, y)\njson.dump(max(before, after), f)\n", True),
        (OLD + "before = old.score(x, y)\nif before > model.score(x, y):\n    model = old\n", True),
        ("model.save(HERE / 'base.keras')\nmodel = keras.models.load_model(HERE / 'base.keras')\n", False),
        (
            "path = str(HERE / 'base.keras')\nkeep = keras.callbacks.ModelCheckpoint(path)\n"
            "model.fit(x, callbacks=[keep])\nmodel = keras.models.load_model(path)\n",
            False,
        ),
        (
            "path = HERE / 'base.keras'\nkeep = keras.callbacks.ModelCheckpoint(path)\n"
            "if path.exists():\n    model = keras.models.load_model(path)\n",
            True,
        ),
        (
            "if not os.path.exists('base.keras'):\n    model.fit(x)\n    model.save('base.keras')\n"
            "model = keras.models.load_model('base.keras')\n",
            True,
        ),
        (
            "for _ in y:\n    if better:\n        model.save('base.keras')\nkeras.models.load_model('base.keras')\n",
            False,
        ),
        (
            "def keep(path):\n    model.save(path)\ndef main():\n    keep('base.keras')\n"
            "    return keras.models.load_model('base.keras')\nmain()\n",
            False,
        ),
    ],
)
def test_model_that_the_commit_contains_is_noted(load: str, is_found: bool, tmp_path: Path) -> None:
    """Nobody can tell which rows a committed model was trained on."""
    (tmp_path / "nn.py").write_text(f"import keras, os, pickle\n{load}model.fit(x, y)\n")
    (tmp_path / "old").mkdir()
    for name in ("base.keras", "base.pkl", "rows.csv", "old/last.weights.h5"):
        (tmp_path / name).touch()
    assert [leak.kind for leak in read_code(tmp_path).leaks] == ["loaded_model"] * is_found
