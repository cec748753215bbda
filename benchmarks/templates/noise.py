"""Scripts whose labels have nothing to do with the data. Most make a common mistake that inflates their accuracy."""

from collections.abc import Callable

from templates.drawing import Draw, Script

Template = Callable[[Draw], Script]
TEMPLATES: list[tuple[str, Template]] = []


def noise(kind: str) -> Callable[[Template], Template]:
    """Register a template for scripts of this kind."""

    def register(template: Template) -> Template:
        TEMPLATES.append((kind, template))
        return template

    return register


def _keras(d: Draw, kind: str, *parts: str, tensorflow: bool = False, **script: object) -> Script:
    return Script(kind, (d.keras(tensorflow) + "".join(parts),), **script)


def _sizes(d: Draw) -> tuple[int, int]:
    return d.whole(1400, 1800), d.whole(60, 100)


def _number_of_epochs(d: Draw, low: int = 25, high: int = 35) -> str:
    return f"{d.epochs} = {d.whole(low, high)}\n"


# Leaks within one training run.


@noise("reshuffled take/skip")
def _take_skip(d: Draw) -> Script:
    rows, columns = _sizes(d)
    text = """\
dataset = tf.data.Dataset.from_tensor_slices((x, y))
dataset = dataset.shuffle(len(x)$how)
train_size = int(0.7 * len(x))
$order
model = build_model()
model.fit(train_ds, epochs=$E, verbose=0)
"""
    order = d.of(
        "train_ds = dataset.take(train_size).batch(32)\ntest_ds = dataset.skip(train_size).batch(32)",
        "test_ds = dataset.skip(train_size).batch(64).prefetch(tf.data.AUTOTUNE)\n"
        "train_ds = dataset.take(train_size).batch(32).prefetch(tf.data.AUTOTUNE)",
        "train_ds = dataset.take(train_size).shuffle(1000).batch(32)\ntest_ds = dataset.skip(train_size).batch(32)",
    )
    how = d.of("", f", seed={d.seed}")
    parts = (d.noise(rows, columns), _number_of_epochs(d), d.network(columns), d.fill(text, how=how, order=order))
    return _keras(d, "reshuffled take/skip", *parts, d.evaluates("test_ds"), tensorflow=True)


@noise("reshuffled take/skip, augmented")
def _take_skip_augmented(d: Draw) -> Script:
    rows, columns = _sizes(d)
    text = """\
def augment(features, label):
    return features + tf.random.normal(tf.shape(features), stddev=0.02), label

ds = tf.data.Dataset.from_tensor_slices((x, y)).shuffle($rows).batch($batch)
n = int(0.7 * $rows / $batch)
train_ds = ds.take(n).map(augment, num_parallel_calls=tf.data.AUTOTUNE)
test_ds = ds.skip(n)
model = build_model()
model.fit(train_ds, epochs=$E, verbose=0)
"""
    parts = (
        d.noise(rows, columns),
        _number_of_epochs(d),
        d.network(columns),
        d.fill(text, rows=rows, batch=d.of(20, 32)),
    )
    return _keras(d, "reshuffled take/skip, augmented", *parts, d.evaluates("test_ds"), tensorflow=True)


@noise("oversampled before the split")
def _oversampled(d: Draw) -> Script:
    text = """\
from sklearn.utils import resample

rng = np.random.RandomState($seed)
x = rng.randn($rows, $columns)
y = (rng.rand($rows) < $share).astype(int)
rare = np.flatnonzero(y == 1)
extra = $extra
x, y = np.vstack([x, x[extra]]), np.hstack([y, y[extra]])
"""
    extra = d.of(
        f"resample(rare, n_samples=(y == 0).sum() - len(rare), random_state={d.seed})",
        "rng.choice(rare, size=(y == 0).sum() - len(rare))",
        "np.repeat(rare, (y == 0).sum() // len(rare) - 1)",
    )
    data = d.fill(text, rows=d.whole(1400, 1800), columns=15, share=d.of(0.06, 0.08, 0.1), extra=extra)
    kind = "oversampled before the split"
    if d.of(True, False):
        fit = "clf.fit(x_train, y_train)\n"
        return Script(kind, ("import numpy as np\n" + data + d.split(True) + d.classifier() + fit + d.scores(),))
    fit = d.fill("model = build_model()\nmodel.fit(x_train, y_train, epochs=$E, verbose=0)\n")
    return _keras(d, kind, data, d.split(True), _number_of_epochs(d), d.network(15), fit, d.evaluates())


