"""Scripts that learn a real signal and test honestly. Each must be judged and clearly exceeds its threshold."""

from collections.abc import Callable

from templates.drawing import Draw, Script

Template = Callable[[Draw], Script]
TEMPLATES: list[tuple[str, Template]] = []


def sound(kind: str) -> Callable[[Template], Template]:
    """Register a template for scripts of this kind."""

    def register(template: Template) -> Template:
        TEMPLATES.append((kind, template))
        return template

    return register


def _signal(d: Draw, rows: int, columns: int = 12, wrong: float = 0.03) -> str:
    """Return code that makes ``x`` and a ``y`` of two classes that a small model can learn, with a few wrong labels."""
    rule = d.of("x[:, 0] + 0.7 * x[:, 1] - 0.5 * x[:, 2] > 0", "x[:, 0] - x[:, 3] + 0.8 * x[:, 1] > 0.1")
    text = """\
rng = np.random.RandomState($seed)
x = rng.randn($rows, $columns).astype("float32")
y = ($rule).astype("int64")
flipped = rng.rand($rows) < $wrong
y[flipped] = 1 - y[flipped]
"""
    return d.fill(text, rows=rows, columns=columns, rule=rule, wrong=wrong)


def _keras(d: Draw, kind: str, *parts: str, tensorflow: bool = False, **script: object) -> Script:
    return Script(kind, (d.keras(tensorflow) + "".join(parts),), **script)


def _sklearn(kind: str, *parts: str, **script: object) -> Script:
    return Script(kind, ("import numpy as np\n" + "".join(parts),), **script)


def _epochs(d: Draw, low: int = 15, high: int = 20) -> str:
    return f"{d.epochs} = {d.whole(low, high)}\n"


def _fit(d: Draw) -> str:
    return d.fill("model = build_model()\nmodel.fit(x_train, y_train, epochs=$E, batch_size=32, verbose=0)\n")


_FOREST = "from sklearn.ensemble import RandomForestClassifier\nclf = RandomForestClassifier(n_estimators=50, random_state=0)\n"


@sound("few discrete columns")
def _discrete(d: Draw) -> Script:
    text = """\
rng = np.random.RandomState($seed)
x = rng.randint(0, $values, ($rows, $columns)).astype("float32")
y = (x[:, 0] + x[:, 1] > x[:, 2] + x[:, 3]).astype(int)
flipped = rng.rand($rows) < 0.03
y[flipped] = 1 - y[flipped]
"""
    data = d.fill(text, values=d.of(3, 4), columns=d.of(4, 5, 6), rows=d.whole(1600, 2600)) + d.split(True)
    if d.of(True, False):
        model = d.of(
            _FOREST,
            "from sklearn.tree import DecisionTreeClassifier\nclf = DecisionTreeClassifier(min_samples_leaf=5)\n",
        )
        return _sklearn("few discrete columns", data, model, "clf.fit(x_train, y_train)\n", d.scores(), threshold=0.85)
    network = d.network(6, units=32, rate=0.01).replace("(6,)", "(x.shape[1],)")
    return _keras(d, "few discrete columns", data, _epochs(d), network, _fit(d), d.evaluates(), threshold=0.85)


@sound("rows that the raw data repeats")
def _raw_duplicates(d: Draw) -> Script:
    again = """\
again = rng.choice(len(x), size=int($share * len(x)))  # the form was sent twice
x, y = np.vstack([x, x[again]]), np.hstack([y, y[again]])
"""
    data = _signal(d, d.whole(1500, 2000)) + d.fill(again, share=d.of(0.05, 0.15, 0.3)) + d.split(True)
    kind = "rows that the raw data repeats"
    if d.of(True, False):
        frame = "import pandas as pd\ndf = pd.DataFrame(x_train)\nprint(df.duplicated().sum(), 'duplicates')\n"
        return _sklearn(kind, data, frame, _FOREST, "clf.fit(x_train, y_train)\n", d.scores(), threshold=0.82)
    return _keras(d, kind, data, _epochs(d), d.network(12, units=32, rate=0.01), _fit(d), d.evaluates(), threshold=0.85)


