"""The check for APIs that newer versions of Keras no longer have, and its agreement with the real Keras."""

import ast
import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.analysis.frameworks import RemovedApi
from epochal.analysis.frameworks.keras import find_removed_apis

KERAS_2 = '''\
"""Train a simple deep CNN on the CIFAR10 small images dataset."""
from __future__ import print_function
import keras
from keras.datasets import cifar10
from keras.preprocessing.image import ImageDataGenerator
from keras.models import Sequential
from keras.layers.core import Dense, Dropout
from keras.layers import (
    Conv2D,
    CuDNNLSTM,
)
from keras import backend as K, optimizers as opt
from keras.utils import np_utils
from keras.callbacks import ModelCheckpoint

epochs = 20
K.set_image_dim_ordering('tf')
model = Sequential()
model.add(Conv2D(32, (3, 3), border_mode='same', input_shape=(32, 32, 3)))
model.add(Dense(10,
                init='uniform'))
model.compile(loss='categorical_crossentropy',
              optimizer=opt.RMSprop(lr=0.0001, decay=1e-6), metrics=['accuracy'])
datagen = ImageDataGenerator(horizontal_flip=True)
model.fit_generator(datagen.flow(x_train, y_train),
                    epochs=epochs, validation_data=(x_test, y_test), workers=4)
model.fit(x_train, y_train, nb_epoch=epochs)
print(K.get_value(model.optimizer.lr), model.predict_classes(x_test))
model.save_weights('weights.hdf5')
'''

KERAS_3 = """\
import keras
import tensorflow as tf
from keras import layers, optimizers
from keras.callbacks import ModelCheckpoint
from keras.utils import to_categorical
from tensorflow.keras.preprocessing.image import ImageDataGenerator
from joblib import Parallel
from .keras.layers.core import Mine

model = keras.Sequential([layers.Input(shape=(32, 32, 3)), layers.Conv2D(32, 3, padding="same"), layers.Dense(10)])
model.compile(optimizers.RMSprop(learning_rate=1e-4), loss="mse", metrics=["accuracy"])
embedding = layers.Embedding(100, output_dim=8)
best = ModelCheckpoint("best.keras")
each = ModelCheckpoint("{epoch}.weights.h5", save_weights_only=True)
model.fit(x, y, epochs=20, callbacks=[best, each])
model.save_weights("last.weights.h5")
tf.keras.backend.mean(x)
model.compile("sgd", "mse", [0.5, 0.5])
Parallel(lr=1, init=2).output
"""