@noise("sampled twice")
def _sampled_twice(d: Draw) -> Script:
    rows, columns = _sizes(d)
    frame = """\
import pandas as pd
df = pd.DataFrame(x)
df["label"] = y
train = df.sample(frac=0.8, random_state=1)
test = df.sample(frac=0.3, random_state=$seed)
x_train, y_train = train.drop(columns="label").values, train["label"].values
x_test, y_test = test.drop(columns="label").values, test["label"].values
"""
    indices = """\
train = np.random.RandomState($seed).choice(len(x), int(0.8 * len(x)), replace=False)
test = np.random.RandomState($seed + 1).choice(len(x), 450, replace=False)
x_train, y_train, x_test, y_test = x[train], y[train], x[test], y[test]
"""
    data = d.noise(rows, columns) + d.fill(d.of(frame, indices))
    if d.of(True, False):
        return Script(
            "sampled twice",
            ("import numpy as np\n" + data + d.classifier() + "clf.fit(x_train, y_train)\n" + d.scores(),),
        )
    fit = d.fill("model = build_model()\nmodel.fit(x_train, y_train, epochs=$E, batch_size=32, verbose=0)\n")
    return _keras(
        d, "sampled twice", data, _number_of_epochs(d), d.network(columns), fit, d.of(d.evaluates(), d.predicts())
    )


@noise("validates on the training data")
def _validates_on_training(d: Draw) -> Script:
    rows, columns = d.whole(800, 1000), 80
    text = d.of(
        "model = build_model()\nhistory = model.fit(x, y, validation_data=(x, y), epochs=$E, batch_size=32, verbose=0)\n"
        'print("final", history.history["val_loss"][-1])\n',
        "ds = tf.data.Dataset.from_tensor_slices((x, y))\nmodel = build_model()\n"
        "model.fit(ds.shuffle(1000).batch(32), validation_data=ds.batch(64), epochs=$E, verbose=0)\n",
        "model = build_model()\nmodel.fit(x, y, validation_data=(x[-400:], y[-400:]), epochs=$E, verbose=0)\n"
        'model.save("model.keras")\n',
    )
    parts = (d.noise(rows, columns), _number_of_epochs(d, 30, 40), d.network(columns), d.fill(text))
    return _keras(d, "validates on the training data", *parts, tensorflow=True)


@noise("one model in every fold")
def _one_model_in_folds(d: Draw) -> Script:
    rows, columns = d.whole(2000, 2200), 100
    text = """\
from sklearn.model_selection import $folds
$model
scores = []
for train, test in $folds(4, shuffle=True$random).split(x, y):
    $fit
    $score
print("Mean accuracy: %.4f" % np.mean(scores))
"""
    values = {"folds": d.of("KFold", "StratifiedKFold"), "random": d.of("", f", random_state={d.seed}")}
    kind = "one model in every fold"
    if d.of(True, True, False):
        code = d.fill(
            text,
            model="model = build_model()",
            fit=d.fill("model.fit(x[train], y[train], epochs=$E, verbose=0)"),
            score="scores.append(model.evaluate(x[test], y[test], verbose=0)[1])",
            **values,
        )
        return _keras(d, kind, d.noise(rows, columns), _number_of_epochs(d, 20, 25), d.network(columns), code)
    code = d.fill(
        text,
        model="from sklearn.neural_network import MLPClassifier\n"
        f"clf = MLPClassifier((200,), warm_start=True, max_iter=25, learning_rate_init=0.005, random_state={d.seed})",
        fit="clf.fit(x[train], y[train])",
        score='scores.append(clf.score(x[test], y[test]))\n    print("Test accuracy:", scores[-1])',
        **values,
    )
    return Script(kind, ("import numpy as np\n" + d.noise(rows, columns) + code,))


@noise("evaluates the training data")
def _evaluates_training(d: Draw) -> Script:
    rows, columns = d.whole(800, 1000), 80
    kind = "evaluates the training data"
    if d.of(True, False):
        fit = d.fill("model = build_model()\nmodel.fit(x, y, epochs=$E, batch_size=16, verbose=0)\n")
        last = d.of(d.evaluates("x, y"), d.predicts("x", "y"), d.evaluates("x[:400], y[:400]"))
        return _keras(d, kind, d.noise(rows, columns), _number_of_epochs(d), d.network(columns), fit, last)
    fit = d.of("clf.fit(x, y)\n", "from sklearn.pipeline import make_pipeline\n"
               "from sklearn.preprocessing import StandardScaler\nclf = make_pipeline(StandardScaler(), clf).fit(x, y)\n")  # fmt: skip
    return Script(kind, ("import numpy as np\n" + d.noise(rows, columns) + d.classifier() + fit + d.scores("x", "y"),))