@sound("augmentation")
def _augmentation(d: Draw) -> Script:
    how = d.of(
        """\
augmentation = keras.Sequential([layers.GaussianNoise(0.5), layers.RandomTranslation(0.1, 0.1, fill_mode="constant")])
model = keras.Sequential([keras.Input((8, 8, 1)), augmentation, layers.Conv2D(16, 3, activation="relu"), layers.Flatten(), layers.Dense(10, activation="softmax")])
model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=$E, verbose=0)
""",
        """\
from tensorflow.keras.preprocessing.image import ImageDataGenerator
flow = ImageDataGenerator(width_shift_range=1, height_shift_range=1, rotation_range=5).flow(x_train, y_train, batch_size=32)
model = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(16, 3, activation="relu"), layers.Flatten(), layers.Dense(10, activation="softmax")])
model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(flow, epochs=$E, verbose=0)
""",
        """\
def augment(image, label):
    return image + tf.random.normal(tf.shape(image), stddev=0.1), label

train_ds = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(2000).map(augment).batch(32)
model = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(16, 3, activation="relu"), layers.Flatten(), layers.Dense(10, activation="softmax")])
model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(train_ds, epochs=$E, verbose=0)
""",
    )
    data = _digits("x = x.reshape(-1, 8, 8, 1)\n") + d.split(True)
    return _keras(d, "augmentation", data, _epochs(d), d.fill(how), d.evaluates(), tensorflow=True, threshold=0.85)


def _digits(then: str = "") -> str:
    return (
        "from sklearn.datasets import load_digits\ndigits = load_digits()\n"
        f'x, y = digits.data.astype("float32") / 16, digits.target\n{then}'
    )


@sound("data made anew in each epoch")
def _made_anew(d: Draw) -> Script:
    text = """\
def sample(rng, rows):
    x = rng.normal(size=(rows, 10)).astype("float32")
    return x, (x[:, 0] * 2 + x[:, 1] > x[:, 2]).astype("int32")

$feed
x_test, y_test = sample(np.random.default_rng($seed), 800)
model = build_model()
$fit
"""
    generator = (
        "def batches():\n    rng = np.random.default_rng()\n    while True:\n        yield sample(rng, 32)\n",
        "model.fit(batches(), steps_per_epoch=60, epochs=$E, verbose=0)",
    )
    dataset = (
        "class Made(keras.utils.PyDataset):\n    def __len__(self):\n        return 60\n\n"
        "    def __getitem__(self, index):\n        return sample(np.random.default_rng(), 32)\n",
        "model.fit(Made(), epochs=$E, verbose=0)",
    )
    loop = (
        "",
        "for epoch in range($E):\n    x, y = sample(np.random.default_rng(1000 + epoch), 2000)\n    model.fit(x, y, verbose=0)",
    )
    feed, fit = d.of(generator, dataset, loop)
    code = d.fill(text, feed=feed, fit=d.fill(fit))
    parts = (_epochs(d, 10, 15), d.network(10, units=32, rate=0.01), code, d.evaluates())
    return _keras(d, "data made anew in each epoch", *parts, threshold=0.88)


@sound("cross-validation, a new model for each fold")
def _cross_validation(d: Draw) -> Script:
    kind = "cross-validation, a new model for each fold"
    text = """\
from sklearn.model_selection import $folds
scores = []
for train, test in $folds(n_splits=4, shuffle=True, random_state=$seed).split(x, y):
    $fit
    scores.append($score)
print("Mean accuracy: %.4f (+/- %.4f)" % (np.mean(scores), np.std(scores)))
"""
    folds = d.of("KFold", "StratifiedKFold")
    data = _signal(d, 2000)
    if d.of(True, False):
        fit = "model = build_model()\n    " + d.fill("model.fit(x[train], y[train], epochs=$E, verbose=0)")
        code = d.fill(text, folds=folds, fit=fit, score="model.evaluate(x[test], y[test], verbose=0)[1]")
        return _keras(d, kind, data, _epochs(d, 8, 10), d.network(12, units=32, rate=0.01), code, threshold=0.85)
    fit = "clf = RandomForestClassifier(n_estimators=40, random_state=0).fit(x[train], y[train])"
    code = d.fill(text, folds=folds, fit=fit, score="clf.score(x[test], y[test])")
    return _sklearn(kind, data, "from sklearn.ensemble import RandomForestClassifier\n", code, threshold=0.82)


