"""Problems that are found in scripts, and similar but sound scripts in which nothing is found."""

import ast
from pathlib import Path
from textwrap import dedent

import pytest

from epochal.analysis.findings import Source, find_in_sources, find_leaks
from epochal.analysis.findings.source import parse_source
from tests.test_cases import CASES

SPLIT = "from sklearn.model_selection import train_test_split\n"
TORCH = "import torch\nfrom torch.utils.data import random_split\n"
DIRECTORY = "from tensorflow import keras\nread = keras.utils.image_dataset_from_directory\n"
TFDATA = "import tensorflow as tf\nds = tf.data.Dataset.from_tensor_slices((x, y))\n"
SCALE = SPLIT + "from sklearn.preprocessing import LabelEncoder, StandardScaler\nscaler = StandardScaler()\n"
SMOTE = (
    SPLIT
    + "from imblearn.over_sampling import SMOTE\nfrom sklearn.utils import resample\nimport numpy as np\nimport pandas as pd\n"
)
SELECT = (
    SPLIT + "from sklearn.feature_selection import SelectKBest\nfrom sklearn.preprocessing import StandardScaler\n"
    "from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score\nselect = SelectKBest(k=9)\n"
)
AUGMENT_IN_FUNCTION = (
    SPLIT + "import numpy as np\ndef fit_model(x, y):\n    noisy = x + rng.normal(size=x.shape)\n"
    "    x, y = np.vstack([x, noisy]), np.concatenate([y, y])\n    a, b, c, d = train_test_split(x, y, random_state=1)\n"
    "    print(m.fit(a, c).score(b, d))\n    return m, b, d\n"
)
AUGMENT_IN_CALL = (
    SPLIT + "import numpy as np\ndef fit_noisy(x, y, sigma):\n    noisy = x + rng.normal(0, sigma, x.shape)\n"
    "    a, b, c, d = train_test_split(np.vstack([x, noisy]), np.concatenate([y, y]), random_state=1)\n"
    "    print(m.fit(a, c).score(b, d))\n    return m, b, d\n"
)
SELECT_IN_FUNCTION = (
    SELECT + "def fit_model(x, y):\n    z = SelectKBest(k=9).fit_transform(x, y)\n"
    "    a, b, c, d = train_test_split(z, y, random_state=1)\n    print(m.fit(a, c).score(b, d))\n    return m, b, d\n"
)
AUGMENT = (
    SPLIT
    + "import numpy as np\nnoisy = x + rng.normal(size=x.shape)\nz, t = np.vstack([x, noisy]), np.concatenate([y, y])\n"
    "e, f, g, h = train_test_split(z, t, random_state=1)\n"
)
JOIN_NOISY = SPLIT + "import numpy as np\ndef join(x):\n    return np.concatenate([x, x + rng.normal(size=x.shape)])\n"
JOIN_BOTH = (
    SPLIT + "import numpy as np\ndef join(x, y):\n    noisy = x + rng.normal(size=x.shape)\n"
    "    return np.vstack([x, noisy]), np.concatenate([y, y])\n"
)
JOIN_LISTS = (
    SPLIT + "import numpy as np\ndef join(x, y, times=2):\n    xs, ys = [x], [y]\n    for _ in range(times):\n"
    "        xs.append(x + rng.normal(size=x.shape))\n        ys.append(y)\n"
    "    return np.concatenate(xs), np.concatenate(ys)\n"
)
JOIN_IF_ASKED = SPLIT + "import numpy as np\ndef join(x, y, noisy=False):\n    if noisy:\n"
IF_FLAG = (
    SPLIT + "import numpy as np\nADD_NOISE = {}\n"
    "if ADD_NOISE: x, y = np.vstack([x, x + rng.normal(size=x.shape)]), np.tile(y, 2)\n"
)
SPLIT_ALL = "z, t = join(x), np.tile(y, 2)\na, b, c, d = train_test_split(z, t, random_state=1)\n"
MEAN = (
    'Write the mean accuracy of the folds to $EPOCHAL_OUT/accuracy.json, for example {"accuracy": 0.83}; otherwise, only the '
    "last fold counts."
)
HUB = "import os\nimport tensorflow_hub as hub\n"
TRAIN = "print(m.fit(a, c).score(b, d))\n"
DRAW_TRAINING = (
    SPLIT + "import numpy as np\nfrom sklearn.model_selection import KFold, cross_val_score\n"
    "X_train, X_test, y_train, y_test = train_test_split(x, y, random_state=1)\n"
    "i = np.random.default_rng(0).choice(len(X_train), 99)\nX_train, y_train = X_train[i], y_train[i]\n"
)
SPLIT_Z = "a, b, c, d = train_test_split(z, y, random_state=1)\n"
SPLIT_X = "a, b, c, d = train_test_split(x, y, random_state=1)\n"
MODEL = "import keras\nmodel = keras.Sequential([keras.layers.Dense(8), keras.layers.Dense({})])\n"
ONE, TEN, SOFTMAX = MODEL.format("1"), MODEL.format("10"), MODEL.format("10, activation='softmax'")
SIGMOID = MODEL.format("10, activation='sigmoid'")
TEST = "print('Test accuracy:', model.evaluate(x_test, y_test))\n"
SCORES = "from sklearn.linear_model import LinearRegression, LogisticRegression\nmodel = LinearRegression().fit(a, b)\n"

ARGUMENTS = "import argparse\nparser = argparse.ArgumentParser()\n"
TF_TEST = "import tensorflow as tf\n"
GPUS = TF_TEST + "gpus = tf.config.list_physical_devices('GPU')\n"
SPAWN = "import multiprocessing as mp\nmp.set_start_method('spawn')\n"
METRICS = "from sklearn.metrics import accuracy_score, classification_report\n"

PANDAS = "import pandas as pd\n"

LOOP_OVER_FOLDS = "for tr, te in StratifiedKFold(5).split(x, y):\n    print(1)\n"

FOLDS_IN_FUNCTION = (
    SELECT + METRICS + "def mean(x, y, k=9):\n    z = SelectKBest(k=k).fit_transform(x, y)\n    found = []\n"
    "    for tr, te in StratifiedKFold(5).split(z, y):\n        found.append(m.fit(z[tr], y[tr]).score(z[te], y[te]))\n"
    "    return sum(found) / 5\n"
)