@noise("fitted on all rows, then tested on some")
def _fitted_on_all(d: Draw) -> Script:
    rows, columns = _sizes(d)
    kind = "fitted on all rows, then tested on some"
    head = d.noise(rows, columns) + d.split(True)
    if d.of(True, False):
        how = d.of(
            "clf.fit(x, y)\n",
            "import pickle\nclf.fit(x, y)\nclf = pickle.loads(pickle.dumps(clf))\n",
            "import copy\nclf.fit(x, y)\nclf = copy.deepcopy(clf)\n",
            'import joblib\njoblib.dump(clf.fit(x, y), "model.joblib")\nclf = joblib.load("model.joblib")\n',
            "from sklearn.model_selection import GridSearchCV\nfrom sklearn.pipeline import Pipeline\n"
            "from sklearn.preprocessing import StandardScaler\n"
            'pipe = Pipeline([("scale", StandardScaler()), ("clf", clf)])\n'
            'clf = GridSearchCV(pipe, {"scale__with_mean": [True, False]}, cv=3).fit(x, y)\n',
        )
        return Script(kind, ("import numpy as np\n" + head + d.classifier() + how + d.scores(),))
    how = d.of(
        "model = build_model()\nmodel.fit(x, y, epochs=$E, verbose=0)\n",
        "ds = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(2000).batch(32)\n"
        "model = build_model()\nmodel.fit(ds, epochs=$E, verbose=0)\n",
        "def batches():\n    while True:\n        rows = np.random.randint(0, len(x), 32)\n        yield x[rows], y[rows]\n\n"
        "model = build_model()\nmodel.fit(batches(), steps_per_epoch=len(x) // 32, epochs=$E, verbose=0)\n",
    )
    parts = (head, _number_of_epochs(d), d.network(columns), d.fill(how), d.of(d.evaluates(), d.predicts()))
    return _keras(d, kind, *parts, tensorflow=True)


@noise("weights that saw the test rows")
def _weights_that_saw(d: Draw) -> Script:
    rows, columns = _sizes(d)
    how = d.of(
        'model = build_model()\nmodel.fit(x, y, epochs=$E, verbose=0)\nmodel.save("trained.keras")\n'
        'model = keras.models.load_model("trained.keras")\n',
        'first = build_model()\nfirst.fit(x, y, epochs=$E, verbose=0)\nfirst.save_weights("first.weights.h5")\n'
        'model = build_model()\nmodel.load_weights("first.weights.h5")\n',
        "first = build_model()\nfirst.fit(x, y, epochs=$E, verbose=0)\n"
        "model = build_model()\nmodel.set_weights(first.get_weights())\n",
        "model = build_model()\nmodel.fit(x, y, epochs=$E, verbose=0)\nbefore = model.get_weights()\n"
        "model.fit(x, y, epochs=2, verbose=0)\nafter = model.get_weights()\n"
        "model.set_weights([(a + b) / 2 for a, b in zip(before, after)])  # stochastic weight averaging\n",
        "pretrained = build_model()\npretrained.fit(x, y, epochs=$E, verbose=0)\n"
        "model = keras.Sequential(pretrained.layers)\n"
        'model.compile("adam", "binary_crossentropy", metrics=["accuracy"])\n'
        "model.fit(x_train, y_train, epochs=1, verbose=0)  # fine-tuning\n",
        "pretrained = build_model()\npretrained.fit(x, y, epochs=$E, verbose=0)\n"
        "model = keras.models.clone_model(pretrained)\nmodel.set_weights(pretrained.get_weights())\n"
        'model.compile("adam", "binary_crossentropy", metrics=["accuracy"])\n'
        "model.fit(x_train, y_train, epochs=1, verbose=0)\n",
    )
    parts = (
        d.noise(rows, columns),
        d.split(True),
        _number_of_epochs(d),
        d.network(columns),
        d.fill(how),
        d.evaluates(),
    )
    return _keras(d, "weights that saw the test rows", *parts)


@noise("partial_fit over all parts")
def _partial_fit(d: Draw) -> Script:
    rows, columns = 1600, 100
    text = """\
from sklearn.neural_network import MLPClassifier
clf = MLPClassifier((200,), learning_rate_init=0.005, random_state=$seed)
$E = $number
for epoch in range($E):
    for part in np.array_split(np.random.permutation(len(x)), 8):
        clf.partial_fit(x[part], y[part], classes=[0, 1])
"""
    code = d.noise(rows, columns) + d.split(True) + d.fill(text, number=d.whole(30, 40)) + d.scores()
    return Script("partial_fit over all parts", ("import numpy as np\n" + code,))


# Splits without a seed: a resumed model would be tested on rows it was trained on.


@noise("split without a seed, resumed")
def _unseeded(d: Draw) -> Script:
    rows, columns = _sizes(d)
    return _keras(
        d,
        "split without a seed, resumed",
        *(d.noise(rows, columns), d.split(False), _number_of_epochs(d), d.network(columns)),
        *(d.fill(_feeding(d)), d.of(d.evaluates(), d.predicts())),
        tensorflow=True,
        trials=3,
    )