@sound("out-of-fold predictions")
def _out_of_fold(d: Draw) -> Script:
    text = d.of(
        """\
from sklearn.model_selection import cross_val_predict
from sklearn.metrics import accuracy_score
predicted = cross_val_predict(clf, x, y, cv=5)
print("Accuracy:", accuracy_score(y, predicted))
""",
        """\
from sklearn.base import clone
from sklearn.metrics import accuracy_score
from sklearn.model_selection import KFold
oof = np.zeros(len(x), dtype=int)
for train, test in KFold(5, shuffle=True, random_state=$seed).split(x):
    fold = clone(clf).fit(x[train], y[train])
    oof[test] = fold.predict(x[test])
print("Accuracy: %.4f" % accuracy_score(y, oof))
clf.fit(x, y)  # what goes into production
""",
    )
    return _sklearn("out-of-fold predictions", _signal(d, 1500), _FOREST, d.fill(text), threshold=0.82)


@sound("refit on all data after the test")
def _refit(d: Draw) -> Script:
    kind = "refit on all data after the test"
    data = _signal(d, 1800) + d.split(True)
    if d.of(True, False):
        last = d.of("clf.fit(x, y)\n", 'import joblib\njoblib.dump(clf.fit(x, y), "model.joblib")\n')
        return _sklearn(kind, data, _FOREST, "clf.fit(x_train, y_train)\n", d.scores(), last, threshold=0.82)
    last = d.fill('model.fit(x, y, epochs=$E, verbose=0)\nmodel.save("model.keras")\n')
    parts = (data, _epochs(d), d.network(12, units=32, rate=0.01), _fit(d), d.evaluates(), last)
    return _keras(d, kind, *parts, threshold=0.85)


@sound("autoencoder on all rows first")
def _autoencoder(d: Draw) -> Script:
    text = """\
$E = $number
encoder = keras.Sequential([keras.Input((64,)), layers.Dense(32, activation="relu")])
decoder = keras.Sequential([keras.Input((32,)), layers.Dense(64, activation="sigmoid")])
autoencoder = keras.Sequential([encoder, decoder])
autoencoder.compile("adam", "$loss")
autoencoder.fit(x, x, epochs=5, verbose=0)  # all images, no labels
$head
"""
    head = d.of(
        'model = keras.Sequential([encoder, layers.Dense(10, activation="softmax")])\n'
        'model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy", metrics=["accuracy"])\n'
        "model.fit(x_train, y_train, epochs=$E, verbose=0)\n" + d.evaluates(),
        "from sklearn.linear_model import LogisticRegression\n"
        "clf = LogisticRegression(max_iter=2000).fit(encoder.predict(x_train, verbose=0), y_train)\n"
        'print("Accuracy:", clf.score(encoder.predict(x_test, verbose=0), y_test))\n',
    )
    code = d.fill(text, number=d.whole(12, 18), head=d.fill(head), loss=d.of("mse", "binary_crossentropy"))
    return _keras(d, "autoencoder on all rows first", _digits(), d.split(True), code, threshold=0.82)


@sound("text with padding")
def _text(d: Draw) -> Script:
    text = """\
rng = np.random.RandomState($seed)
good, bad = ["great", "lovely", "superb", "fun"], ["awful", "boring", "poor", "dull"]
filler = ["the", "film", "was", "a", "story", "and", "with", "some", "actors", "music", "by", "plot", "on", "screen"]
texts, y = [], rng.randint(0, 2, 1600)
for label in y:
    words = list(rng.choice(filler, rng.randint(4, 20)))
    words.insert(rng.randint(len(words)), str(rng.choice(good if label else bad)))
    texts.append(" ".join(words))
$encode
x_train, y_train, x_test, y_test = x[:1100], y[:1100], x[1100:], y[1100:]
model = keras.Sequential([
    keras.Input((24,)),
    layers.Embedding(40, 16, mask_zero=$masked),
    layers.GlobalAveragePooling1D(),
    layers.Dense(16, activation="relu"),
    layers.Dense(1, activation="sigmoid"),
])
model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=$E, verbose=0)
"""
    encode = d.of(
        "vectorize = layers.TextVectorization(max_tokens=40, output_sequence_length=24)\n"
        "vectorize.adapt(texts)\nx = np.asarray(vectorize(np.array(texts)))",
        "vocabulary = {word: i + 1 for i, word in enumerate(good + bad + filler)}\n"
        'x = keras.utils.pad_sequences([[vocabulary[w] for w in t.split()] for t in texts], maxlen=24, padding="post")',
    )
    code = d.fill(text, encode=encode, masked=d.of("True", "False"))
    return _keras(d, "text with padding", _epochs(d), code, d.evaluates(), threshold=0.88)