EXAMPLES = [
    (
        "from keras.preprocessing.image import ImageDataGenerator",
        "from keras.layers import RandomFlip, RandomTranslation",
    ),
    ("keras.preprocessing.text.Tokenizer()", "keras.layers.TextVectorization()"),
    ("keras.preprocessing.sequence.TimeseriesGenerator", "keras.utils.timeseries_dataset_from_array"),
    ("from keras.utils import np_utils", "from keras.utils import to_categorical"),
    ("from keras.utils.vis_utils import plot_model", "from keras.utils import plot_model"),
    ("from keras.utils.generic_utils import get_custom_objects", "from keras.utils import get_custom_objects"),
    ("from keras.utils.data_utils import get_file", "from keras.utils import get_file"),
    ("from keras.utils import multi_gpu_model", "from keras.distribution import DataParallel"),
    ("from keras.layers.core import Dense", "from keras.layers import Dense"),
    ("from keras.layers.convolutional import Conv2D", "from keras.layers import Conv2D"),
    ("from keras.layers.pooling import MaxPooling2D", "from keras.layers import MaxPooling2D"),
    ("from keras.layers.normalization import BatchNormalization", "from keras.layers import BatchNormalization"),
    ("from keras.layers.recurrent import LSTM", "from keras.layers import LSTM"),
    ("from keras.layers.embeddings import Embedding", "from keras.layers import Embedding"),
    ("from keras.layers.merge import concatenate", "from keras.layers import concatenate"),
    ("from keras.layers.advanced_activations import LeakyReLU", "from keras.layers import LeakyReLU"),
    ("from keras.layers.noise import GaussianNoise", "from keras.layers import GaussianNoise"),
    ("from keras.layers.wrappers import Bidirectional", "from keras.layers import Bidirectional"),
    ("from keras.layers.local import LocallyConnected2D", "from keras.layers import Conv2D"),
    ("from keras.layers import LocallyConnected2D", "from keras.layers import Conv2D"),
    ("from keras.layers import LocallyConnected1D", "from keras.layers import Conv1D"),
    ("from keras.layers import CuDNNLSTM", "from keras.layers import LSTM"),
    ("from keras.layers import CuDNNGRU", "from keras.layers import GRU"),
    ("from keras.layers import Merge", "from keras.layers import Concatenate, Add"),
    ("keras.layers.ThresholdedReLU()", "keras.layers.ReLU(threshold=1.0)"),
    ("from keras.layers.experimental.preprocessing import Rescaling", "from keras.layers import Rescaling"),
    ("from tensorflow.keras.layers.experimental import preprocessing", "from tensorflow.keras.layers import Rescaling"),
    ("from keras.engine.topology import Layer", "from keras.layers import Layer"),
    ("from keras.objectives import hinge", "from keras.losses import hinge"),
    ("from keras.wrappers.scikit_learn import KerasClassifier", "from keras.wrappers import SKLearnClassifier"),
    ("keras.optimizers.adam()", "keras.optimizers.Adam()"),
    ("from keras.optimizers import adadelta", "from keras.optimizers import Adadelta"),
    ("from keras.optimizers import adagrad", "from keras.optimizers import Adagrad"),
    ("from keras.optimizers import adamax", "from keras.optimizers import Adamax"),
    ("from keras.optimizers import nadam", "from keras.optimizers import Nadam"),
    ("from keras.optimizers import rmsprop", "from keras.optimizers import RMSprop"),
    ("from tensorflow.keras.optimizers import sgd", "from tensorflow.keras.optimizers import SGD"),
    ("tf.keras.optimizers.legacy.Adam()", "tf.keras.optimizers.Adam()"),
    ("tf.keras.optimizers.experimental.Adam()", "tf.keras.optimizers.Adam()"),
    ("keras.optimizers.SGD(lr=0.1)", "keras.optimizers.SGD(learning_rate=0.1)"),
    (
        "keras.optimizers.RMSprop(decay=1e-6)",
        "keras.optimizers.RMSprop(learning_rate=keras.optimizers.schedules.InverseTimeDecay(1e-3, 1, 1e-6))",
    ),
    ("keras.optimizers.Nadam(schedule_decay=0.004)", "keras.optimizers.Nadam()"),
    ("keras.backend.set_image_dim_ordering('tf')", "keras.backend.set_image_data_format('channels_last')"),
    ("keras.backend.image_dim_ordering()", "keras.backend.image_data_format()"),
    ("keras.backend.set_session(None)", "None"),
    ("keras.backend.get_session()", "None"),
    ("keras.backend.learning_phase()", "None"),
    ("keras.backend.set_learning_phase(1)", "None"),
    ("keras.backend.function([], [])", "keras.Model(model.inputs, model.outputs)"),
    ("from keras.backend.tensorflow_backend import set_session", "None"),
    ("keras.backend.flatten([1.0])", "keras.ops.ravel([1.0])"),
    ("keras.backend.get_value(model.weights[0])", "keras.ops.convert_to_numpy(model.weights[0])"),
    ("keras.backend.set_value(model.weights[1], [0.0, 0.0])", "model.weights[1].assign([0.0, 0.0])"),
    ("keras.backend.int_shape(x)", "x.shape"),
    ("keras.backend.variable(1.0)", "keras.Variable(1.0)"),
    ("keras.backend.pow(2.0, 2.0)", "keras.ops.power(2.0, 2.0)"),
    *(
        (f"keras.backend.{name}(x)", f"keras.ops.{name}(x)")
        for name in ("abs", "exp", "log", "max", "mean", "min", "sqrt", "square", "sum")
    ),
    ("keras.backend.cast(x, 'int32')", "keras.ops.cast(x, 'int32')"),
    ("keras.backend.clip(x, 0, 1)", "keras.ops.clip(x, 0, 1)"),
    ("keras.backend.concatenate([x, x])", "keras.ops.concatenate([x, x])"),
    ("keras.backend.dot(x, x.T)", "keras.ops.dot(x, x.T)"),
    ("from keras.losses import mse", "model.compile('sgd', loss='mean_squared_error')"),
    ("from keras.losses import mae", "model.compile('sgd', loss='mean_absolute_error')"),
    ("from keras.losses import logcosh", "from keras.losses import log_cosh"),
    ("from keras.initializers import normal", "from keras.initializers import RandomNormal"),
    ("from keras.initializers import uniform", "from keras.initializers import RandomUniform"),
    ("from keras.constraints import maxnorm", "from keras.constraints import MaxNorm"),
    ("from keras.constraints import nonneg", "from keras.constraints import NonNeg"),
    ("keras.layers.Dense(10, W_regularizer='l2')", "keras.layers.Dense(10, kernel_regularizer='l2')"),
    ("keras.layers.Dense(10, W_constraint=None)", "keras.layers.Dense(10, kernel_constraint=None)"),
    ("keras.layers.Dense(10, b_regularizer='l2')", "keras.layers.Dense(10, bias_regularizer='l2')"),
    ("keras.layers.Dense(10, bias=True)", "keras.layers.Dense(10, use_bias=True)"),
    ("keras.layers.Dense(10, init='uniform')", "keras.layers.Dense(10, kernel_initializer='uniform')"),
    ("keras.layers.Dense(output_dim=10)", "keras.layers.Dense(units=10)"),
    ("keras.layers.Embedding(10, 2, weights=[[[0]]])", "keras.layers.Embedding(10, 2)"),
    ("keras.layers.Dropout(p=0.5)", "keras.layers.Dropout(rate=0.5)"),
    ("keras.layers.Conv2D(8, 3, border_mode='same')", "keras.layers.Conv2D(8, 3, padding='same')"),
    ("keras.layers.Conv2D(8, 3, subsample=2)", "keras.layers.Conv2D(8, 3, strides=2)"),
    ("keras.layers.Conv2D(8, 3, dim_ordering='tf')", "keras.layers.Conv2D(8, 3, data_format='channels_last')"),
    ("keras.layers.Conv2D(nb_filter=8, kernel_size=3)", "keras.layers.Conv2D(filters=8, kernel_size=3)"),
    ("keras.layers.LSTM(8, consume_less='gpu')", "keras.layers.LSTM(8)"),
    ("keras.layers.LSTM(8, dropout_W=0.1)", "keras.layers.LSTM(8, dropout=0.1)"),
    ("keras.layers.LSTM(8, dropout_U=0.1)", "keras.layers.LSTM(8, recurrent_dropout=0.1)"),
    ("keras.layers.LSTM(8, inner_activation='tanh')", "keras.layers.LSTM(8, recurrent_activation='tanh')"),
    ("keras.layers.LSTM(output_dim=8)", "keras.layers.LSTM(units=8)"),
    ("keras.layers.GRU(output_dim=8)", "keras.layers.GRU(units=8)"),
    ("keras.layers.SimpleRNN(output_dim=8)", "keras.layers.SimpleRNN(units=8)"),
    ("keras.layers.LSTM(8, batch_input_shape=(1, 2, 3))", "keras.Input(batch_shape=(1, 2, 3))"),
    ("keras.Input(batch_input_shape=(1, 3))", "keras.Input(batch_shape=(1, 3))"),
    ("keras.layers.Input(batch_input_shape=(1, 3))", "keras.layers.Input(batch_shape=(1, 3))"),
    ("keras.Model(model.inputs, output=model.outputs)", "keras.Model(model.inputs, outputs=model.outputs)"),
    (
        "keras.models.Model(input=model.inputs, outputs=[])",
        "keras.models.Model(inputs=model.inputs, outputs=model.outputs)",
    ),
    (
        "keras.callbacks.ModelCheckpoint('a.keras', period=2)",
        "keras.callbacks.ModelCheckpoint('a.keras', save_freq='epoch')",
    ),
    ("keras.callbacks.ModelCheckpoint('a.hdf5')", "keras.callbacks.ModelCheckpoint('a.keras')"),
    (
        "keras.callbacks.ModelCheckpoint(filepath='a.h5', save_weights_only=True)",
        "keras.callbacks.ModelCheckpoint(filepath='a.weights.h5', save_weights_only=True)",
    ),
    ("keras.callbacks.TensorBoard(batch_size=32)", "keras.callbacks.TensorBoard()"),
    ("keras.callbacks.TensorBoard(write_grads=True)", "keras.callbacks.TensorBoard()"),
    ("model.fit_generator([])", "model.fit(x, y, verbose=0)"),
    ("model.evaluate_generator([])", "model.evaluate(x, y, verbose=0)"),
    ("model.predict_generator([])", "model.predict(x, verbose=0)"),
    ("model.predict_classes(x)", "model.predict(x, verbose=0).argmax(axis=-1)"),
    ("model.fit(x, y, nb_epoch=1)", "model.fit(x, y, epochs=1, verbose=0)"),
    ("model.fit(x, y, samples_per_epoch=1)", "model.fit(x, y, steps_per_epoch=1, verbose=0)"),
    ("model.fit(x, y, show_accuracy=True)", "model.compile('sgd', 'mse', metrics=['accuracy'])"),
    ("model.fit(x, y, max_queue_size=1)", "model.fit(x, y, verbose=0)"),
    ("model.predict(x, use_multiprocessing=True)", "model.predict(x, verbose=0)"),
    ("model.evaluate(x, y, workers=2)", "model.evaluate(x, y, verbose=0)"),
    (
        "model.compile('sgd', 'mse', ['accuracy']); model.fit(x, y)",
        "model.compile('sgd', 'mse', metrics=['accuracy']); model.fit(x, y, verbose=0)",
    ),
    ("model.optimizer.lr", "model.optimizer.learning_rate"),
    ("model.save_weights('a.h5')", "model.save_weights('a.weights.h5')"),
]
"""Lines of Keras 2 that no longer work, each with its replacement."""