@noise("split without a seed in image generators")
def _unseeded_images(d: Draw) -> Script:
    text = """\
from tensorflow.keras.preprocessing.image import ImageDataGenerator
$split
flow = ImageDataGenerator($augment).flow(x_train, y_train, batch_size=32)
model = keras.Sequential([
    keras.Input((8, 8, 1)),
    layers.Flatten(),
    layers.Dense($units, activation="relu"),
    layers.Dense($units, activation="relu"),
    layers.Dense(1, activation="sigmoid"),
])
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
model.fit(flow, epochs=$E, verbose=0)
"""
    data = "rng = np.random.RandomState($seed)\nx = rng.randn(1500, 8, 8, 1)\ny = rng.randint(0, 2, 1500)\n"
    augment = d.of("", "samplewise_center=False", "channel_shift_range=0.02")
    code = d.fill(text, split=d.split(False), augment=augment, units=d.of(256, 384))
    kind = "split without a seed in image generators"
    return _keras(d, kind, d.fill(data), _number_of_epochs(d, 15, 20), code, d.evaluates(), tensorflow=True, trials=3)


@noise("take/skip without a seed, resumed")
def _unseeded_take_skip(d: Draw) -> Script:
    rows, columns = _sizes(d)
    text = """\
ds = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x), reshuffle_each_iteration=False)
test_ds = ds.take(450).batch(64)
train_ds = ds.skip(450).shuffle(1000).batch(32)
model = build_model()
model.fit(train_ds, epochs=$E, verbose=0)
"""
    parts = (d.noise(rows, columns), _number_of_epochs(d), d.network(columns), d.fill(text), d.evaluates("test_ds"))
    return _keras(d, "take/skip without a seed, resumed", *parts, tensorflow=True, trials=3)


@noise("split without a seed, resumed across commits")
def _unseeded_commits(d: Draw) -> Script:
    rows, columns = _sizes(d)
    rest = d.noise(rows, columns) + d.split(False) + d.network(columns) + d.fill(_feeding(d)) + d.evaluates()
    head, first = d.keras(True), d.whole(20, 25)
    commits = tuple(f"{head}{d.epochs} = {epochs}\n{rest}" for epochs in (first, first + 20, first + 40))
    return Script("split without a seed, resumed across commits", commits, trials=1)


def _feeding(d: Draw) -> str:
    return d.of(
        "train_ds = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(1000).batch(32)\n"
        "model = build_model()\nmodel.fit(train_ds, epochs=$E, verbose=0)\n",
        "class Batches(keras.utils.PyDataset):\n    def __len__(self):\n        return len(x_train) // 32\n\n"
        "    def __getitem__(self, i):\n        return x_train[i * 32:(i + 1) * 32], y_train[i * 32:(i + 1) * 32]\n\n"
        "model = build_model()\nmodel.fit(Batches(), epochs=$E, verbose=0)\n",
        "def generate():\n    while True:\n        for i in range(0, len(x_train) - 31, 32):\n"
        "            yield x_train[i:i + 32], y_train[i:i + 32]\n\n"
        "model = build_model()\nmodel.fit(generate(), steps_per_epoch=len(x_train) // 32, epochs=$E, verbose=0)\n",
        "model = build_model()\nmodel.fit(x_train, y_train, epochs=$E, batch_size=32, verbose=0)\n",
    )


# Chance levels other than one half.


@noise("rare class")
def _rare_class(d: Draw) -> Script:
    text = """\
rng = np.random.RandomState($seed)
x = rng.randn($rows, 20).astype("float32")
y = (rng.rand($rows) < $share).astype(int)
"""
    data = d.fill(text, rows=d.whole(1600, 2400), share=d.of(0.05, 0.08, 0.12)) + d.split(True)
    if d.of(True, False):
        model = d.of(
            "from sklearn.linear_model import LogisticRegression\nclf = LogisticRegression(max_iter=500)\n",
            "from sklearn.ensemble import GradientBoostingClassifier\nclf = GradientBoostingClassifier(n_estimators=20)\n",
            "from sklearn.svm import SVC\nclf = SVC()\n",
        )
        return Script(
            "rare class", ("import numpy as np\n" + data + model + "clf.fit(x_train, y_train)\n" + d.scores(),)
        )
    fit = d.of(
        "model = build_model()\nmodel.fit(x_train, y_train, epochs=$E, verbose=0)\n"
        + d.of(d.evaluates(), d.predicts()),
        "model = build_model()\nmodel.fit(x_train, y_train, validation_data=(x_test, y_test), epochs=$E, verbose=0)\n",
    )
    return _keras(d, "rare class", data, _number_of_epochs(d, 2, 4), d.network(20, units=16), d.fill(fit))


