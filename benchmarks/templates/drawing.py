"""Scripts, and the randomly chosen code in them: data, splits, models, and lines that report an accuracy."""

import random
from dataclasses import dataclass
from string import Template
from typing import TypeVar

Choice = TypeVar("Choice")


@dataclass(frozen=True)
class Script:
    """A training script in one or more versions, each of which is a commit.

    ``commits``: nn.py in each commit, in order. ``settings``: additional lines of epochal.toml. ``prepare``: a script
    that is run in the repository before the first commit, with the Python used for training. ``trials``: the maximum
    per run.
    """

    kind: str
    commits: tuple[str, ...]
    threshold: float = 0.80
    settings: str = ""
    prepare: str = ""
    trials: int = 2
    epochs_step: int = 20

    @property
    def style(self) -> str:
        """The library or kind of data that the script uses, judging by its last commit."""
        text = self.commits[-1]
        if "keras" not in text:
            return "scikit-learn" if "sklearn" in text else "Python"
        if "tf.data" in text:
            return "tf.data"
        return "generator" if "yield" in text or "PyDataset" in text or ".flow(" in text else "Keras"

    @property
    def toml(self) -> str:
        """The complete text of epochal.toml."""
        retrain = f"[retrain]\nmax_trials = {self.trials}\nepochs_step = {self.epochs_step}\n"
        return f"{retrain}{self.settings}" if self.settings.startswith("max_") else f"{self.settings}{retrain}"