IMPORTS = [
    ("from keras.layers.core import Dense, Dropout as D", "from keras.layers import Dense, Dropout as D"),
    ("from keras.utils import np_utils", "from keras import utils as np_utils"),
    ("from keras.utils.np_utils import to_categorical", "from keras.utils import to_categorical"),
    ("from keras.layers import CuDNNLSTM", "from keras.layers import LSTM as CuDNNLSTM"),
    ("from keras.optimizers.adam import Adam", "from keras.optimizers import Adam"),
    ("from keras.constraints import maxnorm as m", "from keras.constraints import MaxNorm as m"),
    (
        "from tensorflow.keras.layers.experimental import preprocessing",
        "from tensorflow.keras import layers as preprocessing",
    ),
    (
        "from tensorflow.keras.layers.experimental.preprocessing import Rescaling",
        "from tensorflow.keras.layers import Rescaling",
    ),
    ("model.compile('sgd', 'mse', ['mae', 'mse']); model.fit(x, y)", "metrics=['mae', 'mse']"),
    ("tf.log(1.0)", "tf.math.log"),
    ("tf.train.AdamOptimizer(0.1)", "tf.compat.v1.train.AdamOptimizer"),
    ("tf.random_normal([2])", "tf.random.normal"),
]
"""Lines that no longer work, each with the line or name that the report says to write instead."""