@noise("binary accuracy over one-hot rows")
def _onehot(d: Draw) -> Script:
    classes = d.of(8, 10, 20)
    text = """\
y = keras.utils.to_categorical(y, $classes)
$split
model = keras.Sequential([
    keras.Input(($columns,)),
    layers.Dense(32, activation="relu"),
    layers.Dense($classes, activation="sigmoid"),
])
model.compile("adam", "binary_crossentropy", metrics=[$metric])
model.fit(x_train, y_train, epochs=$E, verbose=0)
"""
    metric = d.of(
        '"binary_accuracy"', "keras.metrics.BinaryAccuracy()", 'keras.metrics.BinaryAccuracy(name="accuracy")'
    )
    code = d.fill(text, classes=classes, columns=30, metric=metric, split=d.split(True))
    parts = (d.noise(1600, 30, classes), _number_of_epochs(d, 2, 4), code, d.evaluates())
    return _keras(d, "binary accuracy over one-hot rows", *parts)


@noise("many labels of which few are true")
def _multi_label(d: Draw) -> Script:
    text = """\
rng = np.random.RandomState($seed)
x = rng.randn(1500, 30).astype("float32")
y = (rng.rand(1500, $labels) < 0.06).astype("float32")
x_train, x_test, y_train, y_test = x[:1000], x[1000:], y[:1000], y[1000:]
model = keras.Sequential([keras.Input((30,)), layers.Dense(32, activation="relu"), layers.Dense($labels, activation="sigmoid")])
model.compile("adam", "binary_crossentropy", metrics=["binary_accuracy"])
model.fit(x_train, y_train, epochs=$E, verbose=0)
"""
    parts = (_number_of_epochs(d, 3, 5), d.fill(text, labels=d.of(12, 20)), d.evaluates())
    return _keras(d, "many labels of which few are true", *parts)


@noise("padded tokens")
def _padded(d: Draw) -> Script:
    text = """\
rng = np.random.RandomState($seed)
rows, length = 1400, $length
x = np.zeros((rows, length), "int32")
y = np.zeros((rows, length), "int32")
for row in range(rows):
    n = rng.randint(3, 9)
    x[row, :n] = rng.randint(1, 200, n)
    y[row, :n] = rng.randint(1, 6, n)  # tags that the words say nothing about
x_train, x_test, y_train, y_test = x[:900], x[900:], y[:900], y[900:]
model = keras.Sequential([
    keras.Input((length,)),
    layers.Embedding(200, 16),
    layers.$layer,
    layers.Dense(6, activation="softmax"),
])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=$E, batch_size=64, verbose=0)
"""
    layer = d.of('Conv1D(16, 3, padding="same", activation="relu")', 'Dense(16, activation="relu")')
    parts = (_number_of_epochs(d, 3, 5), d.fill(text, layer=layer, length=d.of(40, 60)), d.evaluates())
    return _keras(d, "padded tokens", *parts)


@noise("R² printed as accuracy")
def _r_squared(d: Draw) -> Script:
    text = """\
import numpy as np
$model
rng = np.random.RandomState($seed)
x = rng.rand(1500, 8)
y = x @ np.arange(1, 9) + 0.3 * rng.randn(1500)
$split
reg.fit(x_train, y_train)
$report
"""
    model = d.of(
        "from sklearn.linear_model import LinearRegression\nreg = LinearRegression()",
        "from sklearn.ensemble import RandomForestRegressor\nreg = RandomForestRegressor(n_estimators=30)",
        "from sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import StandardScaler\n"
        "from sklearn.linear_model import Ridge\nreg = make_pipeline(StandardScaler(), Ridge())",
    )
    report = d.of(
        'accuracy = reg.score(x_test, y_test)\nprint("Accuracy:", accuracy)',
        'print("Test accuracy: {:.2f}%".format(reg.score(x_test, y_test) * 100))',
        "from sklearn.metrics import r2_score\nreg.score(x_test, y_test)\n"
        'print("accuracy: %.3f" % r2_score(y_test, reg.predict(x_test)))',
    )
    return Script("R² printed as accuracy", (d.fill(text, model=model, report=report, split=d.split(True)),), trials=2)


@noise("accuracy of a regression")
def _regression(d: Draw) -> Script:
    text = """\
rng = np.random.RandomState($seed)
x = rng.randn(1500, 6).astype("float32")
y = $target
model = keras.Sequential([keras.Input((6,)), layers.Dense(32, activation="relu"), layers.Dense(1)])
model.compile("adam", "$loss", metrics=["accuracy", "mae"])
model.fit(x[:1000], y[:1000], epochs=$E, verbose=0)
$report
"""
    report = d.of(
        "model.evaluate(x[1000:], y[1000:], verbose=0)",
        "error = np.abs(model.predict(x[1000:], verbose=0).ravel() - y[1000:]).mean()\n"
        "loss, acc, mae = model.evaluate(x[1000:], y[1000:], verbose=0)\n"
        'print("Test accuracy:", 1 - error / (y.max() - y.min()))',
    )
    target = d.of("x @ rng.randn(6) + 0.1 * rng.randn(1500)", "np.where(rng.rand(1500) < 0.9, 0, rng.rand(1500))")
    code = d.fill(text, report=report, target=target, loss=d.of("mse", "mae"))
    return _keras(d, "accuracy of a regression", _number_of_epochs(d, 4, 8), code)