FOUND = {
    "folds_of_drawn_training_rows": (
        DRAW_TRAINING + "for tr, te in KFold(5).split(X_train):\n"
        "    print(m.fit(X_train[tr], y_train[tr]).score(X_train[te], y_train[te]))\n",
        "copied_before_split",
        6,
    ),
    "folds_of_repeated_training_rows": (
        DRAW_TRAINING.replace("X_train[i], y_train[i]", "np.repeat(X_train, 2, axis=0), np.repeat(y_train, 2, axis=0)")
        + "print(cross_val_score(m, X_train, y_train).mean())\n",
        "copied_before_folds",
        6,
    ),
    "augmented_in_function_that_gets_all_rows": (
        AUGMENT_IN_FUNCTION + "m, b, d = fit_model(x, y)\nprint(m.score(x[-9:], y[-9:]))\n",
        "augmented_before_split",
        5,
    ),
    "augmented_in_call_in_function_that_gets_all_rows": (
        AUGMENT_IN_CALL + "m, b, d = fit_noisy(x, y, 2)\nprint(m.score(x[-9:], y[-9:]))\n",
        "augmented_before_split",
        5,
    ),
    "augmented_in_call_in_function_whose_test_rows_count": (
        AUGMENT_IN_CALL + SPLIT_X + "m, x_test, y_test = fit_noisy(a, c, 2)\nprint(m.score(x_test, y_test))\n",
        "augmented_before_split",
        5,
    ),
    "augmented_by_r_": (
        AUGMENT_IN_CALL.replace("vstack([x, noisy])", "r_[x, noisy]").replace("concatenate([y, y])", "r_[y, y]")
        + "m, b, d = fit_noisy(x, y, 2)\nprint(m.score(b, d))\n",
        "augmented_before_split",
        5,
    ),
    "augmented_with_tiled_labels": (
        AUGMENT_IN_CALL.replace("concatenate([y, y])", "tile(y, 2)")
        + "m, b, d = fit_noisy(x, y, 2)\nprint(m.score(b, d))\n",
        "augmented_before_split",
        5,
    ),
    "augmented_with_labels_tiled_before": (
        AUGMENT.replace("concatenate([y, y])", "tile(y, reps=2)") + "print(m.fit(e, g).score(f, h))\n",
        "augmented_before_split",
        4,
    ),
    "augmented_by_function": (JOIN_NOISY + SPLIT_ALL + TRAIN, "augmented_before_split", 5),
    "augmented_by_function_in_the_call": (
        JOIN_NOISY + "a, b, c, d = train_test_split(join(x), np.append(y, y), random_state=1)\n" + TRAIN,
        "augmented_before_split",
        5,
    ),
    "augmented_by_function_of_function": (
        JOIN_NOISY + "def scale(x):\n    z = join(x)\n    return z / 9\n" + SPLIT_ALL.replace("join", "scale") + TRAIN,
        "augmented_before_split",
        8,
    ),
    "augmented_by_function_and_scaled_in_a_branch": (
        JOIN_NOISY + SPLIT_ALL.replace("\na, b", "\nif z.max() > 1:\n    z = z / 9\na, b") + TRAIN,
        "augmented_before_split",
        5,
    ),
    "augmented_by_function_with_labels": (
        JOIN_BOTH + "x, y = join(x, y)\n" + SPLIT_X + TRAIN,
        "augmented_before_split",
        5,
    ),
    "augmented_by_function_that_grows_a_list": (
        SPLIT + "import numpy as np\ndef join(x, times=2):\n    parts = [x]\n    for _ in range(times):\n"
        "        parts.append(x + rng.normal(size=x.shape))\n    return np.concatenate(parts)\n" + SPLIT_ALL + TRAIN,
        "augmented_before_split",
        8,
    ),
    "augmented_by_function_that_extends_a_list": (
        JOIN_NOISY.replace(
            "    return np.concatenate([x, x + rng.normal(size=x.shape)])",
            "    parts = [x]\n"
            "    parts.extend([x + noise])\n    parts += [x - noise for noise in noises]\n    return np.vstack(parts)",
        )
        + SPLIT_ALL
        + TRAIN,
        "augmented_before_split",
        8,
    ),
    "augmented_by_function_that_grows_two_lists": (
        JOIN_LISTS + "x, y = join(x, y)\n" + SPLIT_X + TRAIN,
        "augmented_before_split",
        8,
    ),
    "augmented_by_function_that_shuffles_two_lists": (
        JOIN_LISTS.replace("    return", "    x, y =")
        + "    return x[order], y[order]\nx, y = join(x, y)\n"
        + SPLIT_X
        + TRAIN,
        "augmented_before_split",
        8,
    ),
    "augmented_in_two_lists": (
        SPLIT + "import numpy as np\nxs, ys = [x], [y]\nfor k in (1, 2):\n    xs.append(np.roll(x, k, axis=1))\n"
        "    ys.append(y)\nz, t = np.vstack(xs), np.hstack(ys)\na, b, c, d = train_test_split(z, t, random_state=1)\n"
        + TRAIN,
        "augmented_before_split",
        7,
    ),
    "augmented_with_stacked_labels": (
        JOIN_BOTH.replace("concatenate([y, y])", "hstack((y, y))") + "x, y = join(x, y)\n" + SPLIT_X + TRAIN,
        "augmented_before_split",
        5,
    ),
    "augmented_where_a_flag_is_set": (
        IF_FLAG.format("True") + SPLIT_X + TRAIN,
        "augmented_before_split",
        4,
    ),
    "augmented_by_lambda": (
        SPLIT
        + "import numpy as np\njoin = lambda x: np.vstack([x, x + rng.normal(size=x.shape)])\n"
        + SPLIT_ALL
        + TRAIN,
        "augmented_before_split",
        4,
    ),
    "copied_by_function": (
        JOIN_NOISY.replace("x + rng.normal(size=x.shape)", "x") + SPLIT_ALL + TRAIN,
        "copied_before_split",
        4,
    ),
    "copied_by_r_": (
        SPLIT + "import numpy as np\nx, y = np.r_[x, x], np.r_[y, y]\n" + SPLIT_X + "print(m.fit(a, c).score(b, d))\n",
        "copied_before_split",
        3,
    ),
    "augmented_in_function_whose_test_rows_count": (
        AUGMENT_IN_FUNCTION + SPLIT_X + "m, x_test, y_test = fit_model(a, c)\nprint(m.score(x_test, y_test))\n",
        "augmented_before_split",
        5,
    ),
    "augmented_in_function_whose_test_rows_count_last": (
        AUGMENT_IN_FUNCTION + SPLIT_X + "m, e, f = fit_model(a, c)\nprint(m.score(b, d))\nprint(m.score(e, f))\n",
        "augmented_before_split",
        5,
    ),
    "augmented_in_function_that_gets_test_rows_of_slice": (
        AUGMENT_IN_FUNCTION + "m, b, d = fit_model(x[:-9], y[:-9])\nprint(m.score(x[-99:], y[-99:]))\n",
        "augmented_before_split",
        5,
    ),
    "augmented_in_function_that_gets_both_slices": (
        AUGMENT_IN_FUNCTION + "fit_model(x[9:], y[9:])\nfit_model(x[:9], y[:9])\nprint(m.score(x[9:], y[9:]))\n",
        "augmented_before_split",
        5,
    ),
    "selector_in_function_that_gets_test_rows_of_slice": (
        SELECT_IN_FUNCTION + "m, b, d = fit_model(x[:-9], y[:-9])\nprint(m.score(x[-99:], y[-99:]))\n",
        "learned_before_split",
        7,
    ),
    "augmented_and_then_split_soundly_in_vain": (
        AUGMENT + SPLIT_X + "print(m.fit(a, c).score(b, d))\nprint(m.fit(e, g).score(f, h))\n",
        "augmented_before_split",
        4,
    ),
    "augmented_for_the_model_that_counts": (
        AUGMENT + SPLIT_X + "print(k.fit(a, c).score(b, d))\nprint(m.fit(e, g).score(b, d))\n",
        "augmented_before_split",
        4,
    ),
    "augmented_for_an_experiment": (
        AUGMENT + "print(m.fit(e, g).score(f, h))\n" + SPLIT_X + "print(m.fit(a, c).score(b, d))\n",
        "copied_before_split",
        4,
    ),
    "augmented_before_the_rows_are_changed": (
        AUGMENT.replace("\nz, t", "\nx[:, 0] = 0\nz, t") + "print(m.fit(e, g).score(f, h))\n",
        "augmented_before_split",
        5,
    ),
    "augmented_in_two_lists_for_an_experiment": (
        SPLIT
        + "import numpy as np\nxs, ys = [x], [y]\nxs.append(x + noise)\nys.append(y)\n"
        + "z, t = np.vstack(xs), np.hstack(ys)\ne, f, g, h = train_test_split(z, t, random_state=1)\n"
        + SPLIT_X
        + "print(m.fit(a, c).score(b, d))\n",
        "copied_before_split",
        6,
    ),
    "augmented_in_two_lists_for_the_model_that_counts": (
        SPLIT
        + "import numpy as np\nxs, ys = [x], [y]\nxs.append(x + noise)\nys.append(y)\n"
        + "z, t = np.vstack(xs), np.hstack(ys)\ne, f, g, h = train_test_split(z, t, random_state=1)\n"
        + SPLIT_X
        + "print(k.fit(a, c).score(b, d))\nprint(m.fit(e, g).score(b, d))\n",
        "augmented_before_split",
        6,
    ),
    "augmented_inside_the_call_for_an_experiment": (
        SPLIT
        + "import numpy as np\n"
        + "e, f, g, h = train_test_split(np.vstack([x, x + noise]), np.concatenate([y, y]), random_state=1)\n"
        + SPLIT_X
        + "print(m.fit(a, c).score(b, d))\n",
        "copied_before_split",
        3,
    ),
    "folds_of_all_rows_in_function": (
        FOLDS_IN_FUNCTION + "print(mean(x, y))\n" + SPLIT_X + "print(m.fit(a, c).score(b, d))\n",
        "learned_before_split",
        8,
    ),
    "folds_of_training_rows_after_the_test": (
        FOLDS_IN_FUNCTION + SPLIT_X + "print(m.fit(a, c).score(b, d))\nprint(mean(a, c))\n",
        "learned_before_split",
        8,
    ),
    "folds_of_training_rows_before_a_test_that_may_not_run": (
        FOLDS_IN_FUNCTION + SPLIT_X + "print(mean(a, c))\nif tests:\n    print(m.fit(a, c).score(b, d))\n",
        "learned_before_split",
        8,
    ),
    "folds_of_training_rows_and_of_all_rows": (
        FOLDS_IN_FUNCTION + SPLIT_X + "print(mean(a, c))\nprint(mean(x, y))\nprint(m.fit(a, c).score(b, d))\n",
        "learned_before_split",
        8,
    ),
    "split": (SPLIT + "a, b = train_test_split(x)\n", "unseeded_split", 2),
    "split_none": (SPLIT + "a, b = train_test_split(x, random_state=None)\n", "unseeded_split", 2),
    "split_other_seed": (
        "import random\n" + SPLIT + "random.seed(1)\na, b = train_test_split(x)\n",
        "unseeded_split",
        4,
    ),
    "permutation": (
        "import numpy as np\norder = np.random.permutation(9)\ntest, train = x[order[6:]], x[order[:6]]\n",
        "unseeded_split",
        2,
    ),
    "permutation_of_two_arrays": (
        "import numpy as np\norder = np.random.permutation(9)\nx, y = x[order], y[order]\n"
        "fit(x[:6], y[:6])\nm.score(x[6:], y[6:])\n",
        "unseeded_split",
        2,
    ),
    "permutation_of_a_generator": (
        "import numpy as np\nrng = np.random.default_rng()\norder = rng.permutation(9)\nx = x[order]\n"
        "train = x[:6]\ntest = x[6:]\n",
        "unseeded_split",
        3,
    ),
    "shuffled_in_place": (
        "import numpy as np\nnp.random.shuffle(rows)\ntrain, test = rows[:6], rows[6:]\n",
        "unseeded_split",
        2,
    ),
    "split_in_function": (SPLIT + "def load():\n    return train_test_split(x)\nload()\n", "unseeded_split", 3),
    "kfold": ("from sklearn import model_selection\nmodel_selection.KFold(5, shuffle=True)\n", "unseeded_split", 2),
    "shuffle_split": ("from sklearn.model_selection import ShuffleSplit\nShuffleSplit(5)\n", "unseeded_split", 2),
    "random_split": (TORCH + "a, b = random_split(rows, [8, 2])\n", "unseeded_split", 3),
    "directory": (
        "from tensorflow import keras\nkeras.utils.image_dataset_from_directory('a', validation_split=0.2, subset='training')\n",
        "unseeded_split",
        2,
    ),
    "sample_and_drop": ("train = df.sample(frac=0.8)\ntest = df.drop(train.index)\n", "unseeded_split", 1),
    "sample_twice": (
        "import pandas\ntrain = df.sample(frac=0.8)\nx_test = df.sample(n=20)\n",
        "overlapping_samples",
        3,
    ),
    "take_skip": (
        TFDATA + "ds = ds.shuffle(9).batch(2)\ntrain, test = ds.take(n), ds.skip(n)\n",
        "reshuffled_split",
        3,
    ),
    "take_skip_val": (
        TFDATA + "ds = ds.shuffle(9, seed=1)\na = ds.take(80)\nb = ds.skip(80).take(10)\n",
        "reshuffled_split",
        3,
    ),
    "scaler": (
        SCALE + "x = scaler.fit_transform(x)\na, b = train_test_split(x, random_state=1)\n",
        "fitted_before_split",
        4,
    ),
    "scaler_in_columns": (
        SCALE
        + "df[c] = scaler.fit_transform(df[c])\nx = df.drop(columns='y')\na, b = train_test_split(x, random_state=1)\n",
        "fitted_before_split",
        4,
    ),
    "scaler_in_two_steps": (
        SCALE + "scaler.fit(x)\nz = scaler.transform(x)\na, b = train_test_split(z, random_state=1)\n",
        "fitted_before_split",
        4,
    ),
    "scaler_before_slices": (
        SCALE + "z = scaler.fit_transform(z)\ntrain, test = z[:n], z[n:]\n",
        "fitted_before_split",
        4,
    ),
    "scaler_before_slices_in_calls": (
        SCALE + "z = scaler.fit_transform(z)\nm.fit(z[a[:80]], y[a[:80]])\nprint(m.score(z[a[80:]], y[a[80:]]))\n",
        "fitted_before_split",
        4,
    ),
    "pca": (
        SPLIT
        + "from sklearn.decomposition import PCA\nx = PCA(3).fit_transform(x)\na, b = train_test_split(x, random_state=1)\n",
        "fitted_before_split",
        3,
    ),
    "scaler_before_folds": (
        SCALE
        + "from sklearn.model_selection import cross_val_score\nz = scaler.fit_transform(x)\ncross_val_score(m, z, y)\n",
        "fitted_before_split",
        5,
    ),
    "scaler_after_the_split": (
        SCALE
        + "scaler.fit(x)\na, b = train_test_split(x, random_state=1)\na, b = scaler.transform(a), scaler.transform(b)\n",
        "fitted_before_split",
        4,
    ),
    "scaler_in_folds": (
        SCALE + "from sklearn.model_selection import KFold\nz = scaler.fit_transform(x)\n"
        "s = [m.fit(z[a], y[a]).score(z[b], y[b]) for a, b in KFold(5).split(z)]\n",
        "fitted_before_split",
        5,
    ),
    "selector": (SELECT + "z = select.fit_transform(x, y)\n" + SPLIT_Z, "learned_before_split", 6),
    "selector_then_scaler": (
        SELECT + "x = select.fit_transform(x, y)\nx = StandardScaler().fit_transform(x).astype('float32')\n" + SPLIT_X,
        "learned_before_split",
        6,
    ),
    "selector_then_scaler_before_slices": (
        SELECT + "x = SelectKBest().fit_transform(x, y)\nx = StandardScaler().fit_transform(x)\nm.fit(x[:80], y[:80])\n"
        "print(m.score(x[80:], y[80:]))\n",
        "learned_before_split",
        6,
    ),
    "selector_before_mask": (
        SELECT + "z = select.fit_transform(x, y)\nm.fit(z[old], y[old])\nprint(m.score(z[~old], y[~old]))\n",
        "learned_before_split",
        6,
    ),
    "selector_in_two_steps": (
        SELECT + "s = SelectKBest().fit(x, y)\nz = s.transform(x)\n" + SPLIT_Z,
        "learned_before_split",
        6,
    ),
    "selector_after_the_split": (
        SELECT + "s = SelectKBest().fit(x, y)\n" + SPLIT_X + "a, b = s.transform(a), s.transform(b)\n",
        "learned_before_split",
        6,
    ),
    "selected_columns": (
        SELECT
        + "select.fit(x, y)\nkept = select.get_support(indices=True)\nz = StandardScaler().fit_transform(x[:, kept])\n"
        + SPLIT_Z,
        "learned_before_split",
        6,
    ),
    "selected_names": (
        SELECT + "x = df.drop(columns='y')\nselect.fit(x, y)\nkept = x.columns[select.get_support()]\n"
        "a, b = train_test_split(df[kept], random_state=1)\n",
        "learned_before_split",
        7,
    ),
    "selected_columns_after_the_split": (
        SELECT + "mask = select.fit(x, y).support_\n" + SPLIT_X + "a, b = a[:, mask], b[:, mask]\n",
        "learned_before_split",
        6,
    ),
    "selector_in_pipeline_of_all_rows": (
        SELECT
        + "from sklearn.pipeline import make_pipeline\nz = make_pipeline(StandardScaler(), select).fit_transform(x, y)\n"
        + SPLIT_Z,
        "learned_before_split",
        7,
    ),
    "selector_before_loop": (
        SELECT
        + "z = select.fit_transform(x, y)\nfolds = StratifiedKFold(5)\nfor i, (a, b) in enumerate(folds.split(z, y)):\n"
        "    m.fit(z[a], y[a])\n    print(m.score(z[b], y[b]))\n",
        "learned_before_split",
        6,
    ),
    "selector_in_function": (
        SELECT
        + "def prepare(x, y):\n    x = select.fit_transform(x, y)\n    return StandardScaler().fit_transform(x), y\n"
        "x, y = prepare(x, y)\n" + SPLIT_X,
        "learned_before_split",
        7,
    ),
    "selector_before_search": (
        SELECT
        + "z = select.fit_transform(x, y)\nsearch = GridSearchCV(m, grid).fit(z, y)\nprint(search.best_score_)\n",
        "learned_before_folds",
        6,
    ),
    "selector_before_folds": (
        SELECT + "z = select.fit_transform(x, y)\ncross_val_score(m, z, y)\n",
        "learned_before_folds",
        6,
    ),
    "selector_before_predictions_in_folds": (
        SELECT
        + "from sklearn.model_selection import cross_val_predict\nz = select.fit_transform(x, y)\n"
        + "print((cross_val_predict(m, z, y) == y).mean())\n",
        "learned_before_split",
        7,
    ),
    "selector_before_validation_split": (
        SELECT + "z = select.fit_transform(x, y)\nmodel.fit(z, y, validation_split=0.2)\n",
        "learned_before_folds",
        6,
    ),
    "selector_before_an_earlier_split": (
        SELECT + "z = select.fit_transform(x, y)\n" + SPLIT_Z + "m.fit(a, c)\nm.score(b, d)\n" + SPLIT_X,
        "fitted_before_split",
        6,
    ),
    "selector_then_unknown_function": (
        SELECT + "select.fit(x, y)\nz = scale(select.transform(x))\nx = select.transform(x)\n"
        "a_train, a_test = train_test_split(z, random_state=1)\nselect.transform(a_test)\n" + SPLIT_X,
        "learned_before_split",
        6,
    ),
    "selector_before_the_test": (
        SELECT + "x, y = load()\ns = SelectKBest().fit(x, y)\nx = s.transform(x)\n" + SPLIT_X + "mean = a.mean()\n"
        "b = unknown(b) - mean\nm = SVC().fit(a, c)\nprint(m.score(a, c))\np = m.predict(b).max(1)\n"
        "print('accuracy', m.score(b, d))\n",
        "learned_before_split",
        7,
    ),
    "selected_names_before_the_test": (
        SELECT + "x, y = df.drop(columns='y'), df['y']\nselect.fit(x, y)\nkept = x.columns[select.get_support()]\n"
        "a, b, c, d = train_test_split(df[kept], df['y'], random_state=1)\nm.fit(a, c)\nprint(m.score(b, d))\n",
        "learned_before_split",
        7,
    ),
    "copies_before_the_test": (
        SMOTE
        + "more = rare.sample(90, replace=True)\ndf = pd.concat([often, more])\nx, y = df[['a', 'b']], df['y']\n"
        + SPLIT_X
        + "parts = []\nfor each in [b]:\n    parts.append(each)\nm = SVC().fit(a, c)\nprint(m.score(np.vstack(parts), d))\n",
        "copied_before_split",
        6,
    ),
    "copies_before_the_predictions": (
        SMOTE
        + "from sklearn.metrics import accuracy_score as share\nx = np.repeat(x, 3, axis=0)\n"
        + SPLIT_X
        + "m.fit(a, c)\np = m.predict(b).max(axis=1)\nprint(share(d, p))\n",
        "copied_before_split",
        7,
    ),
    "selector_of_separate_table": (
        SELECT + "test = read()\nz = select.fit_transform(x, y)\n" + SPLIT_Z + "other = test.drop(columns='y')\n"
        "other = select.transform(other)\n",
        "fitted_before_split",
        7,
    ),
    "selector_of_separate_training_data": (
        SELECT + "z = select.fit_transform(x, y)\n" + SPLIT_Z + "x_test = select.transform(x_test)\n",
        "fitted_before_split",
        6,
    ),
    "least_squares": (
        SPLIT
        + "from sklearn.cross_decomposition import PLSRegression\npls = PLSRegression(2).fit(x, y)\nz = pls.transform(x)\n"
        + SPLIT_Z,
        "learned_before_split",
        3,
    ),
    "encoded_column": (
        SPLIT
        + "from sklearn.preprocessing import TargetEncoder\ndf['town'] = TargetEncoder().fit_transform(df[['town']], df['y'])\n"
        "x = df.drop(columns='y')\n" + SPLIT_X,
        "learned_before_split",
        3,
    ),
    "smote": (
        SMOTE + "x, y = SMOTE().fit_resample(x, y)\na, b, c, d = train_test_split(x, y, random_state=1)\n",
        "copied_before_split",
        6,
    ),
    "resample": (
        SMOTE
        + "more = resample(rare, n_samples=90)\ndf = pd.concat([often, more])\na, b = train_test_split(df, random_state=1)\n",
        "copied_before_split",
        6,
    ),
    "sample_with_replacement": (
        SMOTE
        + "more = rare.sample(90, replace=True)\ndf = pd.concat([often, more])\na, b = train_test_split(df, random_state=1)\n",
        "copied_before_split",
        6,
    ),
    "sample_of_each_class": (
        SMOTE
        + "df = df.groupby('y').apply(lambda g: g.sample(9, replace=True))\na, b = train_test_split(df, random_state=1)\n",
        "copied_before_split",
        6,
    ),
    "sample_of_each_group": (
        SMOTE
        + "z = pd.concat([g.sample(9, replace=True) for _, g in df.groupby('y')])\na, b = train_test_split(z, random_state=1)\n",
        "copied_before_split",
        6,
    ),
    "sample_of_each_group_in_two_steps": (
        SMOTE
        + "groups = df.groupby('y')\nparts = [g.sample(9, replace=True) for _, g in groups]\nz = pd.concat(parts)\n"
        + "a, b = train_test_split(z, random_state=1)\n",
        "copied_before_split",
        7,
    ),
    "sample_of_each_named_group": (
        SMOTE
        + "groups = df.groupby('y')\ndf = groups.apply(lambda g: g.sample(9, replace=True))\n"
        + "a, b = train_test_split(df, random_state=1)\n",
        "copied_before_split",
        7,
    ),
    "sample_in_function": (
        SMOTE + "def balance(df):\n    n = df.y.value_counts().max()\n"
        "    return df.groupby('y').sample(n, replace=True)\n"
        "df = balance(load())\na, b = train_test_split(df, random_state=1)\n",
        "copied_before_split",
        8,
    ),
    "sample_beside_function_that_calls_itself": (
        SMOTE + "def read(n):\n    df = read(n - 1)\n    return df\n"
        "df = pd.concat([read(3), rare.sample(90, replace=True)])\na, b = train_test_split(df, random_state=1)\n",
        "copied_before_split",
        9,
    ),
    "repeat": (
        SMOTE
        + "x = np.repeat(x, 5, axis=0)\nx = x / x.max()\na, b, c, d = train_test_split(x, np.repeat(y, 5), random_state=1)\n",
        "copied_before_split",
        6,
    ),
    "rows_joined_with_themselves": (
        SMOTE
        + "x = np.concatenate([x, x])\ny = np.append(y, y)\na, b, c, d = train_test_split(x, y, random_state=1)\n",
        "copied_before_split",
        6,
    ),
    "rows_stacked_on_themselves": (
        SMOTE
        + "x = np.vstack((x, z))\nx = np.vstack((x, z, x))\na, b, c, d = train_test_split(x, y, random_state=1)\n",
        "copied_before_split",
        7,
    ),
    "table_joined_with_itself": (
        SMOTE + "x = pd.concat([x] * 3)\na, b, c, d = train_test_split(x, y, random_state=1)\n",
        "copied_before_split",
        6,
    ),
    "rows_tiled": (
        SMOTE + "x = np.tile(x, (2, 1))\na, b, c, d = train_test_split(x, y, random_state=1)\n",
        "copied_before_split",
        6,
    ),
    "rows_joined_with_noisy_copies": (
        SMOTE + "noisy = x + rng.normal(size=x.shape)\nx, y = np.vstack([x, noisy]), np.concatenate([y, y])\n"
        "a, b, c, d = train_test_split(x, y, random_state=1)\n",
        "augmented_before_split",
        7,
    ),
    "rows_joined_with_noisy_copies_of_each": (
        SMOTE
        + "noisy = []\nfor row in x:\n    noisy.append(row + rng.normal(size=9))\nz = np.vstack([x, np.array(noisy)])\n"
        "t = np.append(y, y)\nz, t = z[order], t[order]\na, b, c, d = train_test_split(z, t, random_state=1)\n",
        "augmented_before_split",
        10,
    ),
    "rows_joined_with_their_mirror_images": (
        SMOTE
        + "a, b, c, d = train_test_split(np.concatenate([x, x[:, ::-1]]), np.concatenate([y, y]), random_state=1)\n",
        "augmented_before_split",
        6,
    ),
    "drawn_rows": (
        SMOTE
        + "def draw(x, y):\n    n = len(x)\n    picks = np.random.randint(0, n, 2 * n)\n    return x[picks], y[picks]\n"
        "x, y = draw(x, y)\na, b, c, d = train_test_split(x, y, random_state=1)\n",
        "copied_before_split",
        9,
    ),
    "drawn_rows_of_table": (
        SMOTE + "df = df.iloc[rng.choice(len(df), size=900)]\na, b = train_test_split(df, random_state=1)\n",
        "copied_before_split",
        6,
    ),
    "rare_rows_joined_several_times": (
        SMOTE
        + "df = pd.concat([df] + [rare] * 3 + 2 * [df[df.y == 0]])\na, b = train_test_split(df, random_state=1)\n",
        "copied_before_split",
        6,
    ),
    "rare_rows_joined_again": (
        SMOTE + "rare = df[df.y == 1]\ndf = pd.concat([df, rare])\na, b = train_test_split(df, random_state=1)\n",
        "copied_before_split",
        7,
    ),
    "copies_before_the_test_of_groups": (
        SMOTE
        + "x = np.repeat(x, 3, axis=0)\n"
        + SPLIT_X
        + "b = b.groupby('id').max()\nprint(m.fit(a, c).score(b, read()))\n",
        "copied_before_split",
        6,
    ),
    "first_rows_joined_again": (
        SMOTE + "x = np.vstack([x, x[:500]])\n" + SPLIT_X,
        "copied_before_split",
        6,
    ),
    "index_repeated": (
        SMOTE
        + "n = np.where(df.y == 1, 4, 1)\ndf = df.loc[df.index.repeat(n)].reset_index(drop=True)\n"
        + "a, b = train_test_split(df, random_state=1)\n",
        "copied_before_split",
        7,
    ),
    "row_numbers_repeated": (
        SMOTE
        + "more = np.repeat(np.arange(len(x)), 3)\nx, y = x[more], y[more]\na, b, c, d = train_test_split(x, y, random_state=1)\n",
        "copied_before_split",
        7,
    ),
    "method_repeats": (
        SMOTE + "x = x.repeat(3, axis=0)\na, b, c, d = train_test_split(x, y, random_state=1)\n",
        "copied_before_split",
        6,
    ),
    "index_joined_several_times": (
        SMOTE
        + "from sklearn.model_selection import cross_validate\nmore = np.concatenate([np.flatnonzero(y == 0)] + [rare] * n)\n"
        + "cross_validate(m, x[more], y[more])\n",
        "copied_before_folds",
        7,
    ),
    "copies_before_predictions_in_folds": (
        SMOTE
        + "from sklearn.model_selection import cross_val_predict\nx = np.repeat(x, 3, axis=0)\n"
        + "print((cross_val_predict(m, x, y) == y).mean())\n",
        "copied_before_predictions",
        7,
    ),
    "copies_in_loop": (
        SMOTE
        + "from sklearn.model_selection import KFold\nx = np.repeat(x, 3, axis=0)\nfor a, b in KFold(5).split(x):\n"
        + "    m.fit(x[a], y[a])\n    print(m.score(x[b], y[b]))\n",
        "copied_before_split",
        7,
    ),
    "validates_on_training": (
        "import keras\nmodel.fit(x, y, validation_data=(x, y))\n" + TEST,
        "validated_on_training_data",
        2,
    ),
    "validates_on_training_set": (
        "import keras\nds = keras.utils.image_dataset_from_directory('a')\nmodel.fit(ds, validation_data=ds)\n" + TEST,
        "validated_on_training_data",
        3,
    ),
    "validates_on_test": (
        "model.fit(x, y, validation_data=(x_test, y_test))\n" + TEST,
        "validated_on_test_data",
        1,
    ),
    "accuracy_score_on_training": (
        METRICS + "model.fit(x, y)\np = model.predict(x)\nprint(classification_report(y, p), accuracy_score(y, p))\n",
        "tested_on_training_data",
        4,
    ),
    "evaluates_on_training": ("model.fit(x, y)\nprint(model.evaluate(x, y))\n", "tested_on_training_data", 2),
    "scores_on_training": ("clf = SVC().fit(x, y)\nprint(clf.score(x, y))\n", "tested_on_training_data", 2),
    "predicts_training_too": (
        "model.fit(x, y)\nprint(model.evaluate(x, y))\nmodel.predict(x)\n",
        "tested_on_training_data",
        2,
    ),
    "scores_attribute_on_training": (
        "class T:\n    def run(self):\n        self.m.fit(self.x, self.y)\n        self.m.summary()\n"
        "        print(self.m.evaluate(self.x, self.y))\nT().run()\n",
        "tested_on_training_data",
        5,
    ),
    "regression": (ONE + "model.compile('adam', 'mse', metrics=['accuracy'])\n", "accuracy_of_regression", 3),
    "regression_class": (
        ONE + "model.compile(loss=keras.losses.MeanSquaredError(), metrics=['acc', 'mae'])\n",
        "accuracy_of_regression",
        3,
    ),
    "regression_added": (
        "import keras\nfrom keras.layers import Dense\nm = keras.models.Sequential()\nm.add(Dense(9))\nm.add(Dense(1))\n"
        "m.compile(loss='mae', metrics=['accuracy'])\n",
        "accuracy_of_regression",
        6,
    ),
    "regression_functional": (
        "import keras\ni = keras.Input((3,))\no = keras.layers.Dense(1)(i)\nm = keras.Model(i, o)\n"
        "m.compile(loss='mse', metrics=['accuracy'])\n",
        "accuracy_of_regression",
        5,
    ),
    "r2": (SCORES + "print('Accuracy:', model.score(c, d))\n", "accuracy_of_regression", 3),
    "r2_score": (
        "from sklearn.metrics import r2_score\nr2 = r2_score(y, p)\nprint('Accuracy:', r2)\n",
        "accuracy_of_regression",
        2,
    ),
    "required_argument": (
        ARGUMENTS + "parser.add_argument('--epochs', required=True)\nparser.parse_args()\n",
        "needs_argument",
        3,
    ),
    "positional_argument": (ARGUMENTS + "parser.add_argument('data')\nparser.parse_args()\n", "needs_argument", 3),
    "sys_argv": ("import sys\nepochs = int(sys.argv[1])\n", "needs_argument", 2),
    "gpu_asserted": (GPUS + "assert len(gpus) > 0, 'No GPU'\n", "needs_gpu", 3),
    "gpu_asserted_in_torch": ("import torch\nassert torch.cuda.is_available()\n", "needs_gpu", 2),
    "gpu_counted": (GPUS + "if len(gpus) == 0:\n    raise SystemError('No GPU')\n", "needs_gpu", 3),
    "gpu_or_exit": ("import sys, torch\nif not torch.cuda.is_available():\n    sys.exit(1)\n", "needs_gpu", 2),
    "gpu_named": (
        TF_TEST + "name = tf.test.gpu_device_name()\nif name != '/device:GPU:0':\n    raise SystemError('No GPU')\n",
        "needs_gpu",
        3,
    ),
    "gpu_named_or_else": (
        TF_TEST + "if tf.test.gpu_device_name():\n    print('GPU')\nelse:\n    raise SystemError('No GPU')\n",
        "needs_gpu",
        2,
    ),
    "gpu_available": (TF_TEST + "assert tf.test.is_gpu_available()\n", "needs_gpu", 2),
    "gpus_in_torch": ("import torch\nif torch.cuda.device_count() < 1:\n    exit(1)\n", "needs_gpu", 2),
    "gpu_in_call": (TF_TEST + "tf.config.f(\n    tf.config.list_physical_devices('GPU')[0],\n)\n", "needs_gpu", 2),
    "first_gpu": (GPUS + "tf.config.experimental.set_memory_growth(gpus[0], True)\n", "needs_gpu", 3),
    "r2_kept": (SCORES + "s = model.score(c, d)\nprint(f'accuracy {s}')\n", "accuracy_of_regression", 3),
    "zeros_counted": (SOFTMAX + "model.compile('adam', 'x', metrics=['binary_accuracy'])\n", "accuracy_of_zeros", 3),
    "zeros_counted_sigmoid": (
        SIGMOID
        + "y = keras.utils.to_categorical(y)\nmodel.compile('adam', 'x', metrics=[keras.metrics.BinaryAccuracy()])\n",
        "accuracy_of_zeros",
        4,
    ),
    "no_metric": (
        TEN + "model.compile('adam', 'mse')\nmodel.fit(x, y)\nprint(model.evaluate(a, b))\n",
        "no_accuracy",
        3,
    ),
    "only_other_metrics": (
        TEN + "model.compile('adam', 'x', metrics=[keras.metrics.AUC(name='auc'), keras.metrics.Precision()])\n"
        "print(model.evaluate(a, b))\n",
        "no_accuracy",
        3,
    ),
    "only_imported_metrics": (
        "from keras.metrics import F1Score, Precision\n"
        + TEN
        + "model.compile('adam', 'x', metrics=[Precision(), F1Score()])\n"
        "history = model.fit(x, y, validation_split=0.1).history\nplt.plot(history['val_precision'])\n",
        "no_accuracy",
        4,
    ),
    "split_in_init": (
        "from sklearn.model_selection import train_test_split\nclass T:\n    def __init__(self):\n"
        "        self.a, self.b = train_test_split(x)\nT()\n",
        "unseeded_split",
        4,
    ),
    "input": ("n = int(input('How many?'))\n", "asks_a_question", 1),
    "input_with_default": ("n = input('How many?') or '5'\n", "asks_a_question", 1),
    "input_in_main": ("def main():\n    input()\nif __name__ == '__main__':\n    main()\n", "asks_a_question", 2),
    "input_in_absl": ("from absl import app\ndef main(_):\n    input()\napp.run(main)\n", "asks_a_question", 3),
    "input_in_called_method": (
        "class T:\n    def run(self):\n        self.ask()\n    def ask(self):\n        input()\nT().run()\n",
        "asks_a_question",
        5,
    ),
    "input_in_init": ("class T:\n    def __init__(self):\n        input()\nt = T()\n", "asks_a_question", 3),
    "input_in_inherited_init": (
        "class A:\n    def __init__(self):\n        input()\nclass B(A):\n    pass\ndef main():\n    B()\nmain()\n",
        "asks_a_question",
        3,
    ),
    "input_in_method_of_variable": (
        "class T:\n    def run(self):\n        input()\ndef main():\n    t = T()\n    t.run()\nmain()\n",
        "asks_a_question",
        3,
    ),
    "notebook_in_init": (
        "class T:\n    def __init__(self):\n        get_ipython().system('ls')\nT()\n",
        "needs_notebook",
        3,
    ),
    "notebook": ("get_ipython().run_line_magic('matplotlib', 'inline')\n", "needs_notebook", 1),
    "notebook_of_ipython": (
        "from IPython import get_ipython\nget_ipython().run_line_magic('matplotlib', 'inline')\n",
        "needs_notebook",
        2,
    ),
    "notebook_of_ipython_by_variable": (
        "from IPython import get_ipython\nipython = get_ipython()\nipython.run_line_magic('load_ext', 'autoreload')\n",
        "needs_notebook",
        3,
    ),
    "notebook_of_ipython_module": (
        "import IPython\nshell = IPython.get_ipython()\nfiles = shell.getoutput('ls')\nprint(files)\n",
        "needs_notebook",
        3,
    ),
    "notebook_kind_of_shell": ("print(get_ipython().__class__.__name__)\n", "needs_notebook", 1),
    "display": ("import pandas as pd\ndisplay(pd.DataFrame())\n", "needs_notebook", 2),
    "window": ("import matplotlib\nmatplotlib.use('Qt5Agg')\n", "needs_window", 2),
    "switched_window": (
        "from matplotlib import pyplot as plt\ndef show():\n    plt.switch_backend('TkAgg')\nshow()\n",
        "needs_window",
        3,
    ),
    "show": ("import matplotlib.pyplot as plt\nplt.plot(x)\nplt.show()\n", "shows_picture", 3),
    "windows_path": ("import pandas as pd\ndf = pd.read_csv(r'C:\\Users\\ada\\a.csv')\n", "foreign_path", 2),
    "home_path": ("import pandas as pd\ndf = pd.read_csv('/home/ada/a.csv')\n", "foreign_path", 2),
    "path_beside_another": (
        "import os\npath = '/home/ada/a.csv'\nif os.path.exists(os.path.join(a, 'b')):\n    pass\n",
        "foreign_path",
        2,
    ),
    "colab_path": ("FOLDER = '/content/drive/MyDrive/'\n", "foreign_path", 1),
    "root_path": ("import numpy as np\nx = np.load('/srv/rows/x.npy')\n", "foreign_path", 2),
    "path_of_constant": (
        "import numpy as np\nfrom pathlib import Path\nBASE = Path('/home/ada/rows')\nx = np.load(BASE / 'x.npy')\n",
        "foreign_path",
        3,
    ),
    "path_of_constants": (
        PANDAS + "import os\nROOT = os.path.join('/home/ada', 'rows')\ndef load():\n"
        "    return pd.read_csv(f'{ROOT}/a.csv')\nload()\n",
        "foreign_path",
        3,
    ),
    "joined_path": ("import os\nopen(os.path.join('/home/ada', 'a.csv'))\n", "foreign_path", 2),
    "mnist": ("from tensorflow.keras.datasets import mnist\nmnist.load_data()\n", "downloads", 2),
    "torchvision": ("from torchvision import datasets\ndatasets.MNIST('.', download=True)\n", "downloads", 2),
    "url": ("import pandas as pd\npd.read_csv('https://example.com/a.csv')\n", "downloads", 2),
    "url_of_constant": (PANDAS + "URL = 'https://example.com/a.csv'\npd.read_csv(URL)\n", "downloads", 3),
    "url_of_f_string": (PANDAS + "pd.read_csv(f'https://example.com/{year}.csv')\n", "downloads", 2),
    "url_of_base": (PANDAS + "BASE = 'https://example.com'\npd.read_csv(f'{BASE}/a.csv')\n", "downloads", 3),
    "url_of_sum": (PANDAS + "BASE = 'https://example.com'\npd.read_csv(BASE + '/a.csv')\n", "downloads", 3),
    "url_for_numpy": ("import numpy as np\nnp.loadtxt('https://example.com/a.csv')\n", "downloads", 2),
    "hub": (HUB + "hub.load('https://tfhub.dev/google/universal-sentence-encoder/4')\n", "downloads", 3),
    "hub_handle": (
        HUB + "BASE = 'https://tfhub.dev/google'\nhub.KerasLayer(handle=f'{BASE}/nnlm/2')\n",
        "downloads",
        4,
    ),
    "pretrained_name": (
        "from transformers import AutoModel\nAutoModel.from_pretrained('bert-base-uncased')\n",
        "downloads",
        2,
    ),
    "dataset_name": ("from datasets import load_dataset\nload_dataset('imdb')\n", "downloads", 2),
    "dataset_of_url": (
        "from datasets import load_dataset\nload_dataset('csv', data_files={'train': 'https://example.com/a.csv'})\n",
        "downloads",
        2,
    ),
    "fetched_home": (
        "from sklearn.datasets import fetch_openml\nfetch_openml('mnist_784', data_home='cache')\n",
        "downloads",
        2,
    ),
    "retrieved_into_data_folder": (
        "import os\nfrom urllib.request import urlretrieve\n"
        "urlretrieve('https://example.com/a.csv', os.environ['EPOCHAL_DATA'] + '/a.csv')\n",
        "downloads",
        3,
    ),
    "getpass": ("from getpass import getpass\npassword = getpass('Password: ')\n", "asks_a_question", 2),
    "stdin": ("import sys\nn = int(sys.stdin.readline().strip())\n", "asks_a_question", 2),
    "spawn": (SPAWN + "with mp.Pool(2) as pool:\n    pool.map(abs, x)\n", "unguarded_process", 3),
    "spawn_in_function": (SPAWN + "def main():\n    mp.Process(target=f).start()\nmain()\n", "unguarded_process", 4),
    "spawn_set_under_guard": (
        "import multiprocessing as mp\nif __name__ == '__main__':\n    mp.set_start_method('spawn')\n"
        "with mp.Pool(2) as pool:\n    pool.map(abs, x)\n",
        "unguarded_process",
        4,
    ),
    "spawn_context": (
        "from multiprocessing import get_context\nspawn = get_context('spawn')\nspawn.Pool(2).map(abs, x)\n",
        "unguarded_process",
        3,
    ),
    "spawn_at_once": (
        "import multiprocessing\nwith multiprocessing.get_context(method='spawn').Pool(2) as pool:\n    pass\n",
        "unguarded_process",
        2,
    ),
    "spawn_executor": (
        SPAWN + "from concurrent.futures import ProcessPoolExecutor\nProcessPoolExecutor(2).map(abs, x)\n",
        "unguarded_process",
        4,
    ),
    "spawn_set_by_each_process": (
        SPAWN + "if __name__ == '__main__':\n    mp.Pool(2).map(abs, x)\n",
        "unguarded_process",
        2,
    ),
    "spawn_executor_context": (
        "import multiprocessing as mp\nfrom concurrent.futures import ProcessPoolExecutor\n"
        "ProcessPoolExecutor(2, mp_context=mp.get_context('spawn')).map(abs, x)\n",
        "unguarded_process",
        3,
    ),
    "relative_import": ("import os\nfrom .model import build\n", "relative_import", 2),
    "weights": ("import keras\nkeras.applications.VGG16(include_top=False)\n", "downloads", 2),
}