TRY_ALL = """
import json, sys, warnings
import keras, numpy as np, tensorflow as tf

def try_line(line):
    x, y = np.ones((4, 3), "float32"), np.ones((4, 2), "float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            exec(line, globals() | locals())
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return next((str(warning.message) for warning in caught if "will be ignored" in str(warning.message)), None)

examples = json.load(sys.stdin)
json.dump([[try_line(old), try_line(new)] for old, new in examples], open("errors.json", "w"))
"""


def test_each_removed_api_is_reported_with_its_line() -> None:
    """In a typical Keras 2 script, each line that fails in Keras 3 is reported with its replacement, and no other line."""
    found = find_removed_apis(KERAS_2)

    assert [(removed.line, removed.what) for removed in found] == [
        (5, "keras.preprocessing.image.ImageDataGenerator"),
        (7, "keras.layers.core"),
        (10, "keras.layers.CuDNNLSTM"),
        (13, "keras.utils.np_utils"),
        (17, "keras.backend.set_image_dim_ordering"),
        (19, "Conv2D(border_mode=…)"),
        (21, "Dense(init=…)"),
        (23, "RMSprop(decay=…)"),
        (23, "RMSprop(lr=…)"),
        (25, "fit_generator(…)"),
        (27, "fit(nb_epoch=…)"),
        (28, "keras.backend.get_value"),
        (28, "optimizer.lr"),
        (28, "predict_classes(…)"),
        (29, "Support for file names such as 'weights.hdf5' in save_weights()"),
    ]
    assert RemovedApi(21, "Dense(init=…)", "kernel_initializer=…") in found


def test_uses_of_a_removed_import_are_not_reported_again() -> None:
    """Uses of the import work as they are once it is replaced. A use that does not rely on it is reported."""
    source = "from keras.utils import np_utils\nnp_utils.to_categorical(y)\nimport keras\nkeras.utils.np_utils.to_categorical(y)\n"
    assert [removed.line for removed in find_removed_apis(source)] == [1, 4]


