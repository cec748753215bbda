"""Keras 3, standalone or as part of TensorFlow.

The tables list APIs that Keras 3 or TensorFlow 2 has removed, with their replacements. Each entry was tested with Keras
3.15, and a test checks them all against the version of Keras that training uses. APIs that still work, such as
``input_shape=`` in a layer or ``ImageDataGenerator`` in tf.keras, are not listed.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from epochal.analysis.frameworks import DatasetCache, LogLines, Recorder, RemovedApi
from epochal.analysis.syntax import full_name, last_name, parse_tree, resolve_imports
from epochal.folders import resource

# The modules of keras.datasets (keras.io/api/datasets). The text datasets have a word index, too.
_DATASETS = (
    "boston_housing",
    "california_housing",
    "cifar10",
    "cifar100",
    "fashion_mnist",
    "imdb",
    "mnist",
    "reuters",
)
_TEXTS = ("imdb", "reuters")
# Models of keras.applications whose weights can be downloaded, with and without the top layers.
_APPLICATIONS = (
    "ConvNeXtTiny",
    "DenseNet121",
    "DenseNet169",
    "EfficientNetB0",
    "EfficientNetB3",
    "EfficientNetV2B0",
    "InceptionResNetV2",
    "InceptionV3",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Large",
    "MobileNetV3Small",
    "NASNetMobile",
    "ResNet50",
    "ResNet50V2",
    "ResNet101",
    "VGG16",
    "VGG19",
    "Xception",
)

TITLE = "Keras"
IMPORTS = ("keras", "tensorflow", "tf_keras")
RANK = 0
PINS = resource("requirements") / "keras.txt"
DATASETS = DatasetCache(
    folder="keras",
    variable="KERAS_HOME",
    # Keras unpacks an archive on every use (keras.utils.get_file), so the archive's folder must not be read-only.
    link_folder=".keras",
    scripts={
        name: f"from keras.datasets import {name}; {name}.load_data()"
        + (f"; {name}.get_word_index()" if name in _TEXTS else "")
        for name in _DATASETS
    }
    | {name: f"from keras.applications import {name}; {name}(); {name}(include_top=False)" for name in _APPLICATIONS},
    module=r"keras/(?:src/)?(?:datasets/|applications/\w+\.py )(?P<name>\w+)",
)
MODEL_SUFFIXES = (".keras", ".h5", ".hdf5", ".tflite")
# "45/45 ━━━━ 0s 2ms/step - accuracy: …", "45/45 - 0s - 3ms/step - accuracy: …", "45/45 [===] - 0s".
LOG_LINES = LogLines(progress=r"\s*\d+/(?:\d+|unknown)\b.*(?:━|\[[=>.]|/step| - )")
RECORDER = Recorder(measures="evaluate()", resumes="fit")
SET_EPOCHS = "Pass the number of epochs to fit() as a constant, as in fit(epochs=20)."

_FROM_LAYERS = "from keras.layers import …"
_FROM_UTILS = "from keras.utils import …"
_WITH_NAME = 'the name of the loss, as in loss="mean_squared_error"'

_REMOVED = {
    "keras.backend.function": "keras.Model(inputs, outputs)",
    "keras.backend.get_session": "code without sessions, because Keras no longer has them",
    "keras.backend.image_dim_ordering": "keras.backend.image_data_format",
    "keras.backend.learning_phase": "training=… when you call a layer",
    "keras.backend.set_image_dim_ordering": "keras.backend.set_image_data_format",
    "keras.backend.set_learning_phase": "training=… when you call a layer",
    "keras.backend.set_session": "code without sessions, because Keras no longer has them",
    "keras.backend.tensorflow_backend": "keras.ops, or TensorFlow itself",
    "keras.constraints.maxnorm": "keras.constraints.MaxNorm",
    "keras.constraints.nonneg": "keras.constraints.NonNeg",
    "keras.engine": "keras.layers.Layer or keras.Model",
    "keras.initializers.normal": "keras.initializers.RandomNormal",
    "keras.initializers.uniform": "keras.initializers.RandomUniform",
    "keras.layers.CuDNNGRU": "keras.layers.GRU",
    "keras.layers.CuDNNLSTM": "keras.layers.LSTM",
    "keras.layers.LocallyConnected1D": "keras.layers.Conv1D",
    "keras.layers.LocallyConnected2D": "keras.layers.Conv2D",
    "keras.layers.Merge": "keras.layers.Concatenate, Add or another merging layer",
    "keras.layers.advanced_activations": _FROM_LAYERS,
    "keras.layers.convolutional": _FROM_LAYERS,
    "keras.layers.core": _FROM_LAYERS,
    "keras.layers.embeddings": _FROM_LAYERS,
    "keras.layers.experimental": _FROM_LAYERS,
    "keras.layers.experimental.preprocessing": _FROM_LAYERS,
    "keras.layers.local": _FROM_LAYERS,
    "keras.layers.merge": _FROM_LAYERS,
    "keras.layers.noise": _FROM_LAYERS,
    "keras.layers.normalization": _FROM_LAYERS,
    "keras.layers.pooling": _FROM_LAYERS,
    "keras.layers.recurrent": _FROM_LAYERS,
    "keras.layers.wrappers": _FROM_LAYERS,
    "keras.objectives": "keras.losses",
    "keras.optimizers.adadelta": "keras.optimizers.Adadelta",
    "keras.optimizers.adagrad": "keras.optimizers.Adagrad",
    "keras.optimizers.adam": "keras.optimizers.Adam",
    "keras.optimizers.adamax": "keras.optimizers.Adamax",
    "keras.optimizers.experimental": "keras.optimizers",
    "keras.optimizers.legacy": "keras.optimizers",
    "keras.optimizers.nadam": "keras.optimizers.Nadam",
    "keras.optimizers.rmsprop": "keras.optimizers.RMSprop",
    "keras.optimizers.sgd": "keras.optimizers.SGD",
    "keras.utils.data_utils": _FROM_UTILS,
    "keras.utils.generic_utils": _FROM_UTILS,
    "keras.utils.multi_gpu_model": "keras.distribution.DataParallel",
    "keras.utils.np_utils": _FROM_UTILS,
    "keras.utils.vis_utils": _FROM_UTILS,
    "keras.wrappers.scikit_learn": (
        'keras.wrappers.SKLearnClassifier(model=…, fit_kwargs={"epochs": …, "batch_size": …}) with a compiled model and '
        'loss="categorical_crossentropy"'
    ),
}
"""Names and modules that both keras and tf.keras have removed, with their replacements."""

_OPERATIONS = ("abs", "cast", "clip", "concatenate", "dot", "exp", "log", "max", "mean", "min", "sqrt", "square", "sum")

_REMOVED_FROM_KERAS_ONLY = {
    **{f"keras.backend.{name}": f"keras.ops.{name}" for name in _OPERATIONS},
    "keras.backend.flatten": "keras.ops.ravel",
    "keras.backend.get_value": "keras.ops.convert_to_numpy",
    "keras.backend.int_shape": "the tensor's shape",
    "keras.backend.pow": "keras.ops.power",
    "keras.backend.set_value": "the variable's assign() method",
    "keras.backend.variable": "keras.Variable",
    "keras.layers.ThresholdedReLU": "keras.layers.ReLU(threshold=…)",
    "keras.losses.logcosh": "keras.losses.log_cosh",
    "keras.losses.mae": _WITH_NAME,
    "keras.losses.mse": _WITH_NAME,
    "keras.preprocessing.image.ImageDataGenerator": (
        "RandomTranslation, RandomFlip and other layers at the beginning of the model, "
        "and keras.utils.image_dataset_from_directory to read images from folders"
    ),
    "keras.preprocessing.sequence.TimeseriesGenerator": "keras.utils.timeseries_dataset_from_array",
    "keras.preprocessing.text": "keras.layers.TextVectorization",
}
"""Names and modules that keras has removed but tf.keras still has, with their replacements."""


_TENSORFLOW_1 = (
    "app flags get_variable variable_scope global_variables_initializer initialize_all_variables "
    "ConfigProto GPUOptions reset_default_graph get_default_graph train.AdamOptimizer "
    "train.GradientDescentOptimizer train.MomentumOptimizer train.RMSPropOptimizer train.Saver train.get_global_step "
    "summary.FileWriter nn.rnn_cell nn.softmax_cross_entropy_with_logits_v2 "
    "nn.static_rnn global_variables trainable_variables get_collection add_to_collection AUTO_REUSE logging"
)
"""Names from TensorFlow 1 that now exist only in tensorflow.compat.v1."""

_IN_A_GRAPH = "after tf.compat.v1.disable_eager_execution()"

_REMOVED_FROM_TENSORFLOW = {
    **{name: f"tf.compat.v1.{name}" for name in _TENSORFLOW_1.split()},
    **{name: f"tf.compat.v1.{name}, {_IN_A_GRAPH}" for name in ("InteractiveSession", "Session", "placeholder")},
    "ceil": "tf.math.ceil",
    "confusion_matrix": "tf.math.confusion_matrix",
    "contrib": "other packages, because TensorFlow 2 has no contrib module",
    "count_nonzero": "tf.math.count_nonzero",
    "decode_raw": "tf.io.decode_raw",
    "diag": "tf.linalg.diag",
    "div": "tf.math.divide",
    "enable_eager_execution": "nothing in its place, because TensorFlow 2 executes eagerly by default",
    "estimator": "keras.Model",
    "examples": "keras.datasets.mnist.load_data()",
    "gfile": "tf.io.gfile",
    "image.resize_images": "tf.image.resize",
    "is_nan": "tf.math.is_nan",
    "layers": "keras.layers",
    "log": "tf.math.log",
    "mod": "tf.math.mod",
    "parse_single_example": "tf.io.parse_single_example",
    "py_func": "tf.numpy_function",
    "random.set_random_seed": "tf.random.set_seed",
    "random_normal": "tf.random.normal",
    "random_uniform": "tf.random.uniform",
    "read_file": "tf.io.read_file",
    "rsqrt": "tf.math.rsqrt",
    "set_random_seed": "tf.random.set_seed",
    "to_float": "tf.cast(…, tf.float32)",
    "to_int32": "tf.cast(…, tf.int32)",
    "to_int64": "tf.cast(…, tf.int64)",
    "truncated_normal": "tf.random.truncated_normal",
}
"""Names (without the prefix ``tensorflow.``) that TensorFlow 2 has removed, with their replacements."""

_OPTIMIZER = {
    "lr": "learning_rate=…",
    "decay": "a schedule such as keras.optimizers.schedules.InverseTimeDecay for learning_rate (decay=… is ignored)",
    "schedule_decay": "the optimizer without this argument",
}
_LAYER = {
    "W_constraint": "kernel_constraint=…",
    "W_regularizer": "kernel_regularizer=…",
    "b_regularizer": "bias_regularizer=…",
    "batch_input_shape": "keras.Input(batch_shape=…) before the layer",
    "bias": "use_bias=…",
    "border_mode": "padding=…",
    "consume_less": "the layer without this argument",
    "dim_ordering": "data_format=…",
    "dropout_U": "recurrent_dropout=…",
    "dropout_W": "dropout=…",
    "init": "kernel_initializer=…",
    "inner_activation": "recurrent_activation=…",
    "nb_filter": "filters=…",
    "subsample": "strides=…",
    "weights": "the layer's set_weights(…) once the layer is built",
}
_MODEL = {"input": "inputs=…", "output": "outputs=…"}
_UNITS = {"output_dim": "units=…"}

_REMOVED_KEYWORDS = {
    "keras.Input": {"batch_input_shape": "batch_shape=…"},
    "keras.Model": _MODEL,
    "keras.callbacks.ModelCheckpoint": {"period": 'save_freq="epoch", which is the default'},
    "keras.callbacks.TensorBoard": dict.fromkeys(("batch_size", "write_grads"), "the callback without this argument"),
    "keras.layers": _LAYER,
    "keras.layers.Dense": _LAYER | _UNITS,
    "keras.layers.Dropout": _LAYER | {"p": "rate=…"},
    "keras.layers.GRU": _LAYER | _UNITS,
    "keras.layers.Input": {"batch_input_shape": "batch_shape=…"},
    "keras.layers.LSTM": _LAYER | _UNITS,
    "keras.layers.SimpleRNN": _LAYER | _UNITS,
    "keras.models.Model": _MODEL,
    "keras.optimizers": _OPTIMIZER,
}
"""Removed keyword arguments, with their replacements, by callable or module; the longest matching name applies."""

_REMOVED_METHODS = {
    "evaluate_generator": "evaluate(…)",
    "fit_generator": "fit(…)",
    "predict_classes": "predict(…).argmax(axis=-1)",
    "predict_generator": "predict(…)",
}

_WORKERS = "the method without this argument"
_REMOVED_METHOD_KEYWORDS = {
    "max_queue_size": _WORKERS,
    "nb_epoch": "epochs=…",
    "samples_per_epoch": "steps_per_epoch=…",
    "show_accuracy": 'compile(metrics=["accuracy"])',
    "use_multiprocessing": _WORKERS,
    "workers": _WORKERS,
}
"""Removed keyword arguments of a model's ``fit``, ``evaluate`` and ``predict``, with their replacements."""