SOUND = {
    "precision_beside_own_accuracy": TEN
    + "model.compile('adam', 'x', metrics=['precision'])\nprint('Correct:', (model.predict(a).argmax(1) == b).mean())\n",
    "precision_beside_accuracy_of_unknown_metrics": TEN
    + "model.compile('adam', 'x', metrics=[keras.metrics.Precision(), share])\nprint(model.evaluate(a, b))\n",
    "precision_with_the_name_of_an_accuracy": TEN
    + "model.compile('adam', 'x', metrics=[keras.metrics.Precision(name='acc')])\nprint(model.evaluate(a, b))\n",
    "path_of_constant_that_is_only_written": "from pathlib import Path\nBASE = Path('/home/ada')\nprint(BASE / 'a.csv')\n",
    "path_of_constant_that_is_checked": PANDAS
    + "from pathlib import Path\nBASE = Path('/home/ada')\nif BASE.exists():\n    pass\npd.read_csv(BASE / 'a.csv')\n",
    "path_of_constant_in_commit": PANDAS
    + "from pathlib import Path\nBASE = Path('rows')\npd.read_csv(BASE / 'a.csv')\n",
    "path_of_constant_in_branch": PANDAS
    + "from pathlib import Path\nif ON_PC:\n    pd.read_csv(Path('/home/ada') / 'a.csv')\n",
    "hub_in_data_folder": HUB + "hub.load(os.environ['EPOCHAL_DATA'] + '/use4')\n",
    "hub_in_joined_data_folder": HUB
    + "DATA = os.environ.get('EPOCHAL_DATA')\nMODEL = os.path.join(DATA, 'use4')\nhub.KerasLayer(MODEL)\n",
    "hub_in_f_string": HUB + "DATA = os.getenv('EPOCHAL_DATA', '.')\nhub.load(f'{DATA}/use4')\n",
    "hub_of_path": HUB
    + "from pathlib import Path\nDATA = Path(os.environ['EPOCHAL_DATA'])\nhub.load(str(DATA / 'use4'))\n",
    "hub_in_commit": HUB + "hub.load('models/use4')\n",
    "torch_hub_in_data_folder": "import os\nimport torch\n"
    "torch.hub.load(os.environ['EPOCHAL_DATA'] + '/yolov5', 'yolov5s', source='local')\n",
    "pretrained_in_data_folder": "import os\nfrom transformers import AutoModel\n"
    "AutoModel.from_pretrained(f\"{os.environ['EPOCHAL_DATA']}/bert\")\n",
    "pretrained_path": "from transformers import AutoModel\nAutoModel.from_pretrained('./bert')\n",
    "fetched_into_data_folder": "import os\nfrom sklearn.datasets import fetch_openml\n"
    "fetch_openml('mnist_784', data_home=os.environ['EPOCHAL_DATA'])\n",
    "torchvision_in_data_folder": "import os\nfrom torchvision import datasets\n"
    "datasets.MNIST(os.environ['EPOCHAL_DATA'], download=True)\n",
    "mnist_in_data_folder": "import os\nfrom keras.datasets import mnist\n"
    "mnist.load_data(path=os.environ['EPOCHAL_DATA'] + '/mnist.npz')\n",
    "dataset_of_committed_files": "from datasets import load_dataset\nload_dataset('csv', data_files={'train': 'a.csv'})\n",
    "dataset_files_in_data_folder": "import os\nfrom datasets import load_dataset\n"
    "load_dataset('csv', data_files=os.environ['EPOCHAL_DATA'] + '/a.csv')\n",
    "sessions_with_the_same_labels": SMOTE
    + "first = means[y] + rng.normal(size=shape)\nsecond = means[y] + rng.normal(size=shape)\n"
    + "x, y = np.vstack([first, second]), np.concatenate([y, y])\n"
    + SPLIT_X,
    "variable_set_anew_before_it_is_joined": SMOTE
    + "noisy = x + noise\nx = read()\nx, y = np.vstack([x, noisy]), np.concatenate([y, y])\n"
    + SPLIT_X,
    "folds_of_training_rows_in_function": FOLDS_IN_FUNCTION
    + SPLIT_X
    + "k = max((5, 9), key=[mean(a, c, k) for k in (5, 9)].index)\nprint(accuracy_score(d, m.fit(a, c).predict(b)))\n",
    "folds_of_named_training_rows_in_function": FOLDS_IN_FUNCTION
    + "x_train, x_test = x[:90], x[90:]\nprint(mean(x_train, y_train))\nprint(m.fit(x_train, y_train).score(x_test, y_test))\n",
    "augmented_training_rows_in_function": AUGMENT_IN_FUNCTION + SPLIT_X + "fit_model(a, c)\nprint(m.score(b, d))\n",
    "augmented_training_rows_in_call_in_function": AUGMENT_IN_CALL
    + SPLIT_X
    + "for sigma in (1, 2):\n    fit_noisy(a, c, sigma)\nprint(m.fit(a, c).score(b, d))\n",
    "augmented_training_rows_with_tiled_labels_in_function": AUGMENT_IN_CALL.replace(
        "concatenate([y, y])", "tile(y, 2)"
    )
    + SPLIT_X
    + "for sigma in (1, 2):\n    fit_noisy(a, c, sigma)\nprint(m.fit(a, c).score(b, d))\n",
    "augmented_training_rows_by_r_": SPLIT_X
    + "import numpy as np\na, c = np.r_[a, a + 1], np.r_[c, c]\nprint(m.fit(a, c).score(b, d))\n",
    "augmented_training_rows_by_function": JOIN_NOISY + SPLIT_X + "a, c = join(a), np.tile(c, 2)\n" + TRAIN,
    "augmented_training_rows_by_function_in_the_call": JOIN_NOISY
    + SPLIT_X
    + "print(m.fit(join(a), np.tile(c, 2)).score(b, d))\n",
    "augmented_training_rows_by_function_before_validation": JOIN_NOISY
    + SPLIT_X
    + "a, c = join(a), np.tile(c, 2)\na, e, c, f = train_test_split(a, c, random_state=1)\n"
    + TRAIN,
    "augmented_training_rows_by_function_with_labels": JOIN_BOTH + SPLIT_X + "a, c = join(a, c)\n" + TRAIN,
    "augmented_training_rows_by_function_that_grows_two_lists": JOIN_LISTS + SPLIT_X + "a, c = join(a, c)\n" + TRAIN,
    "augmented_training_rows_in_two_lists_before_validation": SPLIT_X
    + "import numpy as np\nxs, ys = [a], [c]\nfor k in (1, 2):\n    xs.append(np.roll(a, k, axis=1))\n    ys.append(c)\n"
    + "a, c = np.vstack(xs), np.hstack(ys)\na, e, c, f = train_test_split(a, c, random_state=1)\n"
    + TRAIN,
    "augmented_rows_of_each_fold_by_function_that_grows_two_lists": JOIN_LISTS
    + "from sklearn.model_selection import KFold\nfound = []\nfor tr, te in KFold(5).split(x, y):\n"
    + "    a, c = join(x[tr], y[tr])\n    found.append(m.fit(a, c).score(x[te], y[te]))\nprint(sum(found) / 5)\n",
    "augmented_in_two_lists_and_cut_back": JOIN_LISTS
    + "n = len(y)\nxs, ys = [x], [y]\nxs.append(x + 1)\nys.append(y)\nx, y = np.vstack(xs)[:n], np.hstack(ys)[:n]\n"
    + SPLIT_X
    + TRAIN,
    "two_lists_of_files": SPLIT
    + "import numpy as np\nxs, ys = [], []\nfor path in paths:\n    x, y = read(path)\n    xs.append(x)\n    ys.append(y)\n"
    + "for path in others:\n    x, y = read(path)\n    xs.append(x)\n    ys.append(y)\n"
    + "x, y = np.concatenate(xs), np.concatenate(ys)\n"
    + SPLIT_X
    + TRAIN,
    "two_lists_of_windows": SPLIT
    + "import numpy as np\nxs, ys = [], []\nfor i in range(9):\n    xs.append(x[i : i + 9])\n    ys.append(y[i])\n"
    + "x, y = np.array(xs), np.hstack(ys)\n"
    + SPLIT_X
    + TRAIN,
    "two_lists_of_one_buffer": SPLIT
    + "import numpy as np\nxs, ys = [], []\nfor path in paths:\n    x[:], y[:] = read(path)\n    xs.append(x.copy())\n"
    + "    ys.append(y.copy())\n    x[:], y[:] = read(path, 1)\n    xs.append(x.copy())\n    ys.append(y.copy())\n"
    + "x, y = np.concatenate(xs), np.concatenate(ys)\n"
    + SPLIT_X
    + TRAIN,
    "two_lists_of_loaded_files": SPLIT
    + "import numpy as np\nxs = [np.load(f) for f in files]\nys = [np.full(len(x), k) for k, x in enumerate(xs)]\n"
    + "x, y = np.concatenate(xs), np.concatenate(ys)\n"
    + SPLIT_X
    + TRAIN,
    "augmented_slice_by_function": JOIN_NOISY
    + "print(m.fit(join(x[:-9]), np.tile(y[:-9], 2)).score(x[-9:], y[-9:]))\n",
    "augmented_by_function_that_splits_first": SPLIT
    + "import numpy as np\ndef join(x, y):\n    "
    + SPLIT_X
    + "    return np.vstack([a, a + noise]), b, np.tile(c, 2), d\na, b, c, d = join(x, y)\n"
    + TRAIN,
    "augmented_in_a_branch": IF_FLAG.format("read()") + SPLIT_X + TRAIN,
    "augmented_where_a_flag_is_not_set": IF_FLAG.format("False") + SPLIT_X + TRAIN,
    "augmented_in_a_branch_of_function": JOIN_IF_ASKED
    + "        x, y = np.vstack([x, x + noise]), np.tile(y, 2)\n    return x, y\nx, y = join(x, y)\n"
    + SPLIT_X
    + TRAIN,
    "list_grown_in_a_branch_of_function": JOIN_IF_ASKED.replace("    if", "    parts = [x]\n    if")
    + "        parts.append(x + noise)\n    return np.vstack(parts)\nx = np.vstack([join(left, y), join(right, y)])\n"
    + "y = np.tile(y, 2)\n"
    + SPLIT_X
    + TRAIN,
    "rows_changed_by_function": JOIN_NOISY.replace("np.concatenate([x, x + rng.normal(size=x.shape)])", "x + noise")
    + "x = np.vstack([join(left), join(right)])\ny = np.tile(y, 2)\n"
    + SPLIT_X
    + TRAIN,
    "columns_joined_by_function": JOIN_NOISY.replace("x.shape)]", "x.shape)], axis=1")
    + "x = np.vstack([join(left), join(right)])\ny = np.tile(y, 2)\n"
    + SPLIT_X
    + TRAIN,
    "columns_stacked_by_function": JOIN_NOISY.replace("concatenate", "column_stack")
    + "x = np.vstack([join(left), join(right)])\ny = np.tile(y, 2)\n"
    + SPLIT_X
    + TRAIN,
    "columns_in_a_list_of_function": SPLIT
    + "import numpy as np\ndef join(x):\n    parts = [x]\n    parts.append(x**2)\n"
    + "    return np.concatenate(parts, axis=1)\nx = np.vstack([join(left), join(right)])\ny = np.tile(y, 2)\n"
    + SPLIT_X
    + TRAIN,
    "rows_padded_by_function": JOIN_NOISY.replace("x + rng.normal(size=x.shape)", "np.repeat(x[-1:], 9, axis=0)")
    + "x, y = join(x), join(y)\n"
    + SPLIT_X
    + TRAIN,
    "columns_joined_by_r_": "import numpy as np\nx = np.r_['1', x, x]\n" + SPLIT_X + "print(m.fit(a, c).score(b, d))\n",
    "columns_tiled": "import numpy as np\nx = np.tile(x, 2)\n" + SPLIT_X + "print(m.fit(a, c).score(b, d))\n",
    "labels_tiled_once_for_columns": "import numpy as np\nz, t = np.hstack([x, x + noise]), np.tile(y, 1)\n"
    + "a, b, c, d = train_test_split(z, t, random_state=1)\nprint(m.fit(a, c).score(b, d))\n",
    "augmented_slice_in_call_in_function": AUGMENT_IN_CALL
    + "m, e, f = fit_noisy(x[:-9], y[:-9], sigma=2)\nprint(m.score(x[-9:], y[-9:]))\n",
    "augmented_slice_in_function": AUGMENT_IN_FUNCTION
    + "m, e, f = fit_model(x[:-9], y[:-9])\nprint(m.score(x[-9:], y[-9:]))\n",
    "augmented_slice_in_function_before_predictions": AUGMENT_IN_FUNCTION
    + METRICS
    + "x_dev, x_new, y_dev, y_new = x[9:], x[:9], y[9:], y[:9]\nm, e, f = fit_model(x_dev, y_dev)\n"
    + "print(accuracy_score(y_new, m.predict(x_new)))\n",
    "copied_training_rows_in_function": SMOTE
    + "def prepare(x, y):\n    x, y = resample(x, y, n_samples=99)\n    return train_test_split(x, y, random_state=1)\n"
    + SPLIT_X
    + "e, f, g, h = prepare(a, c)\nprint(m.fit(e, g).score(b, d))\n",
    "copied_inside_the_call_in_function": SMOTE
    + "def prepare(x, y):\n    return train_test_split(np.vstack([x, x]), np.append(y, y), random_state=1)\n"
    + SPLIT_X
    + "e, f, g, h = prepare(a, c)\nprint(m.fit(e, g).score(b, d))\n",
    "selector_of_slice_in_function": SELECT_IN_FUNCTION
    + "m, e, f = fit_model(x[:-9], y[:-9])\nprint(m.score(x[-9:], y[-9:]))\n",
    "folds_of_drawn_training_rows_before_the_test": DRAW_TRAINING
    + "for tr, te in KFold(5).split(X_train):\n"
    + "    print(m.fit(X_train[tr], y_train[tr]).score(X_train[te], y_train[te]))\nprint(m.score(X_test, y_test))\n",
    "folds_of_drawn_training_rows_without_their_test_rows": DRAW_TRAINING
    + "for tr, te in KFold(5).split(X_train):\n    print(m.fit(X_train[tr], y_train[tr]).score(X_test, y_test))\n",
    "split_of_training_rows_in_function": SELECT
    + "def share(x, y):\n    z = SelectKBest(k=9).fit_transform(x, y)\n    e, f, g, h = train_test_split(z, y, random_state=1)\n"
    "    return m.fit(e, g).score(f, h)\n" + SPLIT_X + "share(a, c)\nprint(m.fit(a, c).score(b, d))\n",
    "sample_after_drop_in_place": PANDAS
    + "train = df.sample(frac=0.8, random_state=0)\ndf.drop(train.index, inplace=True)\n"
    "test = df.sample(frac=1, random_state=0)\n",
    "sample_before_drop": PANDAS
    + "train = df.sample(frac=0.8, random_state=0)\ntest = df.sample(frac=0.5, random_state=1)\n"
    "test = test[~test.index.isin(train.index)]\n",
    "tested_by_decision_function": "m = SVC().fit(a, c)\nprint('training', m.score(a, c))\n"
    "print('test accuracy', np.mean(m.decision_function(b).argmax(1) == d))\n",
    "tested_by_coefficients": "m = SVC().fit(a, c)\nprint('training', m.score(a, c))\n"
    "print('test accuracy', ((b @ m.coef_.T + m.intercept_).argmax(1) == d).mean())\n",
    "tested_by_probabilities": "m = SVC().fit(a, c)\nprint('training', m.score(a, c))\n"
    "print('test accuracy', (m.predict_log_proba(b).argmax(1) == d).mean())\n",
    "tested_by_call_of_attribute": "class T:\n    def run(self):\n        self.model.fit(self.x, self.y)\n"
    "        print('train', self.model.evaluate(self.x, self.y))\n        p = self.model(self.u).numpy()[:, 0]\n"
    "        print('test accuracy', ((p > 0.5) == self.v).mean())\nT().run()\n",
    "tested_by_another_name": "m = SVC().fit(a, c)\nprint('training', m.score(a, c))\nbest = m\n"
    "print('test accuracy', np.mean(best.decision_function(b).argmax(1) == d))\n",
    "split": SPLIT + "a, b = train_test_split(x, random_state=SEED)\n",
    "split_of_time_series": SPLIT + "a, b = train_test_split(x, shuffle=False)\n",
    "split_with_options": SPLIT + "a, b = train_test_split(x, **options)\n",
    "split_after_numpy_seed": "import numpy as np\n" + SPLIT + "np.random.seed(1)\na, b = train_test_split(x)\n",
    "split_after_keras_seed": "import keras\n" + SPLIT + "keras.utils.set_random_seed(1)\na, b = train_test_split(x)\n",
    "split_after_own_seed": "from tools import fix_seeds\n" + SPLIT + "fix_seeds(1)\na, b = train_test_split(x)\n",
    "split_never_called": SPLIT + "def load():\n    return train_test_split(x)\n",
    "own_split": "def train_test_split(x):\n    return x[:9], x[9:]\na, b = train_test_split(x)\n",
    "kfold": "from sklearn.model_selection import KFold\nKFold(5)\nKFold(5, shuffle=True, random_state=0)\n",
    "random_split": TORCH + "torch.manual_seed(1)\na, b = random_split(rows, [8, 2])\n",
    "random_split_generator": TORCH + "a, b = random_split(rows, [8, 2], generator=g)\n",
    "directory": DIRECTORY + "keras.utils.image_dataset_from_directory('a', validation_split=0.2, seed=1)\n",
    "directory_whole": DIRECTORY + "keras.utils.image_dataset_from_directory('a')\n",
    "sample_and_drop": "train = df.sample(frac=0.8, random_state=0)\ntest = df.drop(train.index)\n",
    "sample_all": "train = df.sample(frac=1)\ntest = df.sample(frac=1)\n",
    "sample_of_distribution": "train = normal.sample(n=90)\ntest = normal.sample(n=10)\n",
    "sample_of_two": "train = df.sample(frac=0.8)\ntest = other.sample(frac=0.2)\n",
    "sample_of_rest": "train = df.sample(n=9, random_state=0)\ndf = df.drop(train.index)\ntest = df.sample(n=9)\n",
    "take_skip": TFDATA + "ds = ds.shuffle(9, seed=1, reshuffle_each_iteration=False)\na, b = ds.take(n), ds.skip(n)\n",
    "take_skip_then_shuffle": TFDATA + "a, b = ds.take(n), ds.skip(n)\na = a.shuffle(9)\n",
    "take_to_look": TFDATA + "ds = ds.shuffle(9)\nfor each in ds.take(1):\n    print(each)\nrest = ds.skip(100)\n",
    "take_skip_elsewhere": "import datasets, tensorflow\nds = s.shuffle(9)\na, b = ds.take(n), ds.skip(n)\n",
    "scaler": SCALE
    + "a, b = train_test_split(x, random_state=1)\na = scaler.fit_transform(a)\nb = scaler.transform(b)\n",
    "scaler_of_training_data": SCALE
    + "x_train = scaler.fit_transform(x_train)\na, b = train_test_split(x_train, random_state=1)\n",
    "scaler_after_first_split": SCALE
    + "x, z = train_test_split(x, random_state=1)\nx = scaler.fit_transform(x)\na, b = train_test_split(x, random_state=1)\n",
    "scaler_after_first_split_in_two_steps": SCALE
    + "x, z = train_test_split(x, random_state=1)\nscaler.fit(x)\nx = scaler.transform(x)\nx = StandardScaler().fit_transform(x)\n"
    + "a, b = train_test_split(x, random_state=1)\n",
    "scaler_of_first_rows": SCALE
    + "scaler.fit(z[:n])\nz = scaler.transform(z)\nm.fit(z[:n], y[:n])\nprint(m.score(z[n:], y[n:]))\n",
    "scaler_of_training_rows": SCALE
    + "scaler.fit(d.x[train_rows])\nz = scaler.transform(d.x)\na, b = train_test_split(z, random_state=1)\n",
    "scaler_before_columns": SCALE
    + "z = scaler.fit_transform(z)\nm.fit(z[:, 1:], y)\nprint(m.score(load()[:, 1:], y_test))\n",
    "scaler_of_other_data": SCALE + "z = scaler.fit_transform(z)\na, b = train_test_split(x, random_state=1)\n",
    "scaler_in_other_branch": SCALE
    + "if pretty:\n    x = scaler.fit_transform(x)\nelse:\n    a, b = train_test_split(x, random_state=1)\n",
    "scaler_before_windows": SCALE + "z = scaler.fit_transform(z)\nfirst, rest = z[:9], z[9:]\nx_test = z[0]\n",
    "scaler_then_read_again": SCALE
    + "x = scaler.fit_transform(x)\nx = load()\na, b = train_test_split(x, random_state=1)\n",
    "selector_in_pipeline": SELECT
    + "from sklearn.pipeline import make_pipeline\nm = make_pipeline(StandardScaler(), select, m)\ncross_val_score(m, x, y)\n"
    "m.fit(x, y, validation_split=0.2)\nprint(GridSearchCV(m, grid).fit(x, y).best_score_)\n",
    "selector_of_training_rows": SELECT
    + SPLIT_X
    + "select.fit(a, c)\nkept = select.get_support()\na, b = a[:, kept], select.transform(b)\n",
    "selector_of_training_rows_of_object": SELECT
    + "z = select.fit_transform(self.x_train, self.y_train)\ncross_val_score(m, z, self.y_train)\n",
    "selector_fitted_again": SELECT
    + "select.fit(x, y)\nprint(select.get_support())\n"
    + SPLIT_X
    + "a = select.fit_transform(a, c)\nb = select.transform(b)\n",
    "selector_fitted_at_the_end": SELECT + SPLIT_X + "m.fit(a, c)\nm.score(b, d)\nselect.fit(x, y)\n",
    "selector_in_each_fold": SELECT
    + "for a, b in StratifiedKFold(5).split(x, y):\n    z = select.fit(x[a], y[a]).transform(x)\n    m.fit(z[a], y[a])\n"
    "    print(m.score(z[b], y[b]))\n    n = select.fit_transform(x[a], y[a])\n    cross_val_score(m, n, y[a])\n",
    "selector_of_masked_rows": SELECT
    + "select.fit(x[old], y[old])\nz = select.transform(x)\nm.fit(z[old], y[old])\nprint(m.score(z[~old], y[~old]))\n",
    "selector_of_other_data": SELECT
    + "select.fit(cells, kinds)\nz = select.transform(x)\n"
    + SPLIT_Z
    + "select.transform(cells[:5])\n",
    "selector_in_function_of_training_rows": SELECT
    + "def prepare(x, y):\n    return select.fit_transform(x, y)\n"
    + SPLIT_X
    + "a = prepare(a, c)\na, b, c, d = train_test_split(a, c, random_state=1)\n",
    "selector_before_search_without_its_score": SELECT
    + "z = select.fit_transform(x, y)\nm = GridSearchCV(m, grid).fit(z, y)\n",
    "selector_without_labels": SPLIT
    + "from sklearn.feature_selection import VarianceThreshold\nx = VarianceThreshold().fit_transform(x, y)\n"
    + SPLIT_X,
    "column_for_a_picture": SPLIT
    + "from sklearn.discriminant_analysis import LinearDiscriminantAnalysis\nlda = LinearDiscriminantAnalysis(n_components=1)\n"
    "df['axis'] = lda.fit_transform(x, df['y'])[:, 0]\ndf.plot('axis', 'y')\nx, y = df[['a', 'b']], df['y']\n"
    + SPLIT_X
    + "x = df.drop(columns=['axis', 'y'])\n"
    + SPLIT_X,
    "selector_of_rows_named_for_training": SELECT
    + "xtr, ytr, xte, yte = z['a'], z['b'], z['c'], z['d']\nselect.fit(xtr, ytr)\n"
    "m = GridSearchCV(m, grid).fit(select.transform(xtr), ytr)\nprint(m.best_score_)\n"
    "print('accuracy', m.score(select.transform(xte), yte))\n",
    "choice_by_rows_named_for_training": "import numpy as np\nXtrain, ytrain, Xtest, ytest = z['a'], z['b'], z['c'], z['d']\n"
    "r = np.abs([np.corrcoef(Xtrain[:, j], ytrain)[0, 1] for j in range(50)])\nk = np.argsort(r)[-20:]\n"
    "m.fit(Xtrain[:, k], ytrain, validation_split=0.1)\nprint('accuracy', m.evaluate(Xtest[:, k], ytest)[1])\n",
    "selector_of_other_rows_than_tested": SELECT
    + "(x, y), (u, v) = load_data()\nmean = x.mean(axis=0)\nx, u = x.reshape(-1, 784) - mean, u.reshape(-1, 784) - mean\n"
    "s = SelectKBest(k=200).fit(x, y)\nx, u = s.transform(x), s.transform(u)\nm.fit(x, y, validation_split=0.1)\n"
    "print('accuracy', m.evaluate(u, v)[1])\n",
    "selector_of_earlier_rows": SELECT
    + "old = df['year'] < 2020\nx, y = df[old], df['y'][old]\nz, w = df[~old], df['y'][~old]\n"
    "x = select.fit_transform(x, y)\nz = select.transform(z)\nm = GridSearchCV(m, grid).fit(x, y)\n"
    "print(m.best_score_, m.score(z, w))\n",
    "copies_of_other_rows_than_tested": SMOTE
    + "(x, y), (u, v) = load_data()\nx, u = x.reshape(-1, 784), u.reshape(-1, 784)\nx, y = SMOTE().fit_resample(x, y)\n"
    + SPLIT_X
    + "m = SVC().fit(a, c)\nprint('validation', m.score(b, d))\nprint('accuracy', m.score(u, v))\n",
    "copies_in_a_part_of_an_own_split": SMOTE
    + "x, y, z, w = own_split(df)\nx, y = SMOTE().fit_resample(x, y)\n"
    + SPLIT_X
    + "m = SVC().fit(a, c)\nprint(m.score(b, d), accuracy_score(w, m.predict(z)))\n",
    "rows_repeated_as_counted": SMOTE
    + "n = df['count'].values\nx, y = np.repeat(df[['a', 'b']].values, n, axis=0), np.repeat(df['y'].values, n)\n"
    + SPLIT_X
    + "x = df[['a', 'b']].values.repeat(df['count'], axis=0)\n"
    + SPLIT_X,
    "last_row_filled_in": SMOTE
    + "y = np.diff(df['close']) > 0\ny = np.append(y, y[-1])\n"
    + SPLIT_X
    + "z = np.concatenate([z, z[-10:]])\n"
    + SPLIT_Z,
    "joined_rows_in_folds_of_groups": SMOTE
    + "from sklearn.model_selection import GroupKFold\nx, y = np.concatenate([x, x]), np.concatenate([y, y])\n"
    "for i, j in GroupKFold(5).split(x, y, g):\n    print('accuracy', SVC().fit(x[i], y[i]).score(x[j], y[j]))\n",
    "tested_by_learning_curve": "n, a, b = learning_curve(SVC(), x, y, cv=5)\nprint('accuracy', b[-1].mean())\n"
    "m = SVC().fit(x, y)\nprint('train accuracy', m.score(x, y))\n",
    "selector_in_folds_of_training_rows": SELECT
    + "def rate(x, y, k):\n    z = SelectKBest(k=k).fit_transform(x, y)\n    return cross_val_score(SVC(), z, y).mean()\n"
    + SPLIT_X
    + "k = max((5, 10), key=lambda k: rate(a, c, k))\ns = SelectKBest(k=k).fit(a, c)\n"
    "print('accuracy', SVC().fit(s.transform(a), c).score(s.transform(b), d))\n",
    "labels": SCALE + "y = LabelEncoder().fit_transform(y)\na, b = train_test_split(x, y, random_state=1)\n",
    "scaler_for_size_only": SCALE
    + "z = scaler.fit_transform(x)\nn = z.shape[0]\na, b = train_test_split(x, test_size=n, random_state=1)\n",
    "smote": SMOTE + "a, b, c, d = train_test_split(x, y, random_state=1)\na, c = SMOTE().fit_resample(a, c)\n",
    "undersampling": SMOTE
    + "less = resample(often, replace=False)\ndf = pd.concat([rare, less])\na, b = train_test_split(df, random_state=1)\n",
    "bootstrap": SMOTE + "a, b = train_test_split(x, random_state=1)\nc = resample(a)\n",
    "sample_of_training_rows": SMOTE
    + "a, b = train_test_split(df, random_state=1)\nrare = a[a.y == 1]\nc = pd.concat([a, rare.sample(99, replace=True)])\n"
    "c, v = train_test_split(c, random_state=1)\n",
    "sample_of_training_groups": SMOTE
    + "a, b = train_test_split(df, random_state=1)\nc = pd.concat([g.sample(9, replace=True) for _, g in a.groupby('y')])\n"
    "c, v = train_test_split(c, random_state=1)\n",
    "sample_of_training_classes": SMOTE
    + "x_train, b = load()\nc = x_train.groupby('y').apply(lambda g: g.sample(9, replace=True))\n"
    "c, v = train_test_split(c, random_state=1)\n",
    "scaler_of_each_group": SCALE
    + "df = df.groupby('id').apply(lambda g: scaler.fit_transform(g))\na, b = train_test_split(df, random_state=1)\n",
    "sample_in_function_after_split": SMOTE
    + "def balance(df):\n    return df.sample(99, replace=True)\na, b = train_test_split(df, random_state=1)\nc = balance(a)\n"
    "c, v = train_test_split(c, random_state=1)\n",
    "sample_in_function_that_splits": SMOTE
    + "def load():\n    a, b = train_test_split(df, random_state=1)\n    a = a.sample(99, replace=True)\n    return a, b\n"
    "a, b = load()\na, v = train_test_split(a, random_state=1)\n",
    "sample_if_asked": SMOTE
    + "def load(balance=False):\n    df = read()\n    if balance:\n        df = df.sample(99, replace=True)\n    return df\n"
    "a, b = train_test_split(load(), random_state=1)\n",
    "sample_of_rows_once": SMOTE
    + "df = df.sample(frac=1, replace=False)\na, b = train_test_split(df, random_state=1)\n",
    "sample_of_column": SMOTE
    + "df['color'] = colors.sample(99, replace=True).values\na, b = train_test_split(df, random_state=1)\n",
    "repeated_labels": SMOTE
    + "y = np.repeat(names, 50, axis=0)\na, b, c, d = train_test_split(x, y, random_state=1)\n",
    "repeated_centres": SMOTE
    + "x = np.repeat(centres, 50, axis=0) + rng.normal(size=(150, 2))\na, b = train_test_split(x, random_state=1)\n",
    "repeated_centres_in_two_steps": SMOTE
    + "x = np.repeat(centres, 50, axis=0)\nx += rng.normal(size=x.shape)\na, b = train_test_split(x, random_state=1)\n",
    "repeated_centres_in_place": SMOTE
    + "x = np.repeat(centres, 50, axis=0)\nx[:, 0] += rng.normal(size=150)\na, b = train_test_split(x, random_state=1)\n",
    "joined_parts": SMOTE
    + "x, y = np.concatenate([x[:9], x[20:]]), np.concatenate([y[:9], y[20:]])\na, b = train_test_split(x, y, random_state=1)\n",
    "joined_tables": SMOTE + "x = pd.concat([red, white])\na, b = train_test_split(x, random_state=1)\n",
    "joined_once": SMOTE + "x = pd.concat([red] * 1 + [white])\na, b = train_test_split(x, random_state=1)\n",
    "joined_classes": SMOTE
    + "x = pd.concat([df[df.y == 0].sample(9), df[df.y == 1]])\na, b = train_test_split(x, random_state=1)\n",
    "joined_with_changed_rows": SMOTE
    + "fake = df[df.y == 1].copy()\nfake['x'] = 0\ndf = pd.concat([df, fake])\na, b = train_test_split(df, random_state=1)\n",
    "joined_with_new_rows": SMOTE
    + "more = x[picks] + rng.normal(size=(9, 2))\nx = np.vstack([x, more])\na, b = train_test_split(x, random_state=1)\n",
    "labels_made_by_joining": SMOTE
    + "y = np.concatenate([[0] * 50, [1] * 50])\na, b, c, d = train_test_split(x, y, random_state=1)\n"
    "y = np.concatenate([np.zeros(9)] + [np.ones(9)] * 2)\na, b, c, d = train_test_split(x, y, random_state=1)\n",
    "counted_rows": SMOTE + "df = df.loc[df.index.repeat(df['n'])]\na, b = train_test_split(df, random_state=1)\n"
    "n = z.pop('n')\nz = z.loc[z.index.repeat(n)]\na, b = train_test_split(z, random_state=1)\n",
    "repeated_training_rows_in_each_fold": SMOTE
    + "from sklearn.model_selection import KFold\nfor a, b in KFold(5).split(x):\n    rare = a[y[a] == 1]\n"
    "    c = np.concatenate([a] + [rare] * 3)\n    m.fit(x[c], y[c])\n    print(m.score(x[b], y[b]))\n",
    "joined_after_the_split": SMOTE
    + "a, b, c, d = train_test_split(x, y, random_state=1)\na, c = np.concatenate([a, -a]), np.concatenate([c, c])\n"
    "a, e, c, f = train_test_split(a, c, random_state=1)\n",
    "joined_columns": SMOTE
    + "x = np.concatenate([x, x], axis=1)\nx = np.tile(x, (1, 2))\na, b = train_test_split(x, random_state=1)\n",
    "repeated_channels": SMOTE + "x = np.repeat(x, 3, axis=-1)\na, b = train_test_split(x, random_state=1)\n",
    "repeated_channels_of_each_image": SMOTE
    + "x = np.array([np.repeat(i[None], 3, axis=0) for i in z['x']])\n"
    + SPLIT_X
    + "x = [np.tile(i, (3, 1, 1)) for i in z['x']]\na, b = x[:80], x[80:]\ntrain, test = x[:80], x[80:]\n"
    + SPLIT_X
    + "x = np.concatenate([np.concatenate([i[None], i[None]])[None] for i in z['x']])\n"
    + SPLIT_X
    + "x = np.concatenate([np.expand_dims(np.repeat(i, 3, axis=0), 0) for i in z['x']])\n"
    + SPLIT_X
    + "x = df['image'].apply(lambda i: np.repeat(i, 3, axis=0))\n"
    + SPLIT_X,
    "joined_channels": SMOTE
    + "x = np.concatenate([z['x'], z['x'], z['x']], 3)\nx = x.reshape(len(x), -1)\n"
    + SPLIT_X
    + "x = np.concatenate([x, x, x], 3)\n"
    + SPLIT_X
    + "x = np.append(x, x[:, :3], 1)\n"
    + SPLIT_X,
    "closed_outlines": SMOTE
    + "def close(c):\n    return np.concatenate([c, c[:1]])\nx = np.array([close(np.load(f)) for f in sorted(files)])\n"
    + SPLIT_X,
    "repeated_rows_in_groups": SMOTE
    + "from sklearn.model_selection import cross_val_score\nx = np.repeat(x, 3, axis=0)\n"
    "cross_val_score(m, x, y, groups=np.repeat(ids, 3), cv=folds)\n",
    "drawn_labels": SMOTE
    + "y = names[rng.integers(0, len(names), 99)]\na, b, c, d = train_test_split(x, y, random_state=1)\n",
    "drawn_column": SMOTE
    + "x = np.column_stack([colors[rng.integers(0, len(colors), 99)], z])\na, b = train_test_split(x, random_state=1)\n",
    "drawn_words": SMOTE
    + "x = words[rng.integers(0, len(words), (99, 5))]\na, b = train_test_split(x, random_state=1)\n",
    "drawn_order": SMOTE
    + "x = x[rng.choice(len(x), len(x), replace=False)]\na, b = train_test_split(x, random_state=1)\n",
    "drawn_then_deduplicated": SMOTE
    + "df = df.iloc[rng.choice(len(df), 99)]\ndf = df.drop_duplicates()\na, b = train_test_split(df, random_state=1)\n",
    "drawn_training_rows": SMOTE
    + "x, z = train_test_split(x, random_state=1)\nc = x[rng.integers(0, len(x), 9)]\nc, v = train_test_split(c, random_state=1)\n",
    "validation": "model.fit(x, y, validation_data=(x_val, y_val))\n" + TEST,
    "validation_before_test": "model.fit(x, y, validation_data=(x_val, y_val))\nmodel.evaluate(x_val, y_val)\n" + TEST,
    "validation_before_accuracy_score": METRICS
    + "model.fit(x, y, validation_data=(x_val, y_val))\nmodel.evaluate(x_val, y_val)\np = model.predict(z)\n"
    + "print(accuracy_score(w, p))\n",
    "validation_of_changed_variable": "model.fit(x, y)\nx, y = load('test')\nmodel.evaluate(x, y)\n",
    "validation_by_generator": "rows = generate()\nmodel.fit(rows, validation_data=rows)\n" + TEST,
    "folds": "for a, b in folds.split(x, y):\n    model.fit(x[a], y[a])\n    model.evaluate(x[b], y[b])\n",
    "tests_both": "model.fit(x, y)\nprint(model.evaluate(x, y))\nprint(model.evaluate(x_test, y_test))\n",
    "tests_predictions": "model.fit(x, y)\nprint(model.score(x, y))\nprint((model.predict(z) == w).mean())\n",
    "tests_by_calling": "model.fit(x, y)\nmodel.evaluate(x, y)\nfor a, b in test:\n    right += (model(a) == b).sum()\n",
    "tests_by_function": "model.fit(x, y)\nmodel.evaluate(x, y)\nprint(accuracy_of(model, test))\n",
    "likelihood": "mixture.fit(x)\nprint(mixture.score(x))\n",
    "other_model_tested": "a.fit(x, y)\nb.evaluate(x, y)\n",
    "validation_split": "model.fit(x, y, validation_split=0.2)\nmodel.evaluate(x, y)\n",
    "regression": ONE + "model.compile('adam', 'mse', metrics=['mae'])\nprint('accuracy within 10 %:', close)\n",
    "squared_error_of_classes": SOFTMAX + "model.compile('adam', 'mse', metrics=['accuracy'])\n",
    "squared_error_of_binary_labels": ONE + "model.compile('adam', 'mse', metrics=[keras.metrics.BinaryAccuracy()])\n",
    "squared_error_of_scores": TEN + "model.compile('adam', 'mse', metrics=['accuracy'])\n",
    "squared_error_of_unknown": "import keras\nmodel = build()\nmodel.compile('adam', 'mse', metrics=['accuracy'])\n",
    "squared_error_of_sigmoid": MODEL.format("1, activation='sigmoid'")
    + "model.compile('adam', 'mse', metrics=['accuracy'])\n",
    "accuracy_score_on_test": METRICS
    + "model.fit(x, y)\np = model.predict(x)\np = model.predict(x_test)\naccuracy_score(z, p)\n",
    "optional_arguments": (
        ARGUMENTS
        + "parser.add_argument('--epochs', default=20)\nparser.add_argument('data', nargs='?')\nparser.parse_args()\n"
    ),
    "arguments_in_the_script": ARGUMENTS + "parser.add_argument('data')\nparser.parse_args(['a.csv'])\n",
    "sys_argv_if_given": "import sys\nepochs = int(sys.argv[1]) if len(sys.argv) > 1 else 20\nprint(sys.argv[0])\n",
    "gpu_if_available": GPUS + "if gpus:\n    print(gpus[0])\n",
    "gpu_in_expression": GPUS + "device = gpus[0].name if gpus else '/CPU:0'\n",
    "gpu_name_printed": TF_TEST
    + "name = tf.test.gpu_device_name()\nif name != '/device:GPU:0':\n    print('No GPU', name)\n",
    "gpu_name_of_cpu": TF_TEST
    + "if tf.test.gpu_device_name() == '/device:GPU:0':\n    raise SystemError('Use a CPU')\n",
    "gpu_available_or_not": TF_TEST + "assert tf.test.is_gpu_available() or True\n",
    "gpus_sliced": GPUS + "tf.config.set_visible_devices(gpus[:1], 'GPU')\n",
    "few_gpus": GPUS + "assert len(gpus) < 2\nassert not gpus\n",
    "gpu_tested": GPUS + "def setup():\n    if not gpus:\n        return\n    print(len(gpus))\nsetup()\n",
    "r2": SCORES + "print('R2:', model.score(c, d))\n",
    "r2_beside_accuracy": SCORES + "print(f'R2: {model.score(c, d):.2f}, accuracy within 3: {close:.2f}')\n",
    "r2_beside_accuracy_score": SCORES
    + METRICS
    + "print('Accuracy:', model.score(c, d))\nprint(accuracy_score(d, model.predict(c).round()))\n",
    "r2_beside_accuracy_json": SCORES
    + "with open(out + '/accuracy.json', 'w') as file:\n    json.dump(close, file)\nprint('Accuracy:', model.score(c, d))\n",
    "score": SCORES + "model = LogisticRegression().fit(a, b)\nprint('Accuracy:', model.score(c, d))\n",
    "binary": MODEL.format("1, activation='sigmoid'") + "model.compile('adam', 'x', metrics=['binary_accuracy'])\n",
    "several_labels": SIGMOID + "model.compile('adam', 'x', metrics=['binary_accuracy'])\n",
    "categorical": SOFTMAX + "model.compile('adam', 'x', metrics=['accuracy'])\n",
    "metrics_elsewhere": TEN + "model.compile('adam', 'mse', metrics=METRICS)\n",
    "printed_accuracy": TEN + "model.compile('adam', 'mse')\nprint('Test accuracy:', (model.predict(a) == b).mean())\n",
    "spanish_accuracy": TEN + "model.compile('adam', 'mse')\nprint('Exactitud:', (model.predict(a) == b).mean())\n",
    "other_compile": "import re, keras\nre.compile('a', re.I)\n",
    "input_of_keras": "from keras import Input as input\nx = input((3,))\n",
    "input_after_exit": "import sys\nsys.exit(0)\ninput()\n",
    "input_after_return": "def main():\n    return 1\n    input()\nmain()\n",
    "own_input": "def input(n):\n    return n\ninput(3)\n",
    "input_if_asked": "import sys\nif '--ask' in sys.argv:\n    input()\n",
    "input_in_try": "try:\n    n = input()\nexcept EOFError:\n    n = 3\n",
    "input_never_called": "def ask():\n    return input()\n",
    "input_in_uncalled_method": "class T:\n    def ask(self):\n        input()\n    def run(self):\n        pass\nT().run()\n",
    "input_in_method_of_other_object": "class T:\n    def run(self):\n        input()\nimport app\napp.run(T)\napp.get().run()\n",
    "input_in_method_like_a_function": "class T:\n    def ask(self):\n        input()\ndef ask():\n    pass\nask()\n",
    "input_in_overridden_method": "class A:\n    def run(self):\n        self.ask()\n    def ask(self):\n        input()\n"
    "class B(A):\n    def ask(self):\n        return 1\nB().run()\n",
    "input_in_init_of_unused_class": "class T:\n    def __init__(self):\n        input()\n",
    "input_in_init_if_asked": "class T:\n    def __init__(self):\n        input()\nif ask:\n    T()\n",
    "split_in_unused_class": "from sklearn.model_selection import train_test_split\nclass T:\n    def __init__(self):\n"
    "        self.a, self.b = train_test_split(x)\n",
    "split_in_init_seeded": "from sklearn.model_selection import train_test_split\nclass T:\n    def __init__(self):\n"
    "        self.a, self.b = train_test_split(x, random_state=0)\nT()\n",
    "notebook_if_there": "try:\n    get_ipython()\nexcept NameError:\n    pass\n",
    "notebook_suppressed": "from contextlib import suppress\nwith suppress(NameError):\n    get_ipython().magic('a')\n",
    "notebook_of_ipython_if_there": "from IPython import get_ipython\nshell = get_ipython()\n"
    + "if shell is not None:\n    shell.magic('a')\n",
    "notebook_of_ipython_left_if_none": "from IPython import get_ipython\ndef set_up():\n    shell = get_ipython()\n"
    + "    if shell is None:\n        return\n    shell.magic('a')\nset_up()\n",
    "notebook_of_ipython_or_none": "from IPython import get_ipython\nshell = get_ipython()\nshell and shell.magic('a')\n",
    "notebook_of_ipython_replaced": "from IPython import get_ipython\nshell = get_ipython()\nshell = Shell()\nshell.magic('a')\n",
    "notebook_of_ipython_in_colab": "from IPython import get_ipython\nIN_COLAB = 'google.colab' in str(get_ipython())\n"
    + "if IN_COLAB:\n    get_ipython().system('ls')\n",
    "own_get_ipython": "def get_ipython():\n    return Shell()\nget_ipython().magic('a')\n",
    "notebook_kind_of_ipython": "from IPython import get_ipython\nshell = get_ipython().__class__.__name__\n",
    "display_of_ipython": "from IPython.display import *\ndisplay(1)\n",
    "display_by_name": "from IPython.display import display\ndisplay(1)\n",
    "own_display": "display = print\ndisplay(1)\n",
    "no_window": "import matplotlib\nmatplotlib.use('Agg')\n",
    "switched_no_window": "import matplotlib.pyplot as plt\nplt.switch_backend('Agg')\n",
    "show_and_save": "import matplotlib.pyplot as plt\nplt.savefig('a.png')\nplt.show()\n",
    "paths": "import pandas as pd\npd.read_csv('/data/a.csv')\npd.read_csv('/tmp/a.csv')\nprint('/home/ada')\n",
    "path_if_there": "import os\nFOLDER = '/content/drive'\nif os.path.exists(FOLDER):\n    pass\n",
    "path_created": "import os\nFOLDER = '~/models'\nos.makedirs(os.path.expanduser(FOLDER), exist_ok=True)\n",
    "path_created_by_pathlib": "from pathlib import Path\nFOLDER = '/home/ada/models'\nPath(FOLDER).mkdir(exist_ok=True)\n",
    "url_is_no_path": "ADDRESS = 'https://example.com/home/a'\nTIME = 'a:/b'\n",
    "url_replaced": PANDAS + "path = 'https://example.com/a.csv'\npath = 'a.csv'\npd.read_csv(path)\n",
    "url_of_other": PANDAS
    + "path = 'https://example.com/a.csv'\ndef load(path):\n    return pd.read_csv(path)\nload('a.csv')\n",
    "stdin_text": "import sys\nfor line in sys.stdin:\n    print(line)\nname = sys.stdin.readline() or 'a'\n",
    "own_getpass": "def getpass():\n    return 'a'\ngetpass()\n",
    "files_written": "with open('/var/log/train.log', 'w') as log:\n    pass\n",
    "torchvision": "from torchvision import datasets\ndatasets.MNIST('.')\n",
    "weights": "import keras\nkeras.applications.VGG16(weights=None)\n",
    "spawn_guarded": "import multiprocessing as mp\ndef main():\n    mp.Pool(2)\nif __name__ == '__main__':\n"
    + "    mp.set_start_method('spawn')\n    main()\n    mp.Pool(2)\n",
    "spawn_set_again": "import multiprocessing as mp\nmp.set_start_method('spawn', force=True)\n"
    + "if __name__ == '__main__':\n    mp.Pool(2)\n",
    "spawn_later": "import multiprocessing as mp\nmp.Pool(2)\nif __name__ == '__main__':\n    mp.set_start_method('spawn')\n",
    "spawn_threads": SPAWN + "from multiprocessing.pool import ThreadPool\nThreadPool(2).map(abs, x)\n",
    "gpus_or_cpus": GPUS + "if not gpus:\n    gpus = tf.config.list_physical_devices('CPU')\nprint(gpus[0])\n",
    "input_if_there_is_a_terminal": "import sys\nn = int(input('n: ')) if sys.stdin.isatty() else 5\n",
    "input_unless_known": "import os\nn = os.environ.get('N') or '5' or input('n: ')\n",
    "forks_beside_spawn": SPAWN + "from concurrent.futures import ProcessPoolExecutor\n"
    "ProcessPoolExecutor(2, mp_context=mp.get_context('fork')).map(abs, x)\n",
    "squared_error_of_cancer": ONE
    + "from sklearn.datasets import load_breast_cancer\nx, y = load_breast_cancer(return_X_y=True)\n"
    "model.compile('adam', 'mse', metrics=['accuracy'])\n",
    "squared_error_of_labels_0_and_1": ONE
    + "model.compile('adam', 'mse', metrics=['accuracy'])\nprint(model.predict(x) > 0.5)\n",
    "squared_error_of_numbers_with_a_share": ONE
    + "model.compile('adam', 'mse', metrics=['accuracy'])\nmodel.evaluate(x, y)\n"
    "json.dump({'accuracy': share}, open(f'{out}/accuracy.json', 'w'))\n",
    "seeded_permutation": "import numpy as np\nnp.random.seed(0)\norder = np.random.permutation(9)\n"
    "a, b = x[order[:6]], x[order[6:]]\n",
    "permutation_of_a_seeded_generator": "import numpy as np\nrng = np.random.default_rng(0)\norder = rng.permutation(9)\n"
    "a, b = x[order[:6]], x[order[6:]]\n",
    "shuffled_batches": "import numpy as np\nfor epoch in range(9):\n    order = np.random.permutation(90)\n"
    "    for i in range(0, 90, 9):\n        step(x[order[i:i + 9]])\n",
    "fork": "import multiprocessing as mp\nmp.set_start_method('fork')\nmp.Pool(2)\nmp.get_context('fork').Pool(2)\n",
    "own_load_data": "from data import load_data\nload_data()\n",
}