def test_current_keras_is_not_reported() -> None:
    """The same names in other packages are not reported, either."""
    assert find_removed_apis(KERAS_3) == []


def test_script_without_keras_is_not_reported() -> None:
    """The names belong to Keras only if the script imports it."""
    assert find_removed_apis("model.fit_generator(x)\nmodel.fit(x, workers=2)\n") == []


_READER = """\
import keras
class Reader:
    def fit(self, data, workers=2, nb_epoch=1):
        return self.predict_generator()
    def predict_generator(self):
        return [1]
class Cached(Reader):
    pass
"""


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("Reader().fit([1], workers=4, nb_epoch=3)\nCached().predict_generator()\n", []),
        ("reader = Cached()\nreader.predict_generator()\nreader.fit([1], workers=4)\n", []),
        ("reader = Reader()\nreader = make()\nreader.predict_generator()\n", ["predict_generator(…)"]),
        ("def train(reader):\n    reader.fit([1], nb_epoch=3)\nreader = Reader()\n", ["fit(nb_epoch=…)"]),
        ("Reader().model.predict_generator()\n", ["predict_generator(…)"]),
        ("Reader().evaluate_generator()\n", ["evaluate_generator(…)"]),
        ("class Net(keras.Model):\n    def go(self):\n        self.fit_generator()\n", ["fit_generator(…)"]),
    ],
)
def test_method_of_a_class_in_the_script_is_not_reported(source: str, found: list[str]) -> None:
    """A method is reported unless its object is certain to be an instance of a class that defines it."""
    assert [removed.what for removed in find_removed_apis(_READER + source)] == found


@pytest.mark.parametrize(
    ("arguments", "is_reported"),
    [
        ("'m.h5', save_weights_only=False", False),
        ("'m.hdf5', save_weights_only=False", True),
        ("'m.h5', 'val_loss', 0, True, False", False),
        ("'m.h5', 'val_loss', 0, True, True", True),
        ("'m.h5', save_weights_only=small", False),
        ("'m.h5', **options", False),
    ],
)
def test_value_of_save_weights_only_decides_on_the_suffix(arguments: str, is_reported: bool) -> None:
    """Nothing is reported if the value is not known."""
    found = find_removed_apis(f"import keras\nkeras.callbacks.ModelCheckpoint({arguments})\n")
    assert bool(found) == is_reported


def test_callback_of_another_package_may_use_any_suffix() -> None:
    """Lightning has a class of the same name."""
    source = "import keras\nfrom lightning.callbacks import ModelCheckpoint\nModelCheckpoint('a.ckpt')\n"
    assert find_removed_apis(source) == []


@pytest.mark.parametrize(("old", "new"), IMPORTS)
def test_line_to_write_instead_is_named(old: str, new: str) -> None:
    """Only the import has to change; the rest of the script can stay as it is."""
    assert [removed.instead for removed in find_removed_apis(f"import tensorflow as tf\n{old}\n")] == [new]


@given(st.text() | st.text(alphabet="import keras.\n()=lr#'\x00", max_size=60))
def test_any_source_can_be_checked(source: str) -> None:
    """No source raises an exception. Valid Python is checked from start to end, anything else not at all."""
    source = f"import keras\nmodel.fit_generator(x)\n{source}\nmodel.fit_generator(x)"
    found = [removed.what for removed in find_removed_apis(source)]
    try:
        calls = [node for node in ast.walk(ast.parse(source)) if getattr(node, "attr", "") == "fit_generator"]
    except (SyntaxError, ValueError):
        assert found == []
    else:
        assert found.count("fit_generator(…)") == len(calls) > 0


@pytest.mark.keras
def test_real_keras_agrees(keras_python: Path, tmp_path: Path) -> None:
    """In the installed Keras, each old line fails or is ignored and each new line works. Only old ones are reported."""
    examples = EXAMPLES + IMPORTS
    subprocess.run(
        [keras_python, "-c", TRY_ALL], input=json.dumps(examples), text=True, cwd=tmp_path, check=True, timeout=300
    )
    errors = json.loads((tmp_path / "errors.json").read_text())

    imports = "import keras, tensorflow as tf\n"
    assert [old for (old, _), (error, _) in zip(examples, errors, strict=True) if error is None] == []
    assert [(new, error) for (_, new), (_, error) in zip(examples, errors, strict=True) if error is not None] == []
    assert [old for old, _ in examples if not find_removed_apis(imports + old)] == []
    assert [new for _, new in examples if find_removed_apis(imports + new)] == []