def find_removed_apis(source: str) -> list[RemovedApi]:
    """Return each place in a module's ``source`` that uses an API removed from Keras or TensorFlow, in line order.

    The list is empty if the source imports neither Keras nor TensorFlow, or is not valid Python (which is
    reported elsewhere).
    """
    tree = parse_tree(source)
    if tree is None:
        return []
    names = resolve_imports(tree)
    if not any(path.split(".")[0] in ("keras", "tensorflow") for path in names.values()):
        return []
    own_methods = _find_own_methods(tree)
    found = {
        removed
        for node in ast.walk(tree)
        if getattr(node, "func", node) not in own_methods
        for removed in _check_node(node, names)
    }
    return sorted(found, key=lambda removed: (removed.line, removed.what))


def _find_own_methods(tree: ast.Module) -> set[ast.AST]:
    """Return the attributes in ``tree`` that are certain to be methods defined in it, such as ``Reader().fit``.

    An object is certain to be an instance of a class if it is ``self`` in that class, a call to the class, or a name
    to which the code assigns only such calls.
    """
    nodes = list(ast.walk(tree))
    classes = sorted((node for node in nodes if isinstance(node, ast.ClassDef)), key=lambda node: node.lineno)
    methods: dict[str, set[str]] = {}
    found = set[ast.AST]()
    for each in classes:
        own = {node.name for node in each.body if isinstance(node, ast.FunctionDef)}
        methods[f"{each.name}()"] = own.union(*(methods.get(f"{_describe_owner(base)}()", ()) for base in each.bases))
        found |= {node for node in ast.walk(each) if _is_method(node, {"self": methods[f"{each.name}()"]})}
    bound = Counter(node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    bound.update(node.arg for node in nodes if isinstance(node, ast.arg))
    made = Counter(
        (_describe_owner(node.targets[0]), _describe_owner(node.value))
        for node in nodes
        if isinstance(node, ast.Assign)
    )
    methods |= {name: methods[call] for (name, call), count in made.items() if call in methods and count == bound[name]}
    return found | {node for node in nodes if _is_method(node, methods)}


def _is_method(node: ast.AST, methods: dict[str, set[str]]) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in methods.get(_describe_owner(node.value), ())


def _describe_owner(node: ast.expr) -> str:
    """Return ``x`` for the name ``x``, ``Reader()`` for a call such as ``Reader(path)``, or else an empty string."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return f"{node.func.id}()"
    return node.id if isinstance(node, ast.Name) else ""


def _check_node(node: ast.AST, names: dict[str, str]) -> Iterator[RemovedApi]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield from _check_name(node.lineno, alias.name)
    elif isinstance(node, ast.ImportFrom) and not node.level:
        for alias in node.names:
            for removed in _check_name(alias.lineno, f"{node.module}.{alias.name}"):
                yield replace(removed, instead=_rewrite_import(node, alias, removed))
    elif isinstance(node, ast.Attribute):
        yield from _check_attribute(node, names)
    elif isinstance(node, ast.Call):
        yield from _check_keywords(node, names)
        yield from _check_suffix(node, names)
        yield from _check_metrics(node, names)


def _check_name(line: int, path: str) -> Iterator[RemovedApi]:
    removed = _REMOVED if path.startswith("tensorflow.") else _REMOVED | _REMOVED_FROM_KERAS_ONLY
    for prefix in _prefixes(path):
        if prefix in removed:
            yield RemovedApi(line, prefix, removed[prefix])
            return
        if path.startswith("tensorflow.") and prefix in _REMOVED_FROM_TENSORFLOW:
            yield RemovedApi(line, f"tensorflow.{prefix}", _REMOVED_FROM_TENSORFLOW[prefix], "TensorFlow")


def _rewrite_import(node: ast.ImportFrom, alias: ast.alias, removed: RemovedApi) -> str:
    """Return a line to replace the import of a removed API, or ``removed.instead`` if a new import is not enough."""
    names, own = ", ".join(ast.unparse(each) for each in node.names), alias.asname or alias.name
    match = re.fullmatch(
        r"(?:from )?(?P<module>keras(?:\.[a-z_]+)*)(?:\.(?P<name>[A-Z]\w*))?(?: import …)?", removed.instead
    )
    if match is None:
        return removed.instead
    module, name = match["module"], match["name"]
    if str(node.module).startswith("tensorflow."):
        module = f"tensorflow.{module}"
    is_whole = f"{node.module}.{alias.name}".removeprefix("tensorflow.") == removed.what
    if name and not (is_whole or name == alias.name):
        return removed.instead  # another class, whose arguments differ
    if name:
        is_alike = name.lower() in alias.name.lower() or alias.name.lower() in name.lower()
        return f"from {module} import {name}" + (f" as {own}" if is_alike and own != name else "")
    if is_whole:
        package, _, name = module.rpartition(".")
        return f"from {package} import {name}" + (f" as {own}" if own != name else "")
    return f"from {module} import {names}"


def _check_attribute(node: ast.Attribute, names: dict[str, str]) -> Iterator[RemovedApi]:
    line = node.end_lineno or node.lineno  # the line of the attribute's name
    root: ast.expr = node
    while isinstance(root, ast.Attribute):
        root = root.value
    imported = f"{full_name(root, names)}."
    # Once the import is replaced, the line works as it is.
    yield from (removed for removed in _check_name(line, full_name(node, names)) if f"{removed.what}." not in imported)
    if node.attr in _REMOVED_METHODS:
        yield RemovedApi(line, f"{node.attr}(…)", _REMOVED_METHODS[node.attr])
    if node.attr == "lr" and isinstance(node.value, ast.Attribute) and node.value.attr == "optimizer":
        yield RemovedApi(line, "optimizer.lr", "optimizer.learning_rate")


def _check_keywords(call: ast.Call, names: dict[str, str]) -> Iterator[RemovedApi]:
    known = (
        _REMOVED_KEYWORDS[prefix] for prefix in _prefixes(full_name(call.func, names)) if prefix in _REMOVED_KEYWORDS
    )
    removed = next(known, {})
    if isinstance(call.func, ast.Attribute) and call.func.attr in ("fit", "evaluate", "predict"):
        removed = _REMOVED_METHOD_KEYWORDS
    for keyword in call.keywords:
        if keyword.arg in removed:
            yield RemovedApi(keyword.value.lineno, f"{last_name(call.func)}({keyword.arg}=…)", removed[keyword.arg])


def _check_suffix(call: ast.Call, names: dict[str, str]) -> Iterator[RemovedApi]:
    """Yield a ``RemovedApi`` if a call saves a model to a file with a suffix that Keras no longer accepts."""
    options = {keyword.arg: keyword.value for keyword in call.keywords}
    file, name = call.args[0] if call.args else options.get("filepath"), last_name(call.func)
    if name == "ModelCheckpoint":
        if full_name(call.func, names).partition(".")[0] not in ("keras", "tensorflow"):
            return
        only_weights = call.args[4] if len(call.args) > 4 else options.get("save_weights_only", ast.Constant(False))
        if None in options or not isinstance(only_weights, ast.Constant):
            return
        ends = (".weights.h5",) if only_weights.value else (".keras", ".h5")
    elif name == "save_weights":
        ends = (".weights.h5",)
    else:
        return
    if isinstance(file, ast.Constant) and not str(file.value).endswith(ends):
        yield RemovedApi(
            file.lineno,
            f"Support for file names such as {file.value!r} in {name}()",
            f"a file name that ends in {ends[0]}",
        )


def _check_metrics(call: ast.Call, names: dict[str, str]) -> Iterator[RemovedApi]:
    """Yield a ``RemovedApi`` if a call passes metric names as compile()'s third argument, which is now loss_weights."""
    is_compile = isinstance(call.func, ast.Attribute) and call.func.attr == "compile" and len(call.args) > 2
    is_keras_2 = any(path.partition(".")[0] == "tf_keras" for path in names.values())
    if not is_compile or is_keras_2 or not isinstance(call.args[2], ast.List | ast.Tuple):
        return
    metrics = call.args[2]
    if any(isinstance(each, ast.Constant) and isinstance(each.value, str) for each in metrics.elts):
        what, instead = "Support for metrics as compile()'s third argument", f"metrics={ast.unparse(metrics)}"
        yield RemovedApi(metrics.lineno, what, instead, error="loss_weights|valid dtype for Keras type promotion")


def _prefixes(path: str) -> list[str]:
    """Return a dotted name and its prefixes, longest first, without a leading ``tensorflow.``."""
    parts = path.removeprefix("tensorflow.").split(".")
    return [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
