"""The recorder detects training rows in test data however they got there, and accepts tests on other rows.

Each script lists the names of its measurements in order. A measurement whose name begins with "clean" must not be
refused, and every other one must be.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from .test_recorder import run

DATA = """
import json
import numpy as np
rng = np.random.default_rng(0)
x, y = rng.normal(size=(400, 12)).astype("float32"), rng.integers(0, 2, 400)
train, test = (x[:300], y[:300]), (x[300:], y[300:])
names = []
"""

KERAS = (
    DATA
    + """
import keras, tensorflow as tf
from sklearn.metrics import accuracy_score
from sklearn.svm import SVC

def make():
    model = keras.Sequential([keras.Input((12,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(64, "relu"),
                              keras.layers.Dense(1, "sigmoid")])
    return compiled(model)

def compiled(model):
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model

def fitted(*data, epochs=2, **options):
    model = make()
    model.fit(*data, epochs=epochs, verbose=0, **options)
    return model

def measure(name, model, data, *labels, **options):
    names.append(name)
    model.evaluate(data, *labels, verbose=0, **options)

def tensors(data):
    return tf.data.Dataset.from_tensor_slices(data).batch(30)

class Batches(keras.utils.PyDataset):
    def __init__(self, x, y, **options):
        super().__init__(**options)
        self.x, self.y = x, y
    def __len__(self):
        return len(self.x) // 25
    def __getitem__(self, index):
        return self.x[index * 25:index * 25 + 25], self.y[index * 25:index * 25 + 25]

def batches(x, y):
    while True:
        for start in range(0, len(x), 25):
            yield x[start:start + 25], y[start:start + 25]

arrays = fitted(*train)
measure("clean arrays", arrays, *test)
measure("arrays", arrays, *train)
measure("half of them", arrays, x[200:], y[200:])
measure("training rows as a data set", arrays, tensors(train))
measure("training rows in another order", arrays, train[0][::-1], train[1][::-1])
measure("clean data set", fitted(tensors(train)), tensors(test))
measure("data set", fitted(tensors(train).shuffle(5)), *train)
measure("clean Batches", fitted(Batches(*train, workers=2)), Batches(*test))
measure("Batches", fitted(Batches(*train)), Batches(*train))
measure("clean generator", fitted(batches(*train), steps_per_epoch=12), batches(*test), steps=4)
measure("generator", fitted(batches(*train), steps_per_epoch=12), batches(*train), steps=12)
measure("clean split", fitted(x, y, validation_split=0.25), x[300:], y[300:])
measure("one-hot", fitted(*train), train[0], y[:300].reshape(-1, 1))

shuffled = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(400, seed=1).batch(40)
measure("take and skip", fitted(shuffled.take(7)), shuffled.skip(7))
jitter = lambda data, label: (data + tf.random.normal(tf.shape(data)), label)
measure("take and skip, augmented", fitted(shuffled.take(7).map(jitter)), shuffled.skip(7).map(jitter))
still = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(400, seed=1, reshuffle_each_iteration=False).batch(40)
measure("clean take and skip", fitted(still.take(7)), still.skip(7))
cached = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(400).batch(40).cache()
measure("take and skip of a cache that is never full", fitted(cached.take(7)), cached.skip(7))
len(list(cached))
measure("clean take and skip of a cache", fitted(cached.take(7)), cached.skip(7))

folds = make()
for start in (0, 100, 200):
    fold = np.r_[0:start, start + 100:400]
    folds.fit(x[fold], y[fold], epochs=1, verbose=0)
    measure("one model in each fold" if start else "clean first fold", folds, x[start:start + 100], y[start:start + 100])
for start in (0, 100, 200):
    fold = np.r_[0:start, start + 100:400]
    measure("clean fold", fitted(x[fold], y[fold]), x[start:start + 100], y[start:start + 100])

arrays.save("model.keras")
measure("a saved model", keras.models.load_model("model.keras"), *train)
measure("clean saved model", keras.models.load_model("model.keras"), *test)
copy = make()
copy.set_weights(arrays.get_weights())
measure("copied weights", copy, *train)
other = fitted(*test)
average = make()
average.set_weights([(one + two) / 2 for one, two in zip(arrays.get_weights(), other.get_weights())])
measure("an average of two models", average, *test)
shared = compiled(keras.Sequential([keras.Input((12,)), arrays.layers[0], keras.layers.Dense(1, "sigmoid")]))
measure("shared layers", shared, *train)
measure("clean shared layers", shared, *test)
initial = make()
before = initial.get_weights()
initial.fit(x, y, epochs=1, verbose=0)
initial.set_weights(before)
initial.fit(*train, epochs=1, verbose=0)
measure("clean reset", initial, *test)
refitted = fitted(*train)
measure("clean before a refit", refitted, *test)
refitted.fit(x, y, verbose=0)
measure("after a refit on all", refitted, *test)

coder = keras.Sequential([keras.Input((12,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(12)])
coder.compile("adam", "mse")
coder.fit(x, x, epochs=1, verbose=0)
head = compiled(keras.Sequential([keras.Input((12,)), coder.layers[0], keras.layers.Dense(1, "sigmoid")]))
head.fit(*train, epochs=1, verbose=0)
measure("clean autoencoder", head, *test)

from sklearn.feature_selection import SelectKBest
chosen = SelectKBest(k=12).fit_transform(rng.normal(size=(400, 500)), y).astype("float32")
measure("features chosen by the test rows", fitted(chosen[:300], y[:300]), chosen[300:], y[300:])

def trained_elsewhere(path, model=None):
    keras.src.saving.saving_lib.save_model(model or make(), path)  # the recorder does not see this call
    return path

loaded = compiled(keras.models.load_model(trained_elsewhere("old.keras")))
loaded.fit(*train, verbose=0)
measure("clean, not checked: loaded and trained further", loaded, *test)
loaded = make()
old = keras.models.load_model(trained_elsewhere("older.keras"))
for layer, other in zip(loaded.layers, old.layers):
    layer.set_weights(other.get_weights())
loaded.fit(*train, verbose=0)
measure("clean, not checked: copied from a loaded model", loaded, *test)
old.trainable = False
head = compiled(keras.Sequential([keras.Input((12,)), *old.layers[:2], keras.layers.Dense(1, "sigmoid")]))
head.fit(*train, verbose=0)
measure("clean, not checked: frozen layers of a loaded model", head, *test)
measure("clean new model beside a loaded one", fitted(*train), *test)
names.append("predict: clean features of a loaded model")
features = keras.Sequential([keras.Input((12,)), *old.layers[:2]]).predict(x[:300], verbose=0)[:, :12]
names.append("predict: clean features of a loaded model")
features = features, keras.Sequential([keras.Input((12,)), *old.layers[:2]]).predict(x[300:], verbose=0)[:, :12]
measure("clean, not checked: fitted on features of a loaded model", fitted(features[0], y[:300]), features[1], y[300:])
names.append("clean, not checked: SVM for features of a loaded model")
SVC().fit(features[0], y[:300]).score(features[1], y[300:])
keep = keras.callbacks.ModelCheckpoint("best.weights.h5", save_best_only=True, save_weights_only=True)
kept = fitted(*train, validation_split=0.2, callbacks=[keep, keras.callbacks.EarlyStopping(restore_best_weights=True)])
kept.load_weights("best.weights.h5")
kept.fit(*train, verbose=0)
measure("clean best weights of this run", kept, *test)
unfitted = make()
unfitted.save("unfitted.keras")
unfitted = compiled(keras.models.load_model("unfitted.keras"))
unfitted.fit(*train, verbose=0)
measure("clean initial weights of this run", unfitted, *test)

def pretrained():
    return keras.applications.MobileNet((32, 32, 3), 0.25, include_top=False, pooling="avg")
def download(*_, **__):
    return os.environ["DOWNLOADED"]
import os
keras.src.applications.mobilenet.file_utils.get_file = download
plain = keras.applications.MobileNet((32, 32, 3), 0.25, include_top=False, pooling="avg", weights=None)
keras.src.saving.saving_lib.save_weights_only(plain, download())
images = rng.normal(size=(60, 32, 32, 3)).astype("float32")
for case in ("pretrained layers", "pretrained layers that a loaded model has, too"):
    transferred = compiled(keras.Sequential([pretrained(), keras.layers.Dense(1, "sigmoid")]))
    transferred.fit(images[:40], y[:40], verbose=0)
    measure(f"clean {case}", transferred, images[40:], y[40:60])
    production = keras.Sequential([plain, keras.layers.Dense(1, "sigmoid")])
    keras.models.load_model(trained_elsewhere("production.keras", production))

class Watching(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        measure("training rows, in a callback", self.model, *train)
        measure("clean callback", self.model, *test)
fitted(*train, epochs=1, callbacks=[Watching()])

def compare(name, model, x, y):
    names.append("predict: " + name)
    predicted = (model.predict(x, verbose=0) > 0.5).astype(int)[:, 0]
    names.append(name)
    accuracy_score(y, predicted)
    names.append(name)
    accuracy_score(np.where(predicted, "yes", "no"), np.where(y, "yes", "no"))
compare("predicted training rows", arrays, *train)
compare("clean predicted rows", arrays, *test)
vectors = SVC().fit(arrays.predict(train[0], verbose=0), train[1])
names.append("predict: training rows for an SVM")
for loss in ("binary_crossentropy", keras.losses.MeanAbsoluteError()):
    shares = keras.Sequential([keras.Input((12,)), keras.layers.Dense(1, "sigmoid")])
    shares.compile("adam", loss)
    shares.fit(train[0], np.random.default_rng(1).random(300), epochs=1, verbose=0)
    names.append(f"predict: clean fractions, {loss if isinstance(loss, str) else loss.name}")
    shares.predict(test[0], verbose=0)
print(json.dumps(names))
"""
)

SKLEARN = (
    DATA
    + """
import copy, pickle
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import accuracy_score, check_scoring, get_scorer, make_scorer
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_validate
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

def measure(name, model, data, labels):
    names.append(name)
    model.score(data, labels)

def both(name, model):
    measure("clean " + name, model, *test)
    measure(name, model, *train)

tree = DecisionTreeClassifier().fit(*train)
both("tree", tree)
both("pickled tree", pickle.loads(pickle.dumps(tree)))
both("copied tree", copy.deepcopy(tree))
both("pipeline", make_pipeline(StandardScaler(), LogisticRegression()).fit(*train))
grid = GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [0.1, 1]}).fit(*train)
both("grid", grid)
both("the grid's best", grid.best_estimator_)
both("forest", RandomForestClassifier(20).fit(*train))
both("voting", VotingClassifier([("a", DecisionTreeClassifier()), ("b", LogisticRegression())]).fit(*train))
frozen = CalibratedClassifierCV(FrozenEstimator(tree)).fit(x[350:], y[350:])
measure("a frozen tree", frozen, *train)
measure("clean frozen tree", frozen, x[300:350], y[300:350])
parts = SGDClassifier()
for start in range(0, 300, 50):
    parts.partial_fit(x[start:start + 50], y[start:start + 50], classes=[0, 1])
both("partial fits", parts)
warm = LogisticRegression(warm_start=True, max_iter=5).fit(*test)
measure("a warm start", warm.fit(*train), *test)
def as_saved_before(model):
    for part in (model, *dict(getattr(model, "steps", ())).values()):
        vars(part).pop("_epochal_fits", None)
    return pickle.loads(pickle.dumps(model))
def warm_regression():
    return LogisticRegression(warm_start=True, max_iter=5)
loaded = as_saved_before(warm_regression().fit(*test))
measure("clean, not checked: loaded and fitted twice", loaded.fit(*train).fit(*train), *test)
loaded = as_saved_before(make_pipeline(StandardScaler(), warm_regression()).fit(*test))
measure("clean, not checked: loaded pipeline", loaded.fit(*train), *test)
loaded = as_saved_before(SGDClassifier().fit(*test))
measure("clean, not checked: loaded for a partial fit", loaded.partial_fit(*train), *test)
measure("clean loaded model that is fitted anew", as_saved_before(SGDClassifier().fit(*test)).fit(*train), *test)
old = as_saved_before(SGDClassifier().fit(*test))
measure("clean, not checked: loaded and frozen", CalibratedClassifierCV(FrozenEstimator(old)).fit(*train), *test)
stack = StackingClassifier([("old", old)], final_estimator=LogisticRegression(), cv="prefit")
measure("clean, not checked: loaded into a stack", stack.fit(*train), *test)
def widen(data):
    return np.column_stack([data, old.decision_function(data)])
def scored(data):
    names.append("predict: clean scores for features")
    return widen(data)
wide = SGDClassifier().fit(scored(x[:300]), y[:300])
measure("clean, not checked: scored by a loaded model", wide, scored(x[300:]), y[300:])
both_parts = scored(x)[::-1]
wide = SGDClassifier().fit(both_parts[:300], y[::-1][:300])
measure("clean, not checked: scored by a loaded model, then split", wide, both_parts[300:], y[::-1][300:])
wide = make_pipeline(FunctionTransformer(widen), LogisticRegression()).fit(*train)
measure("clean, not checked: scored by a loaded model in a pipeline", wide, *test)
def labelled(data):
    names.append("predict: clean scores for features")
    return [[*row, label] for row, label in zip(data, old.predict(data))]
wide = DecisionTreeClassifier().fit(labelled(x[:300]), y[:300])
measure("clean, not checked: classified by a loaded model", wide, labelled(x[300:]), y[300:])
discriminant = as_saved_before(LinearDiscriminantAnalysis().fit(*test))
nearest = KNeighborsClassifier().fit(discriminant.transform(x[:300]), y[:300])
measure("clean, not checked: loaded discriminant", nearest, discriminant.transform(x[300:]), y[300:])
started = SGDClassifier(max_iter=5).fit(*train, coef_init=old.coef_, intercept_init=old.intercept_)
measure("clean, not checked: loaded coefficients", started, *test)
scaler, choice = as_saved_before(StandardScaler().fit(x)), as_saved_before(SelectKBest(k=4).fit(x, y))
measure("clean loaded scaler", SGDClassifier().fit(scaler.transform(x[:300]), y[:300]), scaler.transform(x[300:]), y[300:])
choice.transform(x[:300])
measure("clean beside a loaded choice of columns", SGDClassifier().fit(*train), *test)
names.append("predict: clean scores for features")
old.predict(x[:300])
measure("clean beside a loaded model", SGDClassifier().fit(*train), *test)
again = as_saved_before(make_pipeline(SelectKBest(k=4), MLPClassifier(early_stopping=True, max_iter=9)).fit(*test))
measure("clean loaded pipeline that is fitted anew", again.fit(*train), *test)
measure("clean copy of an unfitted model", copy.deepcopy(warm_regression()).fit(*train), *test)
measure("a pipeline's warm start", make_pipeline(StandardScaler(), warm_regression()).fit(*test).fit(*train), *test)
measure("clean second fit", LogisticRegression().fit(*test).fit(*train), *test)
for fold in cross_validate(tree, x, y, cv=KFold(2), return_estimator=True)["estimator"][:1]:
    measure("clean fold", fold, x[:200], y[:200])
texts = np.array(["word%d other%d thing%d" % (i, i % 7, i % 11) for i in range(400)])
words = make_pipeline(TfidfVectorizer(), MultinomialNB()).fit(texts[:300], y[:300])
measure("clean texts", words, texts[300:], y[300:])
measure("texts", words, texts[:300].tolist(), y[:300].tolist())
counted = TfidfVectorizer().fit_transform(texts)
bayes = MultinomialNB().fit(counted[:300], y[:300])
measure("clean sparse rows", bayes, counted[300:], y[300:])
measure("sparse rows", bayes, counted[:300], y[:300])

wide = rng.normal(size=(400, 500))
chosen = SelectKBest(k=20).fit_transform(wide, y)
measure("features chosen by the test rows", LogisticRegression().fit(chosen[:300], y[:300]), chosen[300:], y[300:])
choice = SelectKBest(k=20).fit(wide[:300], y[:300])
after = LogisticRegression().fit(choice.transform(wide[:300]), y[:300])
measure("clean features", after, choice.transform(wide[300:]), y[300:])
both("features in a pipeline", make_pipeline(SelectKBest(k=5), LogisticRegression()).fit(*train))
scaled = StandardScaler().fit(x, y).transform(x)
measure("clean scaled rows", LogisticRegression().fit(scaled[:300], y[:300]), scaled[300:], y[300:])
steady = VarianceThreshold().fit(x, y).transform(x)
measure("clean steady rows", LogisticRegression().fit(steady[:300], y[:300]), steady[300:], y[300:])

measure("clean, not checked: dense rows", bayes, counted[:300].toarray(), y[:300])
scaler = StandardScaler().fit(train[0])
parts = make_pipeline(scaler, DecisionTreeClassifier().fit(scaler.transform(train[0]), train[1]))
measure("clean, not checked: fitted parts", parts, *train)

names.append("predict: half of the training rows")
predicted = tree.predict(x[200:])
names.append("half of the training rows")
accuracy_score(y[200:], predicted)
names.append("half of the training rows, arguments swapped")
accuracy_score(predicted, y[200:])
names.append("predict: probabilities for half of the training rows")
likely = tree.predict_proba(x[200:])[:, 1] > 0.5
names.append("half of the training rows, by their probabilities")
accuracy_score(y[200:], likely)
names.append("predict: of all rows")
stump = DecisionTreeClassifier(max_depth=1, random_state=0).fit(np.sign(x), x[:, 0] > 0)
stump.predict(np.sign(x))
names.extend(["predict: clean folds of equal rows", "clean out-of-fold predictions that are the same"])
accuracy_score(x[:, 0] > 0, cross_val_predict(stump, np.sign(x), x[:, 0] > 0))
names.extend(["predict: clean folds", "clean out-of-fold predictions"])
accuracy_score(y, cross_val_predict(tree, x, y))
twice = np.repeat(x, 2, axis=0), np.repeat(y, 2)
names.extend(["predict: folds of repeated rows", "out-of-fold predictions for repeated rows"])
accuracy_score(twice[1], cross_val_predict(tree, *twice, cv=KFold(4, shuffle=True)))
for rows in ("clean", "half of the training rows"):
    data = test if rows == "clean" else (x[200:], y[200:])
    for scorer in (get_scorer("accuracy"), make_scorer(accuracy_score), check_scoring(tree, scoring="accuracy")):
        names.extend([f"{rows}, predicted by a scorer", f"{rows}, measured by a scorer"])
        scorer(tree, *data)
    for scorer in ("balanced_accuracy", "roc_auc"):
        names.append(f"{rows}, predicted by another scorer")
        get_scorer(scorer)(tree, *data)
    names.append(f"{rows}, measured by a scorer that calls score()")
    check_scoring(tree)(tree, *data)
print(json.dumps(names))
"""
)

_LOADED = "some training rows are unknown, because the model builds on one that was loaded from a file"

_FEATURES = "predict: clean features of a loaded model"


def _read_measurements(folder: Path, printed: str) -> dict[str, Any]:
    """Return the measurement events, keyed by their number and the name that the script gave them."""
    lines = (folder / "out" / "metrics.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert not [event for event in events if event["event"] == "fault"]
    events = [event for event in events if event["event"] in ("evaluate", "score", "predict")]
    names = json.loads(printed.splitlines()[-1])
    assert len(names) == len(events), (len(names), len(events))
    return {f"{number}: {name}": event for number, (name, event) in enumerate(zip(names, events, strict=True))}


def _find_wrong(measurements: dict[str, Any]) -> dict[str, Any]:
    """Return the clean measurements that were refused, and the other ones that were not."""
    return {
        name: event["seen"] for name, event in measurements.items() if event["seen"]["refused"] is (": clean" in name)
    }


@pytest.mark.keras
def test_leaks_are_refused_in_keras(warm_keras_python: Path, tmp_path: Path) -> None:
    """Covers arrays, datasets and generators; weights in files, copies, averages and shared layers; and refits."""
    (tmp_path / "script").mkdir()
    downloaded = str(tmp_path / "downloaded.weights.h5")
    result = run(warm_keras_python, KERAS, tmp_path / "script", DOWNLOADED=downloaded)
    assert result.returncode == 0, result.stderr
    measurements = _read_measurements(tmp_path / "script", result.stdout)
    assert _find_wrong({name: event for name, event in measurements.items() if event["event"] != "predict"}) == {}
    predicted = {name: event["seen"]["refused"] for name, event in measurements.items() if event["event"] == "predict"}
    assert list(predicted.values()) == [False, False, True, False, True, False, False]
    labels = {
        name.partition("fractions, ")[2]: event["labels"] for name, event in measurements.items() if "fractions" in name
    }
    assert labels == {"binary_crossentropy": {}, "mean_absolute_error": {"": {"kind": "numbers"}}}
    unchecked = [name.partition(": ")[2] for name, event in measurements.items() if not event["seen"]["checked"]]
    loaded = [event["seen"]["why"] for name, event in measurements.items() if "not checked" in name]
    assert loaded == [_LOADED] * 5
    # Averages and models with both new and trained layers: which fits made their weights is uncertain.
    uncertain = ["an average of two models", "shared layers", "clean shared layers"]
    known = [name for name in unchecked if "not checked" not in name]
    assert (len(unchecked), known) == (11, ["take and skip, augmented", *uncertain, *[_FEATURES] * 2])
    assert all(event["trained"] for name, event in measurements.items() if _FEATURES not in name)


@pytest.mark.sklearn
def test_leaks_are_refused_in_scikit_learn(sklearn_python: Path, tmp_path: Path) -> None:
    """Covers composed estimators; copies, files and partial fits; sparse rows, text and accuracy_score()."""
    result = run(sklearn_python, SKLEARN, tmp_path)
    assert result.returncode == 0, result.stderr
    measurements = _read_measurements(tmp_path, result.stdout)
    assert _find_wrong(measurements) == {}
    unchecked = {
        name.partition(": ")[2]: event["seen"]["why"]
        for name, event in measurements.items()
        if not event["seen"]["checked"]
    }
    assert list(unchecked) == [
        "clean, not checked: loaded and fitted twice",
        "clean, not checked: loaded pipeline",
        "clean, not checked: loaded for a partial fit",
        "clean, not checked: loaded and frozen",
        "clean, not checked: loaded into a stack",
        "predict: clean scores for features",
        "clean, not checked: scored by a loaded model",
        "clean, not checked: scored by a loaded model, then split",
        "clean, not checked: scored by a loaded model in a pipeline",
        "clean, not checked: classified by a loaded model",
        "clean, not checked: loaded discriminant",
        "clean, not checked: loaded coefficients",
        "clean, not checked: dense rows",
        "clean, not checked: fitted parts",
    ]
    assert {why for name, why in unchecked.items() if "loaded" in name} == {_LOADED}