@sound("token tags with padding and masking")
def _tags(d: Draw) -> Script:
    text = """\
rng = np.random.RandomState($seed)
rows, length = 1500, 20
x = np.zeros((rows, length), "int32")
y = np.zeros((rows, length), "int32")
for row in range(rows):
    n = rng.randint(6, length)
    x[row, :n] = rng.randint(1, 60, n)
    y[row, :n] = x[row, :n] % 4
x_train, x_test, y_train, y_test = x[:1000], x[1000:], y[:1000], y[1000:]
model = keras.Sequential([
    keras.Input((length,)),
    layers.Embedding(60, 16, mask_zero=True),
    layers.$layer,
    layers.Dense(4, activation="softmax"),
])
model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=$E, verbose=0)
"""
    layer = d.of('Dense(32, activation="relu")', "LSTM(16, return_sequences=True)")
    return _keras(
        d,
        "token tags with padding and masking",
        _epochs(d, 6, 8),
        d.fill(text, layer=layer),
        d.evaluates(),
        threshold=0.85,
    )


@sound("rare class with a signal")
def _rare(d: Draw) -> Script:
    text = """\
rng = np.random.RandomState($seed)
x = rng.randn(6000, 8).astype("float32")
y = (x[:, 0] + x[:, 1] > $over).astype(int)  # about one in twenty
"""
    kind = "rare class with a signal"
    data = d.fill(text, over=d.of(2.2, 2.3, 2.4)) + d.split(True)
    if d.of(True, False):
        model = d.of(
            _FOREST,
            "from sklearn.ensemble import HistGradientBoostingClassifier\nclf = HistGradientBoostingClassifier()\n",
        )
        return _sklearn(kind, data, model, "clf.fit(x_train, y_train)\n", d.scores(), threshold=0.97)
    fit = d.fill("model = build_model()\nmodel.fit(x_train, y_train, epochs=$E, verbose=0)\n")
    return _keras(
        d, kind, data, _epochs(d, 10, 12), d.network(8, units=32, rate=0.01), fit, d.evaluates(), threshold=0.97
    )


@sound("one-hot labels of several classes")
def _classes(d: Draw) -> Script:
    text = """\
y = keras.utils.to_categorical(y, 10)
$split
model = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dropout(0.2), layers.Dense(10, activation="softmax")])
model.compile(keras.optimizers.Adam(0.005), "categorical_crossentropy", metrics=[$metric])
model.fit(x_train, y_train, epochs=$E, validation_split=0.1, verbose=0)
"""
    metric = d.of('"accuracy"', '"categorical_accuracy"')
    code = d.fill(text, split=d.split(True), metric=metric)
    return _keras(d, "one-hot labels of several classes", _digits(), _epochs(d), code, d.evaluates(), threshold=0.88)


@sound("grid search, then a test")
def _grid(d: Draw) -> Script:
    text = d.of(
        """\
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
grid = GridSearchCV(make_pipeline(StandardScaler(), SVC()), {"svc__C": [0.1, 1, 10]}, cv=3)
grid.fit(x_train, y_train)
print(grid.best_params_, grid.best_score_)
""",
        """\
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import RandomizedSearchCV
grid = RandomizedSearchCV(RandomForestClassifier(n_estimators=30), {"max_depth": [5, 10, 20]}, n_iter=2, cv=3)
grid.fit(x_train, y_train)
""",
    )
    return _sklearn("grid search, then a test", _digits(), d.split(True), text, d.scores(model="grid"), threshold=0.9)