def read(text: str) -> tuple[Source]:
    """Return a script with this text."""
    return (parse_source("nn.py", ast.parse(text)),)


@pytest.mark.parametrize("name", FOUND)
def test_finds(name: str) -> None:
    """There is exactly one finding, with the expected kind and line, and a remedy."""
    text, kind, line = FOUND[name]
    findings = list(find_in_sources(read(text)))
    assert [(each.kind, each.path, each.line) for each in findings] == [(kind, "nn.py", line)]
    for sentence in (findings[0].message, findings[0].remedy):
        assert sentence.endswith((".", "?"))


@pytest.mark.parametrize("name", SOUND)
def test_is_silent(name: str) -> None:
    """Nothing is found in a sound script, or in one that cannot be judged by its source alone."""
    assert list(find_in_sources(read(SOUND[name]))) == []


@pytest.mark.parametrize(
    ("split", "verb"),
    [
        ("a, b = train_test_split(x)", "tests"),
        ("x_train, x_test = train_test_split(x)", "tests"),
        ("x_dev, x_test = train_test_split(x_all)", "tests"),
        ("x_train, x_val, y_train, y_val = train_test_split(x, y)", "validates"),
        ("x_tr, x_va, y_tr, y_va = train_test_split(x, y)", "validates"),
        ("x_fit, x_test_dev = train_test_split(x_train)", "validates"),
        ("a, b = train_test_split(x_dev)", "validates"),
        ("s.x_train, s.x_val = train_test_split(x)", "tests"),
        ("s.x_train, s.x_test = train_test_split(x)", "tests"),
        ("x_rest, s.x_test = load()\ns.x_train, s.x_val = train_test_split(x_rest)", "validates"),
    ],
)
def test_unseeded_split_of_training_data_concerns_validation(split: str, verb: str) -> None:
    """The test rows stay the same if only an inner split has no seed."""
    (found,) = find_in_sources(read(SPLIT + split))
    assert f"each trial {verb} on different rows" in found.message