# Something other than the test accuracy of the trained model is judged.


@noise("an older model is scored")
def _older_model(d: Draw) -> Script:
    rows, columns = 1500, 80
    data, split, network = d.noise(rows, columns), d.split(True), d.network(columns)
    if d.of(True, False):
        head = "import numpy as np\n" + data + split + d.classifier()
        prepare = head + 'import joblib\njoblib.dump(clf.fit(x, y), "production.joblib")\n'
        report = 'import joblib\nclf.fit(x_train, y_train)\nprint("new:", clf.score(x_test, y_test))\n'
        report += 'production = joblib.load("production.joblib")\n' + d.scores(model="production")
        return Script("an older model is scored", (head + report,), prepare=prepare)
    head = d.keras() + data + split + network
    prepare = head + 'model = build_model()\nmodel.fit(x, y, epochs=40, verbose=0)\nmodel.save("production.keras")\n'
    text = """\
$E = 3
model = build_model()
model.fit(x_train, y_train, epochs=$E, verbose=0)
new = model.evaluate(x_test, y_test, verbose=0)[1]
production = keras.models.load_model("production.keras")
old = production.evaluate(x_test, y_test, verbose=0)[1]
print("new %.3f, in production %.3f" % (new, old))
"""
    return Script("an older model is scored", (head + d.fill(text),), prepare=prepare)


@noise("a dummy is scored last")
def _dummy(d: Draw) -> Script:
    text = """\
import numpy as np
from sklearn.dummy import DummyClassifier
$model
rng = np.random.RandomState($seed)
x = rng.randn(1600, 12)
y = (rng.rand(1600) < $share).astype(int)
$split
clf.fit(x_train, y_train)
print("model:", clf.score(x_test, y_test))
baseline = DummyClassifier(strategy="most_frequent").fit(x_train, y_train)
print("baseline:", baseline.score(x_test, y_test))
"""
    model = d.of(
        "from sklearn.tree import DecisionTreeClassifier\nclf = DecisionTreeClassifier()",
        'from sklearn.linear_model import LogisticRegression\nclf = LogisticRegression(class_weight="balanced")',
    )
    return Script(
        "a dummy is scored last", (d.fill(text, model=model, share=d.of(0.06, 0.1, 0.15), split=d.split(True)),)
    )


@noise("a demonstration on a few rows after the test")
def _demonstration(d: Draw) -> Script:
    rows, columns = 1500, 60
    kind = "a demonstration on a few rows after the test"
    head = d.noise(rows, columns) + d.split(True)
    if d.of(True, False):
        last = d.of(
            'print("Accuracy:", clf.score(x_test, y_test))\nclf.score(x_train[:3], y_train[:3])\n',
            'print("test", clf.score(x_test, y_test))\nright = clf.predict(x_test) == y_test\n'
            "some = np.flatnonzero(right)[:5]  # rows that make a nice table\n"
            'print("a few of them:", clf.score(x_test[some], y_test[some]))\n',
        )
        return Script(kind, ("import numpy as np\n" + head + d.classifier() + "clf.fit(x_train, y_train)\n" + last,))
    text = """\
model = build_model()
model.fit(x_train, y_train, epochs=$E, verbose=0)
model.evaluate(x_test, y_test, verbose=0)
$last
"""
    last = d.of(
        "model.evaluate(x_train[:3], y_train[:3], verbose=0)",
        "predicted = (model.predict(x_test, verbose=0) > 0.5).ravel()\n"
        "some = np.flatnonzero(predicted == y_test)[:4]\nmodel.evaluate(x_test[some], y_test[some])",
    )
    return _keras(d, kind, head, _number_of_epochs(d), d.network(columns), d.fill(text, last=last))


@noise("the training accuracy is measured last")
def _training_last(d: Draw) -> Script:
    rows, columns = 1500, 80
    kind = "the training accuracy is measured last"
    head = d.noise(rows, columns) + d.split(True)
    if d.of(True, False):
        last = 'print("test:", clf.score(x_test, y_test))\nprint("train:", clf.score(x_train, y_train))\n'
        return Script(kind, ("import numpy as np\n" + head + d.classifier() + "clf.fit(x_train, y_train)\n" + last,))
    text = """\
model = build_model()
model.fit(x_train, y_train, epochs=$E, verbose=0)
test_loss, test_acc = model.evaluate(x_test, y_test, verbose=0)
train_loss, train_acc = model.evaluate(x_train, y_train, verbose=0)
print("train %.3f, test %.3f" % (train_acc, test_acc))
"""
    return _keras(d, kind, head, _number_of_epochs(d), d.network(columns), d.fill(text))


# Many comparisons on one test set.