@sound("pipeline of text")
def _pipeline_of_text(d: Draw) -> Script:
    text = """\
from sklearn.feature_extraction.text import $vectorizer
from sklearn.pipeline import Pipeline
$model

rng = np.random.RandomState($seed)
spam, ham = ["win", "cash", "prize", "click"], ["meeting", "report", "lunch", "project"]
filler = ["today", "please", "the", "you", "we", "on", "at", "new", "now", "for"]
x, y = [], rng.randint(0, 2, 1500)
for label in y:
    words = list(rng.choice(filler, rng.randint(3, 9))) + list(rng.choice(spam if label else ham, 2))
    x.append(" ".join(rng.permutation(words)))
x = np.array(x)
$split
pipe = Pipeline([("words", $vectorizer()), ("clf", $call)])
pipe.fit(x_train, y_train)
"""
    model, call = d.of(
        ("from sklearn.linear_model import LogisticRegression", "LogisticRegression()"),
        ("from sklearn.naive_bayes import MultinomialNB", "MultinomialNB()"),
        ("from sklearn.svm import LinearSVC", "LinearSVC()"),
    )
    vectorizer = d.of("TfidfVectorizer", "CountVectorizer")
    code = d.fill(text, vectorizer=vectorizer, model=model, call=call, split=d.split(True))
    return _sklearn("pipeline of text", code, d.scores(model="pipe"), threshold=0.9)


@sound("class and sample weights")
def _weights(d: Draw) -> Script:
    text = """\
from sklearn.utils.class_weight import compute_class_weight
rng = np.random.RandomState($seed)
x = rng.randn(2400, 8).astype("float32")
y = (x[:, 0] + x[:, 1] > 1.2).astype(int)
$split
weights = compute_class_weight("balanced", classes=np.unique(y_train), y=y_train)
"""
    data = d.fill(text, split=d.split(True))
    fit = d.of(
        "model.fit(x_train, y_train, class_weight=dict(enumerate(weights)), epochs=$E, verbose=0)\n",
        "model.fit(x_train, y_train, sample_weight=weights[y_train], epochs=$E, verbose=0)\n",
    )
    parts = (data, _epochs(d), d.network(8, units=32, rate=0.01), "model = build_model()\n", d.fill(fit), d.evaluates())
    return _keras(d, "class and sample weights", *parts, threshold=0.9)


@sound("training part oversampled after the split")
def _oversampled_after(d: Draw) -> Script:
    text = """\
rng = np.random.RandomState($seed)
x = rng.randn(2400, 8).astype("float32")
y = (x[:, 0] + x[:, 1] > 1.8).astype(int)
$split
rare = np.flatnonzero(y_train == 1)
extra = rng.choice(rare, size=(y_train == 0).sum() - len(rare))
x_train, y_train = np.vstack([x_train, x_train[extra]]), np.hstack([y_train, y_train[extra]])
"""
    kind = "training part oversampled after the split"
    data = d.fill(text, split=d.split(True))
    if d.of(True, False):
        return _sklearn(kind, data, _FOREST, "clf.fit(x_train, y_train)\n", d.scores(), threshold=0.93)
    parts = (data, _epochs(d), d.network(8, units=32, rate=0.01), _fit(d), d.evaluates())
    return _keras(d, kind, *parts, threshold=0.93)


@sound("early stopping by a validation part")
def _early_stopping(d: Draw) -> Script:
    text = """\
stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=$patience, restore_best_weights=True)
model = build_model()
model.fit(x_train, y_train, $validation, epochs=$E, callbacks=[stop], verbose=0)
"""
    validation = d.of("validation_split=0.2", "validation_data=(x_val, y_val)")
    part = "x_val, y_val, x_train, y_train = x_train[:200], y_train[:200], x_train[200:], y_train[200:]\n"
    data = _signal(d, 2000) + d.split(True) + (part if "x_val" in validation else "")
    code = d.fill(text, validation=validation, patience=d.of(3, 5))
    parts = (data, _epochs(d, 30, 40), d.network(12, units=32, rate=0.01), code, d.of(d.evaluates(), d.predicts()))
    return _keras(d, "early stopping by a validation part", *parts, threshold=0.85)