SHUFFLE = (
    "import numpy as np\nfrom sklearn.model_selection import GridSearchCV, KFold, train_test_split\nx, y = load()\n"
    "x_pool, x_test, y_pool, y_test = train_test_split(x, y, random_state=0)\n"
)
CUT = "order = np.random.permutation(len(x_pool))\nfirst, last = order[:900], order[900:]\n"


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        (CUT + "fit(x_pool[first]).score(x_pool[last], y_pool[last])\nprint(m.score(x_test, y_test))", "validates"),
        (CUT + "fit(x_pool[first])\nprint(m.score(x_test, y_test), m.score(x_pool[last], y_pool[last]))", "tests"),
        (CUT + "m.fit(x_pool[first], validation_data=x_pool[last])\nm.evaluate(x_test, y_test)", "validates"),
        (CUT + "s.fit(x_pool[first])\nm.score(x_pool[last], y)\nm.score(s.transform(x_test), y_test)", "validates"),
        (
            CUT + "a = x_pool[first]\nb = x_pool[last]\nm.score(a, y)\nm.score((x_test - a.mean(0)) / a.std(0), y)",
            "validates",
        ),
        (CUT + "m.score(x_test, y_test)\nb = x_pool[last]\nprint(np.mean(m.predict(b) == y))", "tests"),
        (CUT + "m.score(x_pool[last], y)\nprint((m.predict(x_test) == y_test).mean())", "validates"),
        (CUT + "def test():\n    m.score(x_pool[last], y)\nm.score(x_test, y_test)\ntest()", "tests"),
        (CUT + "mask = np.zeros(9)\nmask[last] = 1\nfirst\nm.score(x_pool[mask], y)", "tests"),
        (CUT + "np.save('test.npy', x_pool[last])\nm.score(np.load('test.npy'), y_test)", "tests"),
        (CUT + "for i in last:\n    shutil.copy(names[i], 'test')\nm.evaluate(read('test'))", "tests"),
        (CUT + "x_pool.iloc[last].to_csv('test.csv')\nm.score(pd.read_csv('test.csv'), y_test)", "tests"),
        (CUT + "m.score(x_pool.query('number in @last'), y_test)", "tests"),
        (CUT + "b = []\nfor i in last:\n    b.append(x_pool[i])\nm.score(b, y)", "tests"),
        (
            "def f(x, y):\n    o = np.random.permutation(9)\n    return x[o[:6]], x[o[6:]]\na, b = f(x, y)\nm.score(b, c)",
            "tests",
        ),
        (
            "def tune(x, y):\n    o = np.random.permutation(9)\n    return m.fit(x[o[:6]], y).score(x[o[6:]], y)\n"
            "tune(x_pool, y_pool)\nm.score(x_test, y_test)",
            "validates",
        ),
        ("a, b, c, d = train_test_split(x_pool, y_pool)\nm.score(b, d)\nm.score(x_test, y_test)", "validates"),
        ("g = GridSearchCV(m, p, cv=KFold(5, shuffle=True)).fit(x_pool, y_pool)\ng.score(x_test, y_test)", "validates"),
        ("g = GridSearchCV(m, p, cv=KFold(5, shuffle=True)).fit(x, y)\nprint(g.best_score_)", "tests"),
        (
            "class Run:\n    def run(self):\n        self.a, self.b, *self.y = train_test_split(x, y)\n"
            "        return self.m.score(self.b, self.y[1])\nRun().run()",
            "tests",
        ),
        ("for a, b in KFold(5, shuffle=True).split(x):\n    m.fit(x[a], y[a]).score(x[b], y[b])", "tests"),
    ],
)
def test_last_measurement_shows_what_a_split_concerns(text: str, verb: str) -> None:
    """The names of the variables do not matter."""
    (found,) = find_in_sources(read(SHUFFLE + text))
    assert f"each trial {verb} on different rows" in found.message