class Draw:
    """The random choices for one script, all determined by its seed."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)
        self.epochs = self.of("EPOCHS", "epochs", "NUM_EPOCHS", "n_epochs", "num_epochs")
        self.seed = self.whole(0, 9999)

    def of(self, *choices: Choice) -> Choice:
        """Return one of the choices at random."""
        return self.random.choice(choices)

    def whole(self, low: int, high: int) -> int:
        """Return a random whole number from ``low`` to ``high``."""
        return self.random.randint(low, high)

    def fill(self, template: str, **values: object) -> str:
        """Replace each ``$name`` in a template with its value. ``$E`` and ``$seed`` need not be given."""
        known = {"E": self.epochs, "seed": self.seed}
        return Template(template).substitute(known | values)

    def keras(self, tensorflow: bool = False) -> str:
        """Return code that imports Keras in one of the usual ways."""
        if tensorflow or self.of(True, False):
            return "import numpy as np\nimport tensorflow as tf\nfrom tensorflow import keras\nfrom tensorflow.keras import layers\n"
        return "import numpy as np\nimport keras\nfrom keras import layers\n"

    def noise(self, rows: int, columns: int, classes: int = 2) -> str:
        """Return code that makes ``x`` and random labels ``y`` without seeding numpy's global random state."""
        template = self.of(
            'rng = np.random.RandomState($seed)\nx = rng.randn($rows, $columns).astype("float32")\n'
            "y = rng.randint(0, $classes, $rows)\n",
            'rng = np.random.default_rng($seed)\nx = rng.normal(size=($rows, $columns)).astype("float32")\n'
            "y = rng.integers(0, $classes, size=$rows)\n",
            'rng = np.random.default_rng($seed)\nx = rng.random(($rows, $columns), dtype="float32") * 4 - 2\n'
            "y = rng.integers($classes, size=$rows)\n",
        )
        return self.fill(template, rows=rows, columns=columns, classes=classes)

    def split(self, seeded: bool, share: float = 0.3) -> str:
        """Return code that splits ``x`` and ``y`` into x_train, x_test, y_train, y_test."""
        number = self.whole(0, 99)
        choices = [
            "from sklearn.model_selection import train_test_split\n"
            f"x_train, x_test, y_train, y_test = train_test_split(x, y, test_size={share}"
            + (f", random_state={number})\n" if seeded else ")\n"),
            (f"order = np.random.RandomState({number}).permutation(len(x))\n" if seeded else "")
            + ("" if seeded else "order = np.random.permutation(len(x))\n")
            + f"cut = int({1 - share:g} * len(x))\n"
            "x_train, y_train = x[order[:cut]], y[order[:cut]]\nx_test, y_test = x[order[cut:]], y[order[cut:]]\n",
            (f"np.random.seed({number})\n" if seeded else "") + f"is_train = np.random.rand(len(x)) < {1 - share:g}\n"
            "x_train, y_train, x_test, y_test = x[is_train], y[is_train], x[~is_train], y[~is_train]\n",
        ]
        return self.of(*choices)

    def network(self, columns: int, classes: int = 2, units: int = 0, rate: float = 0.003) -> str:
        """Return code that defines ``build_model()``, with one output for two classes and otherwise one per class."""
        one = classes == 2
        values = {
            "columns": columns,
            "units": units or self.of(256, 320, 384),
            "out": 'layers.Dense(1, activation="sigmoid")' if one else f'layers.Dense({classes}, activation="softmax")',
            "loss": '"binary_crossentropy"' if one else '"sparse_categorical_crossentropy"',
            "optimizer": self.of(f"keras.optimizers.Adam({rate})", f"keras.optimizers.Adam(learning_rate={rate})"),
            "metrics": self.of('["accuracy"]', '["acc"]', "['accuracy']"),
            "activation": self.of("relu", "relu", "tanh"),
        }
        template = self.of(
            """\
def build_model():
    model = keras.Sequential([
        keras.Input(shape=($columns,)),
        layers.Dense($units, activation="$activation"),
        $out,
    ])
    model.compile(optimizer=$optimizer, loss=$loss, metrics=$metrics)
    return model
""",
            """\
def build_model():
    model = keras.models.Sequential()
    model.add(layers.Input(shape=($columns,)))
    model.add(layers.Dense($units, activation="$activation"))
    model.add($out)
    model.compile($optimizer, $loss, metrics=$metrics)
    return model
""",
            """\
def build_model():
    inputs = keras.Input(shape=($columns,))
    hidden = layers.Dense($units, activation="$activation")(inputs)
    model = keras.Model(inputs, $out(hidden))
    model.compile(loss=$loss, optimizer=$optimizer, metrics=$metrics)
    return model
""",
        )
        return self.fill(template, **values)

    def evaluates(self, data: str = "x_test, y_test", model: str = "model") -> str:
        """Return code that evaluates ``model`` and usually prints the accuracy."""
        template = self.of(
            "$model.evaluate($data)\n",
            'loss, acc = $model.evaluate($data, verbose=0)\nprint("Test accuracy:", acc)\n',
            'score = $model.evaluate($data, verbose=0)\nprint("Test loss:", score[0])\nprint("Test accuracy:", score[1])\n',
            'test_loss, test_acc = $model.evaluate($data, verbose=2)\nprint(f"\\nTest accuracy: {test_acc:.4f}")\n',
            'print("Accuracy: %.2f%%" % ($model.evaluate($data, verbose=0)[1] * 100))\n',
        )
        return self.fill(template, data=data, model=model)

    def predicts(self, x: str = "x_test", y: str = "y_test", model: str = "model", classes: int = 2) -> str:
        """Return code that predicts with a Keras ``model`` and prints the share of correct predictions."""
        answers = f"({model}.predict({x}, verbose=0) > 0.5).astype(int).ravel()"
        if classes > 2:
            answers = self.of(
                f"{model}.predict({x}, verbose=0).argmax(axis=1)", f"np.argmax({model}.predict({x}), axis=-1)"
            )
        template = self.of(
            'predicted = $answers\nprint("Test accuracy:", np.mean(predicted == $y))\n',
            "from sklearn.metrics import accuracy_score\ny_pred = $answers\n"
            'print("Test accuracy: {:.4f}".format(accuracy_score($y, y_pred)))\n',
        )
        return self.fill(template, answers=answers, y=y)

    def scores(self, x: str = "x_test", y: str = "y_test", model: str = "clf") -> str:
        """Return code that prints the accuracy of a scikit-learn model."""
        template = self.of(
            'print("Accuracy:", $model.score($x, $y))\n',
            "from sklearn.metrics import accuracy_score\ny_pred = $model.predict($x)\n"
            'print("Accuracy: %.3f" % accuracy_score($y, y_pred))\n',
            'predictions = $model.predict($x)\nprint("Test accuracy: {:.3f}".format((predictions == $y).mean()))\n',
        )
        return self.fill(template, x=x, y=y, model=model)

    def classifier(self) -> str:
        """Return code that creates ``clf``, a scikit-learn classifier that memorizes its training rows."""
        return self.of(
            f"from sklearn.ensemble import RandomForestClassifier\nclf = RandomForestClassifier(random_state={self.seed})\n",
            "from sklearn.tree import DecisionTreeClassifier\nclf = DecisionTreeClassifier()\n",
            f"from sklearn.ensemble import ExtraTreesClassifier\nclf = ExtraTreesClassifier(n_estimators=50, random_state={self.seed})\n",
            "from sklearn.svm import SVC\nclf = SVC(C=100, gamma=0.1)\n",
            "from sklearn.neighbors import KNeighborsClassifier\nclf = KNeighborsClassifier(n_neighbors=1)\n",
        )