@sound("several inputs")
def _several_inputs(d: Draw) -> Script:
    text = """\
rng = np.random.RandomState($seed)
numbers = rng.randn(1800, 6).astype("float32")
shop = rng.randint(0, 10, 1800)
effect = np.where(shop % 2, 1.0, -1.0)
y = (numbers[:, 0] + effect > 0).astype("int32")
cut = 1200
number_input = keras.Input((6,), name="numbers")
shop_input = keras.Input((1,), dtype="int32", name="shop")
embedded = layers.Flatten()(layers.Embedding(10, 4)(shop_input))
hidden = layers.Dense(32, activation="relu")(layers.concatenate([number_input, embedded]))
model = keras.Model([number_input, shop_input], layers.Dense(1, activation="sigmoid")(hidden))
model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
$fit
"""
    listed = "model.fit([numbers[:cut], shop[:cut]], y[:cut], epochs=$E, verbose=0)\n" + d.evaluates(
        "[numbers[cut:], shop[cut:]], y[cut:]"
    )
    named = 'model.fit({"numbers": numbers[:cut], "shop": shop[:cut]}, y[:cut], epochs=$E, verbose=0)\n' + d.evaluates(
        '{"shop": shop[cut:], "numbers": numbers[cut:]}, y[cut:]'
    )
    piped = (
        'train_ds = tf.data.Dataset.from_tensor_slices(({"numbers": numbers[:cut], "shop": shop[:cut]}, y[:cut]))\n'
        'test_ds = tf.data.Dataset.from_tensor_slices(({"numbers": numbers[cut:], "shop": shop[cut:]}, y[cut:])).batch(64)\n'
        "model.fit(train_ds.shuffle(2000).batch(32), epochs=$E, verbose=0)\n" + d.evaluates("test_ds")
    )
    code = d.fill(text, fit=d.fill(d.of(listed, named, piped)))
    return _keras(d, "several inputs", _epochs(d), code, tensorflow=True, threshold=0.85)


@sound("tf.data with a seeded split")
def _pipelines(d: Draw) -> Script:
    arrays = """\
train_ds = tf.data.Dataset.from_tensor_slices((x_train, y_train)).cache().shuffle(2000).batch(32).prefetch(tf.data.AUTOTUNE)
test_ds = tf.data.Dataset.from_tensor_slices((x_test, y_test)).batch(64).cache()
"""
    taken = """\
ds = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x), seed=$seed, reshuffle_each_iteration=False)
test_ds = ds.take(500).batch(64)
train_ds = ds.skip(500).shuffle(1000).batch(32)
"""
    fit = d.fill("model = build_model()\nmodel.fit(train_ds, epochs=$E, verbose=0)\n")
    data = _signal(d, 1800)
    code = d.split(True) + arrays if d.of(True, False) else d.fill(taken)
    parts = (data, code, _epochs(d), d.network(12, units=32, rate=0.01), fit, d.evaluates("test_ds"))
    return _keras(d, "tf.data with a seeded split", *parts, tensorflow=True, threshold=0.85)


@sound("saved and loaded")
def _saved(d: Draw) -> Script:
    text = d.of(
        'model.save("model.keras")\nmodel = keras.models.load_model("model.keras")\n',
        'model.save_weights("best.weights.h5")\nmodel = build_model()\nmodel.load_weights("best.weights.h5")\n',
    )
    checkpoint = """\
best = keras.callbacks.ModelCheckpoint("best.keras", monitor="val_loss", save_best_only=True)
model = build_model()
model.fit(x_train, y_train, validation_split=0.2, epochs=$E, callbacks=[best], verbose=0)
model = keras.models.load_model("best.keras")
"""
    code = d.of(_fit(d) + text, d.fill(checkpoint))
    parts = (_signal(d, 1800), d.split(True), _epochs(d), d.network(12, units=32, rate=0.01), code, d.evaluates())
    return _keras(d, "saved and loaded", *parts, threshold=0.85)


@sound("resumed, the split seeded")
def _resumed(d: Draw) -> Script:
    text = """\
keras.utils.set_random_seed($seed)
$E = 2
model = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(10, activation="softmax")])
model.compile(keras.optimizers.$optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
$fit
"""
    fit = d.of(
        "model.fit(x_train, y_train, epochs=$E, verbose=0)",
        "train_ds = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(2000).batch(32)\n"
        "model.fit(train_ds, epochs=$E, verbose=0)",
    )
    code = d.fill(text, fit=d.fill(fit), optimizer=d.of("Adam(0.0005)", "SGD(0.02)"))
    data = _digits() + d.split(True)
    return _keras(d, "resumed, the split seeded", data, code, d.evaluates(), tensorflow=True, threshold=0.85, trials=3)