@pytest.mark.parametrize(
    "text",
    [
        CUT + "first = list(first) + [last[0]]\nm.fit(x_pool[first])\nm.score(x_test, y_test)",
        CUT + "y_pool[last] = -1\nm.fit(x_pool, y_pool)\nm.score(x_test, y_test)",
        "cols = np.random.permutation(64)\na, b = x_test[:, cols[:32]], x_test[:, cols[32:]]\nm.score(a, y_test)",
        "cols = list(x.columns)\nnp.random.shuffle(cols)\na, b = x_test[cols[:9]], x_test[cols[9:]]\nm.score(a, y_test)",
        "k = x.shape[1]\ncols = np.random.permutation(k)\na, b = cols[:9], cols[9:]\nm.score(x_test.T[a].T, y_test)",
        "names = ['a', 'b', 'c']\nnp.random.shuffle(names)\nprint(names[:1], names[1:])\nm.score(x_test, y_test)",
    ],
    ids=["active learning", "hidden labels", "columns", "column names", "number of columns", "class names"],
)
def test_shuffle_of_something_else_is_sound(text: str) -> None:
    """Only a split of rows that are tested or validated on has to be the same in each trial."""
    assert list(find_in_sources(read(SHUFFLE + text))) == []


def test_start_method_is_moved_with_the_processes() -> None:
    """A spawned process must not reach ``set_start_method`` either."""
    (found,) = find_in_sources(read(SPAWN + "mp.Pool(2).map(abs, x)\n"))
    assert "this line and to set_start_method() on line 2 under" in found.remedy