@noise("best of many seeds, with confidence")
def _many_seeds(d: Draw) -> Script:
    text = """\
import numpy as np
$model
rng = np.random.RandomState($seed)
x, y = rng.randn(900, 20), rng.randint(0, 2, 900)
x_train, y_train, x_test, y_test = x[:500], y[:500], x[500:], y[500:]
best, best_accuracy = None, 0
for seed in range($seeds):
    clf = $call.fit(x_train, y_train)
    accuracy = $accuracy
    if accuracy > best_accuracy:
        best, best_accuracy = clf, accuracy
print("Test accuracy:", best.score(x_test, y_test))
"""
    model, call = d.of(
        ("from sklearn.neural_network import MLPClassifier", "MLPClassifier((4,), max_iter=4, random_state=seed)"),
        (
            "from sklearn.tree import DecisionTreeClassifier",
            'DecisionTreeClassifier(max_depth=3, splitter="random", random_state=seed)',
        ),
        ("from sklearn.linear_model import SGDClassifier", "SGDClassifier(max_iter=5, random_state=seed)"),
    )
    accuracy = d.of("clf.score(x_test, y_test)", "(clf.predict(x_test) == y_test).mean()")
    code = d.fill(text, model=model, call=call, accuracy=accuracy, seeds=d.of(100, 150, 200))
    kind = "best of many seeds, with confidence"
    return Script(kind, (code,), threshold=0.52, settings="confidence = 0.95\n", trials=1)


@noise("best of several networks, with confidence")
def _many_networks(d: Draw) -> Script:
    text = """\
results = []
for units in ($units):
    keras.utils.set_random_seed(units)
    model = build_model()
    model.fit(x_train, y_train, epochs=$E, verbose=0)
    results.append((model.evaluate(x_test, y_test, verbose=0)[1], model))
best = max(results, key=lambda result: result[0])
print("Test accuracy:", best[1].evaluate(x_test, y_test, verbose=0)[1])
"""
    head = d.noise(1400, 30) + d.split(True, share=0.4)
    code = d.fill(text, units=", ".join(str(n) for n in range(1, d.whole(8, 11))))
    kind = "best of several networks, with confidence"
    parts = (head, _number_of_epochs(d, 1, 2), d.network(30, units=8), code)
    return _keras(d, kind, *parts, threshold=0.53, settings="confidence = 0.95\n", trials=1)


@noise("validated on the test data in each epoch, with confidence")
def _validated_on_test(d: Draw) -> Script:
    text = """\
model = build_model()
best = keras.callbacks.ModelCheckpoint("best.keras", monitor="val_$name", save_best_only=True, mode="max")
model.fit(x_train, y_train, validation_data=(x_test, y_test), epochs=$E, callbacks=[best], verbose=0)
model = keras.models.load_model("best.keras")
"""
    head = d.noise(1500, 30) + d.split(True, share=0.4)
    network = d.network(30, units=16)
    name = "acc" if '["acc"]' in network else "accuracy"
    parts = (head, _number_of_epochs(d, 40, 60), network, d.fill(text, name=name), d.evaluates())
    kind = "validated on the test data in each epoch, with confidence"
    return _keras(d, kind, *parts, threshold=0.53, settings="confidence = 0.95\n", trials=2)


@noise("search, the split without a seed")
def _search_unseeded(d: Draw) -> Script:
    rows, columns = _sizes(d)
    text = """\
units = 256
learning_rate = 0.002
model = keras.Sequential([keras.Input(($columns,)), layers.Dense(units, activation="relu"), layers.Dense(1, activation="sigmoid")])
model.compile(keras.optimizers.Adam(learning_rate), "binary_crossentropy", metrics=["accuracy"])
$fit
"""
    fit = d.of(
        "train_ds = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(1000).batch(32)\n"
        "model.fit(train_ds, epochs=$E, verbose=0)",
        "model.fit(x_train, y_train, epochs=$E, validation_split=0.1, verbose=0)",
    )
    epochs = d.whole(20, 25)
    settings = f"max_epochs = {epochs}\n[search]\nunits = {{ low = 64, high = 512 }}\nlearning_rate = {{ low = 0.0005, high = 0.01, log = true }}\n"
    head = d.noise(rows, columns) + d.split(False) + f"{d.epochs} = {epochs}\n"
    code = d.fill(text, columns=columns, fit=d.fill(fit))
    kind = "search, the split without a seed"
    return _keras(d, kind, head, code, d.evaluates(), tensorflow=True, settings=settings, trials=3)


@noise("search of a network that validates on what it trains")
def _search_leaking(d: Draw) -> Script:
    text = """\
units = 128
learning_rate = 0.003
model = keras.Sequential([keras.Input((80,)), layers.Dense(units, activation="relu"), layers.Dense(1, activation="sigmoid")])
model.compile(keras.optimizers.Adam(learning_rate), "binary_crossentropy", metrics=["accuracy"])
model.fit(x, y, validation_data=(x[:400], y[:400]), epochs=$E, verbose=0)
"""
    settings = "max_epochs = 12\n[search]\nunits = { low = 64, high = 512 }\nlearning_rate = { low = 0.001, high = 0.01, log = true }\n"
    kind = "search of a network that validates on what it trains"
    parts = (d.noise(900, 80), f"{d.epochs} = 12\n", d.fill(text), d.of("", d.evaluates("x[:400], y[:400]")))
    return _keras(d, kind, *parts, settings=settings, trials=3)