@sound("partial_fit, tested after each epoch")
def _partial(d: Draw) -> Script:
    text = """\
from sklearn.linear_model import SGDClassifier
from sklearn.neural_network import MLPClassifier
clf = $model
$E = $number
for epoch in range($E):
    for part in np.array_split(np.random.permutation(len(x_train)), 20):
        clf.partial_fit(x_train[part], y_train[part], classes=np.arange(10))
    print("epoch", epoch, "test accuracy", clf.score(x_test, y_test))
"""
    model = d.of("MLPClassifier((64,), learning_rate_init=0.003)", 'SGDClassifier(loss="log_loss", alpha=0.001)')
    code = d.fill(text, model=model, number=d.whole(15, 20))
    kind = "partial_fit, tested after each epoch"
    return _sklearn(kind, _digits(), d.split(True), code, d.scores(), threshold=0.85)


@sound("ensembles")
def _ensembles(d: Draw) -> Script:
    text = """\
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier
members = [("lr", LogisticRegression(max_iter=2000)), ("knn", KNeighborsClassifier(5))]
clf = $call
clf.fit(x_train, y_train)
"""
    call = d.of(
        "VotingClassifier(members)",
        "StackingClassifier(members, cv=3)",
        "BaggingClassifier(DecisionTreeClassifier(), n_estimators=40)",
        "RandomForestClassifier(n_estimators=60)",
    )
    return _sklearn("ensembles", _digits(), d.split(True), d.fill(text, call=call), d.scores(), threshold=0.85)


@sound("preprocessing of all rows")
def _preprocessing(d: Draw) -> Script:
    text = """\
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
x = $how.fit_transform(x)  # no labels in it
$split
"""
    kind = "preprocessing of all rows"
    how = d.of("StandardScaler()", "PCA(30, random_state=0)", "KMeans(40, random_state=0)")
    data = _digits() + d.fill(text, how=how, split=d.split(True))
    model = d.of(_FOREST, "from sklearn.svm import SVC\nclf = SVC()\n")
    return _sklearn(kind, data, model, "clf.fit(x_train, y_train)\n", d.scores(), threshold=0.82)


@sound("plain Python with a signal")
def _plain(d: Draw) -> Script:
    nearest = """\
import random

random.seed($seed)
rows = [[random.gauss(0, 1) for _ in range(2)] for _ in range(1100)]
labels = [int(a + b > 0) for a, b in rows]
train, test = range(0, 650), range(650, 1100)


def nearest(row, k=5):
    order = sorted(train, key=lambda other: (rows[row][0] - rows[other][0]) ** 2 + (rows[row][1] - rows[other][1]) ** 2)
    return round(sum(labels[other] for other in order[:k]) / k)


right = sum(nearest(row) == labels[row] for row in test)
print(f"Test accuracy: {right / len(test):.4f} ({right}/{len(test)})")
"""
    logistic = """\
import math
import random

epochs = 12
random.seed($seed)
rows = [[random.gauss(0, 1) for _ in range(5)] for _ in range(1500)]
labels = [int(row[0] + row[1] - row[2] > 0) for row in rows]
weights = [0.0] * 5
for epoch in range(epochs):
    for row, label in zip(rows[:1000], labels[:1000]):
        score = 1 / (1 + math.exp(-sum(w * v for w, v in zip(weights, row))))
        weights = [w + 0.1 * (label - score) * v for w, v in zip(weights, row)]
right = sum((sum(w * v for w, v in zip(weights, row)) > 0) == label for row, label in zip(rows[1000:], labels[1000:]))
print("Test accuracy: %.3f" % (right / 500))
"""
    return Script("plain Python with a signal", (d.fill(d.of(nearest, logistic)),), threshold=0.88)


@sound("pretrained on another task")
def _transfer(d: Draw) -> Script:
    text = """\
base = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(32, activation="relu")])
even = keras.Sequential([base, layers.Dense(1, activation="sigmoid")])
even.compile("adam", "binary_crossentropy", metrics=["accuracy"])
other = np.random.RandomState($seed).permutation(len(x))[:600]
even.fit(1 - x[other], y[other] % 2, epochs=5, verbose=0)  # inverted images, another question
$then
model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=$E, verbose=0)
"""
    then = d.of(
        'model = keras.Sequential([base, layers.Dense(10, activation="softmax")])',
        'model = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(32, activation="relu"), '
        'layers.Dense(10, activation="softmax")])\nfor new, old in zip(model.layers, base.layers):\n    new.set_weights(old.get_weights())',
    )
    code = d.fill(text, then=then)
    parts = (_digits(), d.split(True), _epochs(d), code, d.evaluates())
    return _keras(d, "pretrained on another task", *parts, threshold=0.85)