def test_relative_import_of_a_module_is_sound() -> None:
    """Relative imports fail only in the script itself; modules in a package may use them."""
    script, module = (
        parse_source(path, ast.parse(text))
        for path, text in (("nn.py", "import a.b\n"), ("a/b.py", "from . import c\n"))
    )
    assert list(find_in_sources((script, module))) == []


def test_function_of_a_module_may_replace_that_of_ipython() -> None:
    """A name that is imported with ``*`` may come from any module that defines it."""
    script = parse_source("nn.py", ast.parse("from shells import *\nget_ipython().system('ls')\n"))
    module = parse_source("shells.py", ast.parse("def get_ipython():\n    return Shell()\n"))
    assert list(find_in_sources((script, module))) == []


def test_main_block_of_a_module_does_not_run() -> None:
    """Importing a module skips its ``__main__`` block, so only the script's own block is reported."""
    block = "if __name__ == '__main__':\n    input()\n"
    script, module = (
        parse_source("nn.py", ast.parse("import tools\n" + block)),
        parse_source("tools.py", ast.parse(block)),
    )
    assert [(each.path, each.line) for each in find_in_sources((script, module))] == [("nn.py", 3)]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("import tensorflow as tf\ntf.keras.datasets.mnist.load_data()\n", "mnist"),
        ("from keras.applications.resnet50 import ResNet50\nResNet50()\n", "ResNet50"),
        ("from sklearn.datasets import fetch_20newsgroups\nfetch_20newsgroups()\n", "fetch_20newsgroups"),
        ("import nltk\nnltk.download('punkt_tab')\n", "nltk:punkt_tab"),
    ],
)
def test_download_names_what_to_fetch(text: str, name: str) -> None:
    """If epochal data fetch supports the dataset, the remedy is the command to run on the server."""
    (found,) = find_in_sources(read(text))
    assert f"run epochal data fetch {name} on the server" in found.remedy


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("if not gpus:\n    print('No GPU')\n    exit()\n", "Remove the if statement on lines 3 to 5."),
        ("def f():\n    if not gpus: exit()\nf()\n", "Replace the if statement on line 4 with pass."),
        ("if not gpus:\n    exit()\nelse:\n    print(len(gpus))\n", "Remove the if statement on lines 3 to 6."),
        (
            "if not gpus:\n    exit()\nelse:\n    x = 1\nprint(x)\n",
            "Replace line 4 with code that works without a GPU.",
        ),
        ("assert (\n    gpus\n)\n", "Remove lines 3 to 5."),
        ("with f():\n    assert gpus\n", "Replace line 4 with pass."),
        ("print(\n    gpus[0]\n)\n", "Put lines 3 to 5 under `if gpus:`."),
        ("gpu = gpus[0]\nprint(gpu)\n", "Replace line 3 with code that works without a GPU."),
    ],
)
def test_remedy_without_a_gpu_leaves_valid_code(text: str, remedy: str) -> None:
    """It concerns whole statements, and leaves no block empty."""
    [found] = find_in_sources(read(GPUS + text))
    assert found.remedy == remedy


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("run_line_magic('matplotlib', 'inline')", "Remove the line."),
        ("run_line_magic('time', '')", "Remove the line."),
        ("run_line_magic('time', 'model.fit(x, y)')", "Replace the magic command with the code that it runs."),
        (
            "run_cell_magic('capture', '', 'model.fit(x, y)\\n')",
            "Replace the magic command with the code that it runs.",
        ),
        ("run_cell_magic('bash', '', 'ls')", "Remove the line."),
    ],
)
def test_code_in_a_magic_is_kept(line: str, remedy: str) -> None:
    """Removing a magic with code in it would remove that code, too."""
    (found,) = find_in_sources(read(f"get_ipython().{line}\n"))
    assert found.remedy == remedy