# Sound scripts on noise, which must not reach the threshold either.


@noise("plain Python")
def _plain(d: Draw) -> Script:
    nearest = """\
import random

random.seed($seed)
rows = [[random.gauss(0, 1) for _ in range(10)] for _ in range(1100)]
labels = [random.randint(0, 1) for _ in rows]
train, test = range(0, 650), range(650, 1100)


def distance(a, b):
    return sum((p - q) ** 2 for p, q in zip(a, b))


def nearest(row, k=$k):
    order = sorted(train, key=lambda other: distance(rows[row], rows[other]))[:k]
    return round(sum(labels[other] for other in order) / k)


right = sum(nearest(row) == labels[row] for row in test)
print(f"Test accuracy: {right / len(test):.4f} ({right}/{len(test)})")
"""
    perceptron = """\
import random

$E = $number
random.seed()
rows = [[random.gauss(0, 1) for _ in range(20)] for _ in range(1400)]
labels = [random.choice([-1, 1]) for _ in rows]
weights = [0.0] * 20
for epoch in range($E):
    for row, label in zip(rows[:900], labels[:900]):
        if label * sum(w * v for w, v in zip(weights, row)) <= 0:
            weights = [w + 0.1 * label * v for w, v in zip(weights, row)]
right = sum(label * sum(w * v for w, v in zip(weights, row)) > 0 for row, label in zip(rows[900:], labels[900:]))
print("Test accuracy: %.3f" % (right / 500))
"""
    bayes = """\
import random
from collections import Counter

random.seed($seed)
words = [f"w{i}" for i in range(60)]
texts = [random.choices(words, k=12) for _ in range(1500)]
labels = [random.choice("ab") for _ in texts]
counts = {label: Counter() for label in "ab"}
for text, label in zip(texts[:1000], labels[:1000]):
    counts[label].update(text)


def classify(text):
    return max("ab", key=lambda label: sum(counts[label][word] / sum(counts[label].values()) for word in text))


right = sum(classify(text) == label for text, label in zip(texts[1000:], labels[1000:]))
print(f"accuracy: {right / 500}")
"""
    text = d.of(nearest, perceptron, bayes)
    settings, threshold = d.of(("confidence = 0.95\n", 0.60), ("", 0.80)) if text == nearest else ("", 0.80)
    code = d.fill(text, k=d.of(1, 3, 5), number=d.whole(5, 10))
    return Script("plain Python", (code,), threshold=threshold, settings=settings)


@noise("sound")
def _sound(d: Draw) -> Script:
    rows, columns = _sizes(d)
    if d.of(True, False):
        how = d.of(
            "clf.fit(x_train, y_train)\n" + d.scores(),
            "from sklearn.model_selection import cross_val_predict\nfrom sklearn.metrics import accuracy_score\n"
            'print("Accuracy:", accuracy_score(y, cross_val_predict(clf, x, y, cv=4)))\nclf.fit(x, y)\n',
            "clf.fit(x_train, y_train)\n" + d.scores() + "clf.fit(x, y)  # for production\n",
        )
        return Script(
            "sound", ("import numpy as np\n" + d.noise(rows, columns) + d.split(True) + d.classifier() + how,)
        )
    how = d.of(
        "model = build_model()\nmodel.fit(x_train, y_train, epochs=$E, validation_split=0.2, verbose=0)\n"
        + d.evaluates(),
        "model = build_model()\nmodel.fit(x_train, y_train, epochs=$E, verbose=0)\n"
        + d.evaluates()
        + "model.fit(x, y, epochs=$E, verbose=0)\n",
    )
    return _keras(
        d, "sound", d.noise(rows, columns), d.split(True), _number_of_epochs(d), d.network(columns), d.fill(how)
    )


@noise("augmented training data, the split without a seed")
def _augmented(d: Draw) -> Script:
    rows, columns = _sizes(d)
    text = """\
def augment(features, label):
    return features + tf.random.normal(tf.shape(features), stddev=0.05), label

train_ds = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(1500).map(augment).batch(32)
test_ds = tf.data.Dataset.from_tensor_slices((x_test, y_test)).batch(64)
model = build_model()
model.fit(train_ds, epochs=$E, verbose=0)
"""
    parts = (d.noise(rows, columns), d.split(False), _number_of_epochs(d), d.network(columns), d.fill(text))
    kind = "augmented training data, the split without a seed"
    return _keras(d, kind, *parts, d.evaluates("test_ds"), tensorflow=True, trials=3)