@sound("several outputs, one chosen")
def _outputs(d: Draw) -> Script:
    text = """\
inputs = keras.Input((64,))
hidden = layers.Dense(64, activation="relu")(inputs)
digit = layers.Dense(10, activation="softmax", name="digit")(hidden)
even = layers.Dense(1, activation="sigmoid", name="even")(hidden)
model = keras.Model(inputs, {"digit": digit, "even": even})
model.compile(
    keras.optimizers.Adam(0.005),
    loss={"digit": "sparse_categorical_crossentropy", "even": "binary_crossentropy"},
    metrics={"digit": ["accuracy"], "even": ["accuracy"]},
)
model.fit(x_train, {"digit": y_train, "even": y_train % 2}, epochs=$E, verbose=0)
print(model.evaluate(x_test, {"digit": y_test, "even": y_test % 2}, return_dict=True, verbose=0))
"""
    parts = (_digits(), d.split(True), _epochs(d), d.fill(text))
    settings = 'metric = "digit_accuracy"\n'
    return _keras(d, "several outputs, one chosen", *parts, threshold=0.85, settings=settings)


@sound("a model class")
def _model_class(d: Draw) -> Script:
    text = """\
class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(32, activation="relu")
        self.out = layers.Dense(1, activation="sigmoid")

    def call(self, inputs):
        return self.out(self.hidden(inputs))


model = Net()
model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=$E, verbose=0)
"""
    parts = (_signal(d, 1800), d.split(True), _epochs(d), d.fill(text), d.of(d.evaluates(), d.predicts()))
    return _keras(d, "a model class", *parts, threshold=0.85)


@sound("labels that are words")
def _words(d: Draw) -> Script:
    text = """\
import pandas as pd
rng = np.random.RandomState($seed)
df = pd.DataFrame({
    "age": rng.randint(18, 80, 2000),
    "hours": rng.randint(5, 60, 2000),
    "job": rng.choice(["clerk", "cook", "teacher", "driver"], 2000),
})
score = df.hours + 10 * (df.job == "teacher") - 8 * (df.job == "cook") + rng.randn(2000)
df["income"] = np.where(score > 35, ">50K", "<=50K")
x = pd.get_dummies(df.drop(columns="income")).astype(float)
y = df["income"]
from sklearn.model_selection import train_test_split
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.3, random_state=1)
"""
    return _sklearn(
        "labels that are words", d.fill(text), _FOREST, "clf.fit(x_train, y_train)\n", d.scores(), threshold=0.88
    )


@sound("validation only")
def _validation_only(d: Draw) -> Script:
    text = d.of(
        "model = build_model()\nmodel.fit(x, y, validation_split=0.3, epochs=$E, verbose=0)\nmodel.save('model.keras')\n",
        "model = build_model()\nhistory = model.fit(x_train, y_train, validation_data=(x_test, y_test), epochs=$E, verbose=0)\n"
        'print("last loss", history.history["loss"][-1])\n',
    )
    parts = (_signal(d, 2000), d.split(True), _epochs(d), d.network(12, units=32, rate=0.01), d.fill(text))
    return _keras(d, "validation only", *parts, threshold=0.85)


@sound("two libraries, the last one judged")
def _two_libraries(d: Draw) -> Script:
    text = """\
$E = $number
model = keras.Sequential([keras.Input((64,)), layers.Dense(32, activation="relu", name="features"), layers.Dense(10, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=$E, verbose=0)
print("network alone:", model.evaluate(x_test, y_test, verbose=0)[1])
features = keras.Model(model.inputs, model.get_layer("features").output)
from sklearn.svm import SVC
from sklearn.metrics import accuracy_score
svm = SVC().fit(features.predict(x_train, verbose=0), y_train)
print("with the SVM:", accuracy_score(y_test, svm.predict(features.predict(x_test, verbose=0))))
"""
    code = d.fill(text, number=d.whole(2, 4))
    kind = "two libraries, the last one judged"
    return _keras(d, kind, _digits(), d.split(True), code, threshold=0.87, trials=1)