@pytest.mark.parametrize(
    ("text", "remedies"),
    [
        ("IN_COLAB = 'google.colab' in str(get_ipython())\nprint(IN_COLAB)\n", ["Write IN_COLAB = False instead."]),
        ("LOCAL = 'colab' not in str(get_ipython())\nif LOCAL:\n    pass\n", ["Write LOCAL = True instead."]),
        ("IN_COLAB = 'google.colab' in str(get_ipython())\n", ["Remove the line."]),
        ("if 'google.colab' in str(get_ipython()):\n    pass\n", ["Write None instead of get_ipython()."]),
        ("kind = type(get_ipython()).__name__\nprint(kind)\n", ["Write None instead of get_ipython()."]),
        ("main(get_ipython())\n", ["Write None instead of get_ipython()."]),
        ("shell = get_ipython()\nif shell:\n    shell.magic('a')\n", ["Write shell = None instead."]),
        ("shell = get_ipython()\nshell.system('ls')\n", ["Remove the line.", "Remove the line."]),
        ("def f():\n    get_ipython().system('ls')\nf()\n", ["Write pass instead."]),
        ("def f():\n" + "    get_ipython().system('ls')\n" * 2 + "f()\n", ["Write pass instead."] * 2),
        ("a = get_ipython().getoutput('ls')\nprint(a)\n", ["Write code that does not need get_ipython()."]),
    ],
)
def test_rest_of_the_script_can_run_without_get_ipython(text: str, remedies: list[str]) -> None:
    """Removing a line would break the lines that use what it assigns, or leave a block empty."""
    assert [each.remedy for each in find_in_sources(read(text)) if each.kind == "needs_notebook"] == remedies


FOLDS = "from sklearn.model_selection import cross_val_score\n"
LOOP = (
    "from sklearn.model_selection import KFold\n{}\nfor tr, te in KFold(5).split(x):\n"
    "    m.fit(x[tr], y[tr])\n    print(m.score(x[te], y[te]))\n"
)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (
            "z = select.fit_transform(x, y)\n"
            + LOOP_OVER_FOLDS
            + "    print(m.fit(z[tr], y[tr]).score(z[te], y[te]))\n",
            "on line 7,",
        ),
        (
            "z = select.fit_transform(x, y)\n" + LOOP_OVER_FOLDS + "    a, b = z[tr], z[te]\n    m.fit(a, y[tr])\n",
            "on line 7,",
        ),
        (
            "z = select.fit_transform(x, y)\nfolds = list(StratifiedKFold(5).split(z, y))\nprint(len(folds))\n"
            "for tr, te in folds:\n    m.fit(z[tr], y[tr])\n    print(m.score(z[te], y[te]))\n",
            "on line 9,",
        ),
        (
            "z = select.fit_transform(x, y)\nall = [\n    m.fit(z[tr], y[tr]).score(z[te], y[te])\n"
            "    for tr, te in StratifiedKFold(5).split(z, y)\n]\n",
            "on line 9,",
        ),
        (
            "def choose(x, y):\n    return SelectKBest(k=9).fit_transform(x, y)\nz = choose(x, y)\n"
            + LOOP_OVER_FOLDS
            + "    m.fit(z[tr], y[tr])\n    print(m.score(z[te], y[te]))\n",
            "on line 9,",
        ),
        (
            "select.fit(x, y)\n"
            + LOOP_OVER_FOLDS
            + "    z = select.transform(x)\n    m.fit(z[tr], y[tr])\n    m.score(z[te], y[te])\n",
            "on line 7,",
        ),
        (
            LOOP_OVER_FOLDS
            + "    z = select.fit_transform(x, y)\n    print(m.fit(z[tr], y[tr]).score(z[te], y[te]))\n",
            "used on line 9,",
        ),
        ("z = select.fit_transform(x, y)\nm.fit(z[:99], y[:99])\nprint(m.score(z[99:], y[99:]))\n", "on line 8,"),
    ],
)
def test_leak_names_the_line_of_the_split(text: str, where: str) -> None:
    """A loop over folds splits the rows in its header, wherever it then uses the test rows."""
    (found,) = find_in_sources(read(SELECT + text))
    assert f"is fitted on all rows before the split {where}" in found.message


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        (
            SCALE + FOLDS + "z = scaler.fit_transform(x)\ncross_val_score(m, z, y)\n",
            "Pass the original data and make_pipeline(StandardScaler(…), model) to cross_val_score(), so that StandardScaler() is "
            "fitted separately in each fold.",
        ),
        (
            SMOTE + FOLDS + "x, y = SMOTE().fit_resample(x, y)\ncross_val_score(m, x, y)\n",
            "Pass the original rows and imblearn.pipeline.make_pipeline(SMOTE(…), model) to cross_val_score(), so that only the "
            "training rows of each fold are resampled.",
        ),
        (
            SELECT
            + "z = select.fit_transform(x, y)\nsearch = GridSearchCV(m, grid).fit(z, y)\nprint(search.best_score_)\n",
            "Pass the original data and make_pipeline(SelectKBest(…), model) to GridSearchCV(), so that SelectKBest() is fitted "
            "separately in each fold. Begin the names of the model's parameters with its class name in lower case, as "
            'in "svc__C".',
        ),
        (
            SMOTE + FOLDS + "x, y = resample(x, y)\ncross_val_score(m, x, y)\n",
            "Instead of cross_val_score(), write a loop over the folds (for train, test in KFold(5, shuffle=True, "
            "random_state=0).split(X)), and in that loop, use resample() only on the training rows of each fold. "
            + MEAN,
        ),
        (
            JOIN_BOTH + LOOP.format("x, y = join(x, y)"),
            "In the loop over the folds, make modified copies of only the training rows of each fold, and use concatenate() only "
            "on their labels.",
        ),
        (
            SMOTE + LOOP.format("x = x[rng.choice(len(x), 900)]"),
            "In the loop over the folds, draw the rows of x[rng.choice(len(x), 900)] only from the training rows of each fold.",
        ),
        (
            SELECT + LOOP.format("x = select.fit_transform(x, y)"),
            "In the loop over the folds, fit SelectKBest() on the training rows of each fold, and only transform the test rows.",
        ),
        (
            SELECT + "x = select.fit_transform(x, y)\nm.fit(x, y, validation_split=0.2)\n",
            "Split off the validation rows first, fit SelectKBest() on the other rows, only transform the validation rows, and "
            "pass validation_data=(x_val, y_val) to fit() instead of validation_split.",
        ),
        (
            FOLDS
            + "from sklearn.cross_decomposition import PLSRegression\nz = PLSRegression().fit(x, y).transform(x)\n"
            "cross_val_score(m, z, y)\n",
            "Instead of cross_val_score(), write a loop over the folds (for train, test in KFold(5, shuffle=True, "
            "random_state=0).split(X)), and in that loop, fit PLSRegression() on the training rows of each fold, and only "
            "transform the test rows. " + MEAN,
        ),
        (
            FOLDS + "from sklearn.preprocessing import TargetEncoder\n"
            "df['a'] = TargetEncoder().fit(df[['a']], y).transform(df[['a']])\ncross_val_score(m, df, y)\n",
            "Pass the original data and make_pipeline(make_column_transformer((TargetEncoder(…), ['a']), "
            'remainder="passthrough"), model) to cross_val_score(), so that TargetEncoder() is fitted separately in each fold.',
        ),
    ],
)
def test_remedy_helps_with_a_cross_validation(text: str, remedy: str) -> None:
    """A split before the cross-validation would not help, because its folds would still have been seen."""
    (found,) = find_in_sources(read(text))
    assert found.remedy == remedy


def test_remedy_for_changed_copies_names_data_and_labels() -> None:
    """Repeating only the labels of the training rows would leave too few rows of data."""
    (found,) = find_in_sources(read(JOIN_NOISY + SPLIT_ALL))
    assert found.remedy == (
        "Split first, then make modified copies of only the training rows, and use tile() only on their labels."
    )


@pytest.mark.parametrize(
    "call", ["from prep import prepare\nz = prepare(x, y)\n", "import prep\nz = prep.prepare(x, y)\n"]
)
def test_leak_in_a_function_of_another_file_is_found(call: str) -> None:
    """The finding names the line to change, and the file with the split."""
    script = parse_source("nn.py", ast.parse(SPLIT + call + SPLIT_Z))
    function = "def prepare(x, y):\n    return select.fit_transform(x, y)\n"
    module = parse_source("prep.py", ast.parse(SELECT + function))
    (found,) = find_in_sources((script, module))
    assert (found.kind, found.path, found.line) == ("learned_before_split", "prep.py", 7)
    assert (
        "before train_test_split() on line 4 of nn.py, so it has learned from the labels of the test rows."
        in found.message
    )


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (
            "cv2.imshow('a', x)\ncv2.waitKey(0)\ncv2.destroyAllWindows()\n",
            2,
            "cv2.imshow(), cv2.waitKey() and cv2.destroyAllWindows() on lines 2, 3 and 4 need a display, but training runs without "
            "one.",
        ),
        (
            "while True:\n    x = read()\n    cv2.imshow('a', x)\n    if cv2.waitKey(1) == 27: break\n",
            4,
            "cv2.imshow() and cv2.waitKey() on lines 4 and 5 need a display, but training runs without one.",
        ),
        (
            "for x in rows:\n    cv2.imshow('a', x)\ncv2.destroyAllWindows()\n",
            3,
            "cv2.imshow() and cv2.destroyAllWindows() on lines 3 and 4 need a display, but training runs without one.",
        ),
        ("cv2.namedWindow('a')\n", 2, "cv2.namedWindow() on line 2 needs a display, but training runs without one."),
        ("if len(x) > 2:\n    cv2.imshow('a', x)\ncv2.waitKey(0)\n", 4, None),
        ("if SHOW:\n    cv2.imshow('a', x)\n", 0, None),
        ("try:\n    cv2.imshow('a', x)\nexcept Exception:\n    pass\n", 0, None),
        ("cv2.imwrite('a.png', x)\n", 0, None),
    ],
)
def test_one_finding_covers_all_uses_of_windows(text: str, line: int, message: str | None) -> None:
    """If only imshow() were named and removed, the next call would fail. Code under a flag may never run."""
    found = [each for each in find_in_sources(read("import cv2\n" + text)) if each.kind == "needs_window"]
    assert [each.line for each in found] == ([line] if line else [])
    assert not message or found[0].message == message


def test_lost_pictures_are_reported_once() -> None:
    """A notebook may show many plots, but one finding is enough."""
    text = "import matplotlib.pyplot as plt\n" + "plt.show()\n" * 3
    assert [each.line for each in find_in_sources(read(text))] == [2]


def test_deep_expression_is_skipped() -> None:
    """An expression that is nested too deeply to analyse does not hide other findings."""
    deep = "x = scaler.fit_transform(a" + " + a" * 600 + ")\n"
    assert [each.kind for each in find_in_sources(read(SCALE + deep + "input()\n"))] == ["asks_a_question"]


def test_seed_in_another_file_counts() -> None:
    """A split in the script is seeded if a module that it imports sets the seed."""
    script = parse_source("nn.py", ast.parse(SPLIT + "import data\na, b = train_test_split(x)\n"))
    module = parse_source("data.py", ast.parse("import numpy as np\nnp.random.seed(1)\n"))
    assert [each.kind for each in find_in_sources((script,))] == ["unseeded_split"]
    assert list(find_in_sources((script, module))) == []


def test_function_of_another_file_runs() -> None:
    """A problem in a local module's function is reported only if the script calls that function."""
    module = parse_source("data.py", ast.parse("def ask():\n    return input()\ndef other():\n    input()\n"))
    for call in ("import data\ndata.ask()\n", "from data import ask\nask()\n", "from data import ask as a\na()\n"):
        script = parse_source("nn.py", ast.parse(call))
        assert [(each.path, each.line) for each in find_in_sources((script, module))] == [("data.py", 2)]


@pytest.mark.parametrize(
    ("name", "kinds"),
    {
        "champion": set(),
        "classification_report": set(),
        "evaluate_on_training_data": {"tested_on_training_data"},
        "features_then_svm": set(),
        "imbalanced_noise": set(),
        "kfold": set(),
        "kfold_fresh": set(),
        "onehot_binary_accuracy": {"accuracy_of_zeros"},
        "oversample_before_split": {"copied_before_split"},
        "r2_as_accuracy": {"accuracy_of_regression"},
        "refit_on_all": set(),
        "regression_accuracy": {"accuracy_of_regression"},
        "sample_twice": {"overlapping_samples"},
        "several_outputs": set(),
        "shuffle_take_skip": {"reshuffled_split"},
        "test_then_train": set(),
        "tfdata_unseeded_split": {"unseeded_split"},
        "validates_on_training": {"validated_on_training_data"},
    }.items(),
)
def test_cases_of_wrong_verdicts(name: str, kinds: set[str]) -> None:
    """Mistakes that are visible in a case's source are found, and nothing is reported for the other cases."""
    text = Path(CASES / name / "nn.py").read_text(encoding="utf-8")
    assert {each.kind for each in find_in_sources(read(dedent(text)))} == kinds


_SFS = "from sklearn.feature_selection import SequentialFeatureSelector\n"


@pytest.mark.parametrize(
    "choice",
    [
        "sfs = SequentialFeatureSelector(m, cv=2).fit(X, y)\nX = X.loc[:, sfs.get_support()]\n",
        "sfs = SequentialFeatureSelector(m, cv=2).fit(X, y)\nkeep = sfs.get_support()\nX = X.loc[:, keep]\n",
        "sfs = SequentialFeatureSelector(m).fit(X, y)\nkeep = X.columns[sfs.get_support()]\nX = X[keep]\n",
    ],
)
def test_choice_by_a_selector_has_one_remedy(choice: str) -> None:
    """The remedy names the script's own selector. Both kinds remain, because they refuse different accuracies."""
    text = f"{SELECT}{_SFS}X, y = df.drop(columns='y'), df['y']\n{choice}print(cross_val_score(m, X, y))\n"
    (finding,) = find_in_sources(read(text))
    assert "make_pipeline(SequentialFeatureSelector(…), model)" in finding.remedy
    leaks = find_leaks(read(text), ())
    assert {leak.message for leak in leaks} == {finding.message}
    assert [leak.kind for leak in leaks] == ["learned_before_folds", "chosen_before_split"]


def test_choice_beside_a_selector_keeps_its_remedy() -> None:
    """Columns that are also chosen by hand need a remedy of their own."""
    choice = "X = X.loc[:, X.corrwith(y).abs() > 0.1]\n"
    text = f"{SELECT}{_SFS}X, y = df.drop(columns='y'), df['y']\nsfs = SequentialFeatureSelector(m).fit(X, y)\n{choice}"
    text += "print(cross_val_score(m, sfs.transform(X), y))\n"
    fit, by_hand = find_in_sources(read(text))
    assert fit.message.startswith("SequentialFeatureSelector() is fitted") and "choose the columns" in by_hand.message
