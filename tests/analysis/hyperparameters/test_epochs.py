"""The number of epochs is found wherever scripts write it: forms from public scripts, with other names and numbers.

The forms and their weights are based on 205 Keras and 92 PyTorch files. In a form, « and » enclose the literal to be
found; a generator inserts names, numbers and other statements.
"""

import random
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from epochal.analysis.hyperparameters.epochs import Epochs
from epochal.analysis.script import parse_script, read_script

_KERAS_TRAINING = "model.fit(x_train, y_train, batch_size=32, epochs=NAME)\n"
_KERAS: dict[str, tuple[int, str | Mapping[str, str]]] = {
    "literal in fit": (60, "model.fit(x, y, batch_size=32, epochs=«20», verbose=1)\n"),
    "constant": (50, "NAME = «20»\nmodel.fit(x, y, epochs=NAME)\n"),
    "constant used in a function": (8, "NAME = «20»\ndef main():\n    model.fit(x, y, epochs=NAME)\nmain()\n"),
    "local variable": (10, "def main():\n    NAME = «20»\n    model.fit(x, y, epochs=NAME)\n\nmain()\n"),
    "fit_generator": (4, "model.fit_generator(flow, steps_per_epoch=100, epochs=«20»)\n"),
    "steps of an estimator": (1, "estimator.train(input_fn=read, steps=«20»)\nestimator.evaluate(read, steps=5)\n"),
    "fourth argument": (3, "model.fit(x, y, 32, «20»)\n"),
    "nb_epoch": (2, "model.fit(x, y, nb_epoch=«20», batch_size=16)\n"),
    "argparse": (
        10,
        "import argparse\nparser = argparse.ArgumentParser()\n"
        "parser.add_argument('--batch-size', type=int, default=128)\n"
        "parser.add_argument('--NAME', '-e', type=int, default=«20», help='epochs')\nargs = parser.parse_args()\n"
        "model.fit(x, y, epochs=args.NAME)\n",
    ),
    "argparse in functions": (
        5,
        "def parse():\n    p = argparse.ArgumentParser()\n    p.add_argument('-e', '--num-epochs', default=«20», type=int)\n"
        "    return p.parse_args()\n\ndef main(args):\n    model.fit(x, y, epochs=args.num_epochs)\n\nmain(parse())\n",
    ),
    "dictionary": (6, "config = {'lr': 0.1, 'NAME': «20», 'batch_size': 64}\nmodel.fit(x, y, epochs=config['NAME'])\n"),
    "nested dictionary": (
        2,
        "cfg = {'data': {'epochs': 3}, 'train': {'NAME': «20»}}\ntrain = cfg['train']\n"
        "model.fit(x, y, epochs=cfg['train']['NAME'])\n",
    ),
    "dict()": (2, "P = dict(NAME=«20», rate=0.1)\nmodel.fit(x, y, epochs=P['NAME'])\n"),
    "class attribute": (4, "class Config:\n    batch = 16\n    NAME = «20»\n\nmodel.fit(x, y, epochs=Config.NAME)\n"),
    "instance of a class": (3, "class C:\n    NAME = «20»\nc = C()\nmodel.fit(x, y, epochs=c.NAME)\n"),
    "attribute set in __init__": (
        3,
        "class Trainer:\n    def __init__(self):\n        self.NAME = «20»\n    def run(self):\n"
        "        self.model.fit(x, y, epochs=self.NAME)\nTrainer().run()\n",
    ),
    "parameter default": (5, "def train(model, NAME=«20»):\n    model.fit(x, y, epochs=NAME)\n\ntrain(make())\n"),
    "argument of a call": (
        5,
        "def train(model, NAME=5):\n    model.fit(x, y, epochs=NAME)\n\ntrain(make(), NAME=«20»)\n",
    ),
    "positional argument of a call": (
        4,
        "def train(model, batch, NAME):\n    model.fit(x, y, batch_size=batch, epochs=NAME)\n\ntrain(make(), 64, «20»)\n",
    ),
    "environment": (3, "import os\nNAME = int(os.environ.get('EPOCHS', «'20'»))\nmodel.fit(x, y, epochs=NAME)\n"),
    "getenv": (2, "import os\nmodel.fit(x, y, epochs=int(os.getenv('N_EPOCHS', «20»)))\n"),
    "environment or": (1, "import os\nNAME = int(os.environ.get('EPOCHS') or «20»)\nmodel.fit(x, y, epochs=NAME)\n"),
    "tuple": (3, "batch_size, NAME = 32, «20»\nmodel.fit(x, y, epochs=NAME)\n"),
    "chain": (1, "NAME = batch_size = «20»\nmodel.fit(x, y, epochs=NAME, batch_size=batch_size)\n"),
    "sum": (
        3,
        "initial = 5\nfine = «15»\ntotal = initial + fine\nmodel.fit(x, y, epochs=initial)\nmodel.fit(x, y, epochs=total)\n",
    ),
    "product": (2, "NAME = «20»\nmodel.fit(x, y, epochs=NAME * 2)\n"),
    "loop of fits": (3, "NAME = «20»\nfor i in range(NAME):\n    model.fit(x, y, epochs=1, verbose=0)\n"),
    "loop of fits without epochs": (2, "for e in range(«20»):\n    model.fit(x, y)\n    print(e)\n"),
    "loop of fits from epoch to epoch": (
        1,
        "for e in range(«20»):\n    model.fit(x, y, initial_epoch=e, epochs=e + 1)\n",
    ),
    "folds": (3, "for fold in range(5):\n    model = make()\n    model.fit(x, y, epochs=«20»)\n"),
    "debug switch": (2, "DEBUG = False\nNAME = 1 if DEBUG else «20»\nmodel.fit(x, y, epochs=NAME)\n"),
    "debug switch that is on": (1, "DEBUG = True\nNAME = «2» if DEBUG else 20\nmodel.fit(x, y, epochs=NAME)\n"),
    "debug statement": (2, "DEBUG = False\nNAME = «20»\nif DEBUG:\n    NAME = 1\nmodel.fit(x, y, epochs=NAME)\n"),
    "debug option": (
        2,
        "p.add_argument('--debug', action='store_true')\np.add_argument('--NAME', default=«20», type=int)\n"
        "args = p.parse_args()\nif args.debug:\n    args.NAME = 1\nmodel.fit(x, y, epochs=args.NAME)\n",
    ),
    "debug environment": (1, "NAME = «20»\nif os.environ.get('DEBUG'):\n    NAME = 1\nmodel.fit(x, y, epochs=NAME)\n"),
    "smoke test by argument": (
        1,
        "NAME = int(sys.argv[1]) if len(sys.argv) > 1 else «20»\nmodel.fit(x, y, epochs=NAME)\n",
    ),
    "except": (1, "try:\n    NAME = «20»\nexcept Exception:\n    NAME = 3\nmodel.fit(x, y, epochs=NAME)\n"),
    "later assignment": (2, "NAME = 5\nNAME = «20»\nmodel.fit(x, y, epochs=NAME)\n"),
    "assignment after the fit": (1, "NAME = «20»\nmodel.fit(x, y, epochs=NAME)\nNAME = 5\n"),
    "warm-up and training": (3, "model.fit(x, y, epochs=3)\nmodel.trainable = True\nmodel.fit(x, y, epochs=«20»)\n"),
    "another number with that name": (2, "max_iter = 100\nclusters(max_iter)\nmodel.fit(x, y, epochs=«20»)\n"),
    "local module": (
        4,
        {"nn.py": "from config import NAME\nmodel.fit(x, y, epochs=NAME)\n", "config.py": "LR = 0.1\nNAME = «20»\n"},
    ),
    "local module by attribute": (
        3,
        {"nn.py": "import settings as s\nmodel.fit(x, y, epochs=s.NAME)\n", "settings.py": "NAME = «20»\n"},
    ),
    "star import": (1, {"nn.py": "from config import *\nmodel.fit(x, y, epochs=NAME)\n", "config.py": "NAME = «20»\n"}),
    "package": (
        2,
        {
            "nn.py": "from src.train import run\nrun()\n",
            "src/__init__.py": "",
            "src/train.py": "from .settings import NAME\ndef run():\n    model.fit(x, y, epochs=NAME)\n",
            "src/settings.py": "NAME = «20»\n",
        },
    ),
    "yaml": (
        3,
        {
            "nn.py": "import yaml\ncfg = yaml.safe_load(open('config.yaml'))\nmodel.fit(x, y, epochs=cfg['train']['NAME'])\n",
            "config.yaml": "# of the network\ntrain:\n  batch_size: 16  # small\n  NAME: «20»  # was 50\n",
        },
    ),
    "json": (
        2,
        {
            "nn.py": "import json\nwith open('params.json') as f:\n    p = json.load(f)\nmodel.fit(x, y, epochs=p['NAME'])\n",
            "params.json": '{\n\t"shuffle": true, "name": "é", "none": null,\n\t"NAME":«20», "lr": 1e-3}\n',
        },
    ),
    "toml": (
        1,
        {
            "nn.py": "import tomllib\np = tomllib.load(open('conf/train.toml', 'rb'))\n"
            "model.fit(x, y, epochs=p['train']['NAME'])\n",
            "conf/train.toml": 'text = """\nNAME = 3\n"""\n[train]\nNAME = «20» # of them\n',
        },
    ),
    "hydra": (
        2,
        {
            "nn.py": "import hydra\n@hydra.main(version_base=None, config_path='conf', config_name='main')\ndef main(cfg):\n"
            "    model.fit(x, y, epochs=cfg.train.NAME)\nmain()\n",
            "conf/main.yaml": "defaults:\n  - train: long\n  - _self_\nseed: 1\n",
            "conf/train/long.yaml": "lr: 0.1\nNAME: «20»\n",
            "conf/train/short.yaml": "lr: 0.1\nNAME: 2\n",
        },
    ),
    "keyword arguments": (
        2,
        "settings = {'NAME': «20»}\ndef train(NAME):\n    model.fit(x, y, epochs=NAME)\ntrain(**settings)\n",
    ),
    "arguments for a wrapper to pass": (
        1,
        "from keras.wrappers import SKLearnClassifier\n"
        "model = SKLearnClassifier(model=make(), fit_kwargs={'epochs': «20», 'batch_size': 8})\nmodel.fit(x, y)\n",
    ),
    "arguments for a wrapper by position": (
        1,
        "options = dict(verbose=0, epochs=«20»)\nmodel = SKLearnRegressor(make, False, None, options)\nmodel.fit(x, y)\n",
    ),
    "arguments of a wrapper and of its fit": (
        1,
        "model = SKLearnRegressor(make, fit_kwargs={'epochs': 5})\nmodel.fit(x, y, epochs=«20»)\n",
    ),
    "parameter routed to fit": (
        1,
        "model = KerasClassifier(make, epochs=5, fit__epochs=«20», verbose=0)\nmodel.fit(x, y)\n",
    ),
    "parameter of a step": (1, "model = make_pipeline(scaler, net)\nmodel.fit(x, y, net__epochs=«20»)\n"),
    "arguments of fit": (1, "options = dict(epochs=«20», batch_size=8)\nmodel.fit(x, y, **options)\n"),
    "tuner": (2, "tuner.search(x, y, epochs=«20», validation_split=0.2)\n"),
    "train_on_batch": (
        2,
        "NAME = «20»\nfor epoch in range(NAME):\n    for x, y in data:\n        model.train_on_batch(x, y)\n",
    ),
    "generator by position": (1, "model.fit_generator(flow, 100, «20», 1)\n"),
    "TensorFlow 1": (
        2,
        "train_op = optimizer.minimize(loss)\nwith tf.Session() as sess:\n    for i in range(«20»):\n"
        "        for batch in batches:\n            sess.run([train_op, loss], feed_dict={x: batch})\n",
    ),
    "function that nothing calls": (
        3,
        "NAME = «20»\ndef main():\n    model.fit(x, y, epochs=NAME)\n\ndef try_out():\n    model.fit(x, y, epochs=2)\n\nmain()\n",
    ),
    "method of a framework's class": (
        1,
        "class Net(keras.Model):\n    def prepare(self):\n        self.encoder.fit(x, epochs=«20»)\n\n"
        "def try_out():\n    model.fit(x, y, epochs=2)\n",
    ),
    "grid search": (
        2,
        "model = KerasClassifier(make)\ngrid = {'batch_size': [8, 16], 'NAME': [5, 10, «20»]}\n"
        "GridSearchCV(model, grid).fit(x, y)\n",
    ),
    "grid search by lists": (
        1,
        "NAME = [5, 10, «20»]\ngrid = dict(batch_size=[8, 16], NAME=NAME)\n"
        "GridSearchCV(KerasClassifier(make), grid).fit(x, y)\n",
    ),
    "rates and epochs": (
        1,
        "passes = [10, «20»]\nfor rate, NAME in zip([0.1, 0.01], passes):\n    network.train(rate, NAME)\n",
    ),
    "scikit-learn": (2, "MLPClassifier((16,), max_iter=«20», random_state=0).fit(x, y)\n"),
    "iterations of scikit-learn": (1, "max_iter = «20»\nLogisticRegression(max_iter=max_iter).fit(x, y)\n"),
}
_LOOP = (
    "for epoch in range(NAME):\n    for x, y in loader:\n        loss = step(x, y)\n"
    "        loss.backward()\n        optimizer.step()\n"
)
_TRAIN = f"def train(model, NAME):\n{''.join('    ' + line + chr(10) for line in _LOOP.splitlines())}\n"
_TORCH: dict[str, tuple[int, str | Mapping[str, str]]] = {
    "argument of a function": (8, _TRAIN + "train(model, NAME=«20»)\n"),
    "positional argument": (5, _TRAIN + "train(model, «20»)\n"),
    "Lightning": (6, "trainer = Trainer(max_epochs=«20», accelerator='cpu')\ntrainer.fit(model, loader)\n"),
    "Hugging Face": (
        5,
        "args = TrainingArguments('out', num_train_epochs=«20», learning_rate=2e-5)\nTrainer(model, args).train()\n",
    ),
    "argparse": (
        19,
        "p = argparse.ArgumentParser()\np.add_argument('--lr', default=0.1)\n"
        "p.add_argument('--NAME', type=int, default=«20», metavar='N')\nargs = p.parse_args()\n"
        "for epoch in range(1, args.NAME + 1):\n    train(epoch)\n",
    ),
    "range of a number": (12, _LOOP.replace("NAME", "«20»")),
    "range without a name": (
        4,
        "for _ in range(«20»):\n    optimizer.zero_grad()\n    loss(model(x), y).backward()\n    optimizer.step()\n",
    ),
    "gradient descent by hand": (
        1,
        "def descend(x, y, num_iterations, learning_rate):\n    w = 0\n    for _ in range(num_iterations):\n"
        "        w -= learning_rate * slope(x, y, w)\n    return w\n\n"
        "num_iterations = «20»\nw = descend(x, y, num_iterations, 0.01)\n",
    ),
    "constant": (15, "NAME = «20»\n" + _LOOP),
    "tqdm": (2, "NAME = «20»\n" + _LOOP.replace("range(NAME)", "tqdm(range(NAME), desc='epochs')")),
    "trange": (1, "NAME = «20»\n" + _LOOP.replace("range", "trange")),
    "from 1": (3, _LOOP.replace("range(NAME)", "range(1, «21»)")),
    "resumed": (
        1,
        "start_epoch = 0\nNAME = «20»\n" + _LOOP.replace("range(NAME)", "range(start_epoch, start_epoch + NAME)"),
    ),
    "dictionary": (4, "hp = {'lr': 1e-3, 'NAME': «20»}\n" + _LOOP.replace("NAME", "hp['NAME']")),
    "dataclass": (
        4,
        "@dataclass\nclass Config:\n    lr: float = 1e-3\n    NAME: int = «20»\n\ncfg = Config()\n"
        + _LOOP.replace("NAME", "cfg.NAME"),
    ),
    "dataclass with an argument": (
        2,
        "@dataclass\nclass Config:\n    lr: float = 1e-3\n    NAME: int = 3\n\ncfg = Config(NAME=«20»)\n"
        + _LOOP.replace("NAME", "cfg.NAME"),
    ),
    "parameter default": (5, _TRAIN.replace("model, NAME", "model, NAME=«20»") + "train(model)\n"),
    "method": (
        3,
        "class Trainer:\n    def __init__(self, model, NAME=3):\n        self.NAME = NAME\n    def fit(self):\n"
        "        for epoch in range(self.NAME):\n            self.step()\nTrainer(net, NAME=«20»).fit()\n",
    ),
    "local variable": (
        6,
        "def main():\n    NAME = «20»\n    for epoch in range(NAME):\n        train_one_epoch()\nmain()\n",
    ),
    "while": (2, "NAME = «20»\nepoch = 0\nwhile epoch < NAME:\n    train_step()\n    epoch += 1\n"),
    "click": (
        2,
        "@click.command()\n@click.option('--NAME', default=«20»)\n"
        "def main(NAME):\n    for epoch in range(NAME):\n        train()\n",
    ),
    "typer": (
        1,
        "def main(NAME: int = typer.Option(«20», help='passes')):\n"
        "    for epoch in range(NAME):\n        train()\ntyper.run(main)\n",
    ),
    "absl": (
        2,
        "FLAGS = flags.FLAGS\nflags.DEFINE_integer('NAME', «20», 'passes')\n\ndef main(_):\n"
        "    for epoch in range(FLAGS.NAME):\n        train()\napp.run(main)\n",
    ),
    "absl holder": (
        1,
        "_N = flags.DEFINE_integer('NAME', «20», 'passes')\ndef main(_):\n    for epoch in range(_N.value):\n        train()\n",
    ),
    "fire": (1, "def main(NAME=«20», lr=0.1):\n    for epoch in range(NAME):\n        train()\nfire.Fire(main)\n"),
    "namespace": (1, "args = SimpleNamespace(NAME=«20»)\n" + _LOOP.replace("NAME", "args.NAME")),
    "wandb": (
        1,
        "wandb.init(config={'NAME': «20», 'lr': 0.1})\nconfig = wandb.config\n" + _LOOP.replace("NAME", "config.NAME"),
    ),
    "module": (
        3,
        {"nn.py": "from engine import train\ntrain(model, NAME=«20»)\n", "engine.py": _TRAIN},
    ),
    "OmegaConf": (
        1,
        {
            "nn.py": "cfg = OmegaConf.load('conf/base.yml')\n" + _LOOP.replace("NAME", "cfg.optim.NAME"),
            "conf/base.yml": "data: {epochs: 3}\noptim:\n  NAME: «20»\n",
        },
    ),
    "get": (1, "cfg = {}\n" + _LOOP.replace("NAME", "cfg.get('NAME', «20»)")),
    "minibatches": (
        2,
        "for it in range(«20»):\n    for i in range(0, len(x), 32):\n        loss.backward()\n        opt.step()\n",
    ),
    "JAX": (
        1,
        "num_epochs = «20»\nfor i in range(num_epochs):\n    for batch in batches():\n        params = update(params, batch)\n",
    ),
}
_TORCH |= {
    "spawned processes": (
        2,
        "def work(rank, size, NAME=3):\n    for epoch in range(NAME):\n        train_step()\n\n"
        "def main():\n    passes = «20»\n    mp.spawn(work, args=(8, passes), nprocs=8)\n\nmain()\n",
    ),
    "arguments of a process in a variable": (
        1,
        "def work(size, NAME=3):\n    for epoch in range(NAME):\n        train_step()\n\n"
        "arguments = (8, «20»)\nProcess(target=work, args=arguments).start()\n",
    ),
    "older version of a library": (
        1,
        "try:\n    args = TrainingArguments('out', num_train_epochs=«20», eval_strategy='epoch')\nexcept TypeError:\n"
        "    args = TrainingArguments('out', num_train_epochs=20, evaluation_strategy='epoch')\n",
    ),
    "branch that does not hold": (
        1,
        "def short():\n    Trainer(max_epochs=2).fit(model)\n\ndef long():\n    Trainer(max_epochs=«20»).fit(model)\n\n"
        "if os.environ.get('SHORT') == '1':\n    short()\nelse:\n    long()\n",
    ),
    "steps": (1, "trainer = Trainer(max_steps=«20»)\ntrainer.fit(model)\n"),
    "counter without an end": (
        1,
        "for epoch in itertools.count():\n    loss().backward()\n    optimizer.step()\n    if epoch >= «20»:\n        break\n",
    ),
    "argument for a base class": (
        1,
        "class Base:\n    def __init__(self, model, NAME=3):\n        self.NAME = NAME\n    def run(self):\n"
        "        for epoch in range(self.NAME):\n            train_step()\n\nclass Long(Base):\n"
        "    def __init__(self):\n        super().__init__(make(), NAME=«20»)\n\nLong().run()\n",
    ),
    "argument of a subclass": (
        1,
        "class Base:\n    def __init__(self, NAME=3):\n        self.NAME = NAME\n    def run(self):\n"
        "        for epoch in range(self.NAME):\n            train_step()\n\nclass Own(Base):\n    pass\n\nOwn(«20»).run()\n",
    ),
    "older name of an argument": (1, "trainer = Trainer(max_nb_epochs=«20»)\ntrainer.fit(model)\n"),
    "meta-learning": (
        1,
        "def adapt(learner, batch, inner_steps):\n    for step in range(inner_steps):\n        loss(learner, batch).backward()\n"
        "        inner.step()\n\ndef main(passes=«20», inner_steps=5):\n    for iteration in range(passes):\n"
        "        outer.zero_grad()\n        for task in range(16):\n            adapt(copy(model), sample(), inner_steps)\n"
        "        outer.step()\n\nmain()\n",
    ),
    "repeated training": (
        1,
        "def train():\n    for i in range(«20»):\n        model.train()\n        loss().backward()\n        optimizer.step()\n\n"
        "for seed in range(5):\n    train()\n",
    ),
    "progress bar in a variable": (1, "bar = tqdm(range(«20»))\n" + _LOOP.replace("range(NAME)", "bar")),
    "progress bar in the head": (1, _LOOP.replace("range(NAME)", "(bar := tqdm(range(«20»)))")),
    "fastai": (2, "learn = vision_learner(dls, resnet18)\nlearn.fine_tune(«20», 1e-3)\n"),
    "preset": (
        1,
        "PRESETS = {'fast': {'NAME': 2}, 'full': {'NAME': «20»}}\n"
        "p.add_argument('--preset', default='full')\nargs = p.parse_args()\n"
        + _LOOP.replace("NAME", "PRESETS[args.preset]['NAME']"),
    ),
    "default None": (
        1,
        "NUM = «20»\np.add_argument('--NAME', type=int, default=None)\nargs = p.parse_args()\n"
        "n = args.NAME if args.NAME is not None else NUM\n" + _LOOP.replace("NAME", "n"),
    ),
    "iterations over batches": (
        1,
        "batch_size = 100\nn_iters = «3000»\nNAME = n_iters / (len(data) / batch_size)\nNAME = int(NAME)\n" + _LOOP,
    ),
    "alias of add_argument": (
        1,
        "arg = parser.add_argument\narg('--NAME', type=int, default=«20»)\nargs = parser.parse_args()\n"
        + _LOOP.replace("NAME", "args.NAME"),
    ),
}
_OTHERS: dict[str, str] = {
    "XGBoost": "model = xgb.XGBClassifier(max_depth=3, n_estimators=«20», early_stopping_rounds=5)\nmodel.fit(x, y)\n",
    "XGBoost's parameters": "params = {'eta': 0.1, 'n_estimators': «20»}\nmodel = XGBClassifier(**params)\nmodel.fit(x, y)\n",
    "XGBoost's train": "import xgboost as xgb\nnum_round = «20»\nbst = xgb.train(params, dtrain, num_round, evals=evals)\n",
    "LightGBM": "clf = lgb.LGBMClassifier(num_leaves=31, n_estimators=«20»)\nclf.fit(x, y)\n",
    "LightGBM's train": (
        "import lightgbm\nparams = {'num_leaves': 31}\n"
        "lightgbm.cv(params, data, num_boost_round=7)\nlightgbm.train(params, data, num_boost_round=«20»)\n"
    ),
    "LightGBM's parameters": (
        "import lightgbm as lgb\nparams = {'num_leaves': 31, 'num_iterations': «20»}\nlgb.train(params, data, valid_sets=[d])\n"
    ),
    "gradient boosting of scikit-learn": "GradientBoostingClassifier(n_estimators=«20», max_depth=2).fit(x, y)\n",
    "hparams fn": (
        "def get_config():\n"
        "    return {'epochs': «20», 'lr': 1}\n"
        "cfg = get_config()\n"
        "model.fit(x, y, epochs=cfg['epochs'])\n"
    ),
    "two dataclasses": (
        "@dataclass\n"
        "class A:\n"
        "    epochs: int = 3\n"
        "@dataclass\n"
        "class B:\n"
        "    epochs: int = «20»\n"
        "b = B()\n"
        "model.fit(x, y, epochs=b.epochs)\n"
    ),
    "inherit": ("class Base:\n    epochs = «20»\nclass C(Base):\n    lr = 1\nmodel.fit(x, y, epochs=C.epochs)\n"),
    "override": (
        "class Base:\n"
        "    epochs = 3\n"
        "class C(Base):\n"
        "    epochs = «20»\n"
        "c = C()\n"
        "for epoch in range(c.epochs):\n"
        "    train()\n"
    ),
    "main args": (
        "def main(args):\n"
        "    for epoch in range(args.epochs):\n"
        "        train()\n"
        "if __name__ == '__main__':\n"
        "    p = argparse.ArgumentParser()\n"
        "    p.add_argument('--epochs', default=«20», type=int)\n"
        "    main(p.parse_args())\n"
    ),
    "else debug": (
        "if os.environ.get('SMOKE') == '1':\n    EPOCHS = 1\nelse:\n    EPOCHS = «20»\nmodel.fit(x, epochs=EPOCHS)\n"
    ),
    "not full": ("FULL = False\nEPOCHS = 100 if FULL else «20»\nmodel.fit(x, epochs=EPOCHS)\n"),
    "argparse quick": (
        "p.add_argument('--quick', action='store_true')\n"
        "p.add_argument('--epochs', type=int, default=«20»)\n"
        "args = p.parse_args()\n"
        "epochs = 1 if args.quick else args.epochs\n"
        "model.fit(x, epochs=epochs)\n"
    ),
    "global stmt": (
        "epochs = 5\ndef setup():\n    global epochs\n    epochs = «20»\nsetup()\nmodel.fit(x, epochs=epochs)\n"
    ),
    "walrus": ("print(n := «20»)\nmodel.fit(x, epochs=n)\n"),
    "aug": ("epochs = «20»\nepochs += 5\nmodel.fit(x, epochs=epochs)\n"),
    "kfold range": (
        "for i in range(5):\n"
        "    model = build()\n"
        "    for epoch in range(«20»):\n"
        "        for b in data:\n"
        "            model.train_on_batch(b)\n"
    ),
    "gan": (
        "def train(dataset, epochs):\n"
        "    for epoch in range(epochs):\n"
        "        for b in dataset:\n"
        "            train_step(b)\n"
        "EPOCHS = «20»\n"
        "noise_dim = 100\n"
        "train(train_dataset, EPOCHS)\n"
    ),
    "keras wrapper": (
        "class M:\n"
        "    def __init__(self, epochs=«20», lr=1):\n"
        "        self.epochs = epochs\n"
        "    def fit(self, x, y):\n"
        "        self.model.fit(x, y, epochs=self.epochs)\n"
        "m = M(lr=3)\n"
        "m.fit(x, y)\n"
    ),
    "wrapper arg": (
        "class M:\n"
        "    def fit(self, x, y, epochs=3):\n"
        "        for e in range(epochs):\n"
        "            self.step()\n"
        "m = M()\n"
        "m.fit(x, y, epochs=«20»)\n"
    ),
    "steps": ("num_epochs = «20»\ntotal = num_epochs * len(loader)\nfor step in range(total):\n    loss.backward()\n"),
    "nested args": (
        "class Config:\n    class train:\n        epochs = «20»\nfor epoch in range(Config.train.epochs):\n    step()\n"
    ),
    "cfg obj attr": (
        "cfg = edict()\n"
        "cfg.TRAIN = edict()\n"
        "cfg.TRAIN.EPOCHS = «20»\n"
        "for epoch in range(cfg.TRAIN.EPOCHS):\n"
        "    step()\n"
    ),
    "yacs": (
        "_C = CN()\n"
        "_C.SOLVER = CN()\n"
        "_C.SOLVER.MAX_EPOCHS = «20»\n"
        "cfg = _C.clone()\n"
        "for epoch in range(cfg.SOLVER.MAX_EPOCHS):\n"
        "    step()\n"
    ),
    "while True": ("epoch = 0\nwhile True:\n    train()\n    epoch += 1\n    if epoch >= «20»:\n        break\n"),
    "while not": ("epochs = «20»\ni = 0\nwhile i != epochs:\n    train_step()\n    i += 1\n"),
    "string env": (
        "EPOCHS = int(os.environ['EPOCHS']) if 'EPOCHS' in os.environ else «20»\nmodel.fit(x, epochs=EPOCHS)\n"
    ),
    "namedtuple": (
        "Config = namedtuple('Config', 'epochs lr')\ncfg = Config(epochs=«20», lr=1)\nmodel.fit(x, epochs=cfg.epochs)\n"
    ),
    "keras tuner hp": ("hp_epochs = hp.Int('epochs', 5, 50, default=«20»)\nmodel.fit(x, epochs=hp_epochs)\n"),
    "partial": (
        "run = functools.partial(train, epochs=«20»)\n"
        "def train(m, epochs):\n"
        "    for epoch in range(epochs):\n"
        "        step()\n"
        "run(m)\n"
    ),
    "pipeline clf": ("clf = KerasClassifier(build_fn=make, epochs=«20», batch_size=5)\nclf.fit(x, y)\n"),
    "sgd": ("for epoch in range(«20»):\n    clf.partial_fit(x, y, classes=c)\n"),
    "sacred": (
        "@ex.config\n"
        "def cfg():\n"
        "    epochs = «20»\n"
        "    lr = 1\n"
        "@ex.automain\n"
        "def main(epochs, lr):\n"
        "    for epoch in range(epochs):\n"
        "        step()\n"
    ),
    "start_epoch resume": (
        "for epoch in range(args.start_epoch, args.epochs):\n"
        "    train()\n"
        "p.add_argument('--start-epoch', default=0, type=int)\n"
        "p.add_argument('--epochs', default=«20», type=int)\n"
    ),
    "dict update": ("cfg = {'epochs': 3}\ncfg.update({'epochs': «20»})\nmodel.fit(x, epochs=cfg['epochs'])\n"),
    "dict set": ("cfg = {'epochs': 3}\ncfg['epochs'] = «20»\nmodel.fit(x, epochs=cfg['epochs'])\n"),
    "spread": ("base = {'epochs': 3}\ncfg = {**base, 'epochs': «20»}\nmodel.fit(x, epochs=cfg['epochs'])\n"),
    "hasattr": ("epochs = getattr(args, 'epochs', None) or «20»\nmodel.fit(x, epochs=epochs)\n"),
    "max": ("epochs = max(1, «20»)\nmodel.fit(x, epochs=epochs)\n"),
    "min": ("epochs = «20»\nmodel.fit(x, epochs=min(epochs, 100))\n"),
    "try int": (
        "try:\n    epochs = int(sys.argv[1])\nexcept IndexError:\n    epochs = «20»\nmodel.fit(x, epochs=epochs)\n"
    ),
    "if argv": ("epochs = «20»\nif len(sys.argv) > 1:\n    epochs = int(sys.argv[1])\nmodel.fit(x, epochs=epochs)\n"),
    "match": (
        "match mode:\n"
        "    case 'fast':\n"
        "        epochs = 2\n"
        "    case _:\n"
        "        epochs = «20»\n"
        "model.fit(x, epochs=epochs)\n"
    ),
    "phases": (
        "HEAD_EPOCHS = 5\n"
        "FINE_EPOCHS = «20»\n"
        "model.fit(x, epochs=HEAD_EPOCHS)\n"
        "model.fit(x, epochs=HEAD_EPOCHS + FINE_EPOCHS, initial_epoch=HEAD_EPOCHS)\n"
    ),
    "phase fn": ("def phase(m, n):\n    m.fit(x, epochs=n)\nphase(model, 3)\nphase(model, «20»)\n"),
    "tuple of cfg": ("for name, epochs in [('a', 3), ('b', «20»)]:\n    model.fit(x, epochs=epochs)\n"),
    "for in list": ("for n in [«20»]:\n    model.fit(x, epochs=n)\n"),
    "autoencoder+classifier": ("autoencoder.fit(x, x, epochs=5)\nclassifier.fit(x, y, epochs=«20»)\n"),
    "trainer dict": ("trainer = Trainer(**{'max_epochs': «20»})\ntrainer.fit(m)\n"),
    "Seq2SeqTrainingArguments": ("args = Seq2SeqTrainingArguments(\n  output_dir='a',\n  num_train_epochs=«20»,\n)\n"),
    "HfArgumentParser": (
        "@dataclass\n"
        "class Args:\n"
        "    num_train_epochs: int = field(default=«20», metadata={'help': 'x'})\n"
        "(args,) = HfArgumentParser(Args).parse_args_into_dataclasses()\n"
        "for epoch in range(args.num_train_epochs):\n"
        "    train()\n"
    ),
    "pydantic": (
        "class S(BaseSettings):\n    epochs: int = Field(«20», ge=1)\ns = S()\nmodel.fit(x, epochs=s.epochs)\n"
    ),
}
"""Rarer forms, with their own names and numbers."""
_PLACES: dict[str, tuple[str, str, Mapping[str, str]]] = {
    "literal": ("", "«20»", {}),
    "constant": ("NAME = «20»\n", "NAME", {}),
    "argparse": (
        "p = argparse.ArgumentParser()\np.add_argument('--NAME', type=int, default=«20»)\nargs = p.parse_args()\n",
        "args.NAME",
        {},
    ),
    "absl": ("FLAGS = flags.FLAGS\nflags.DEFINE_integer('NAME', «20», 'passes')\n", "FLAGS.NAME", {}),
    "environment": ("NAME = int(os.environ.get('PASSES', «'20'»))\n", "NAME", {}),
    "dictionary": ("config = {'rate': 0.1, 'NAME': «20»}\n", "config['NAME']", {}),
    "nested dictionary": ("config = {'data': {'NAME': 3}, 'fit': {'NAME': «20»}}\n", "config['fit']['NAME']", {}),
    "class attribute": ("class Config:\n    rate = 0.1\n    NAME = «20»\n", "Config.NAME", {}),
    "dataclass": ("@dataclass\nclass Config:\n    NAME: int = «20»\nconfig = Config()\n", "config.NAME", {}),
    "namespace": ("config = SimpleNamespace(NAME=«20»)\n", "config.NAME", {}),
    "tuple": ("rate, NAME = 0.1, «20»\n", "NAME", {}),
    "choice": ("SMOKE = False\nNAME = 1 if SMOKE else «20»\n", "NAME", {}),
    "function": ("def read():\n    return {'NAME': «20»}\nconfig = read()\n", "config['NAME']", {}),
    "sum": ("first = 5\nlast = «20»\ntotal = first + last\n", "total", {}),
    "product": ("NAME = «20»\n", "NAME * 2", {}),
    "local module": ("import settings\n", "settings.NAME", {"settings.py": "RATE = 0.1\nNAME = «20»\n"}),
    "name from a local module": ("from settings import NAME\n", "NAME", {"settings.py": "NAME = «20»\n"}),
    "yaml": (
        "config = yaml.safe_load(open('config.yaml'))\n",
        "config['fit']['NAME']",
        {"config.yaml": "data:\n  NAME: 3\nfit:\n  NAME: «20»  # passes\n"},
    ),
    "json": ("config = json.load(open('c.json'))\n", "config['NAME']", {"c.json": '{"rate": 0.1, "NAME": «20»}\n'}),
    "toml": (
        "config = tomllib.load(open('c.toml', 'rb'))\n",
        "config['fit']['NAME']",
        {"c.toml": "[fit]\nNAME = «20»\n"},
    ),
}
"""How the number of epochs is written: statements before the training, the training's expression, other files."""
_TRAININGS = {
    "Keras": "model.fit(x, y, epochs=EXPRESSION)\n",
    "Keras by position": "model.fit(x, y, 32, EXPRESSION)\n",
    "Keras batch by batch": "for epoch in range(EXPRESSION):\n    model.train_on_batch(x, y)\n",
    "TensorFlow 1": "for i in range(EXPRESSION):\n    session.run(train_op, {x: batch})\n",
    "PyTorch": "for epoch in range(1, EXPRESSION + 1):\n    for batch in loader:\n        loss.backward()\n",
    "Lightning": "trainer = pl.Trainer(max_epochs=EXPRESSION)\ntrainer.fit(model)\n",
    "Hugging Face": "arguments = TrainingArguments('out', num_train_epochs=EXPRESSION)\nTrainer(model, arguments).train()\n",
}
_NESTINGS: dict[str, Callable[[str, str, str], str]] = {
    "module": lambda before, training, number: before + training.replace("EXPRESSION", number),
    "function": lambda before, training, number: (
        f"{before}def main():\n{_indent(training.replace('EXPRESSION', number))}main()\n"
    ),
    "all in a function": lambda before, training, number: (
        f"def main():\n{_indent(before + training.replace('EXPRESSION', number))}\nif __name__ == '__main__':\n    main()\n"
    ),
    "keyword": lambda before, training, number: (
        f"def work(model, passes=3):\n{_indent(training.replace('EXPRESSION', 'passes'))}{before}work(net, passes={number})\n"
    ),
    "position": lambda before, training, number: (
        f"def work(model, passes):\n{_indent(training.replace('EXPRESSION', 'passes'))}{before}work(net, {number})\n"
    ),
    "method": lambda before, training, number: (
        "class Worker:\n    def __init__(self, passes):\n        self.passes = passes\n    def work(self):\n"
        f"{_indent(_indent(training.replace('EXPRESSION', 'self.passes')))}{before}Worker({number}).work()\n"
    ),
}
_NAMES = ("epochs", "num_epochs", "n_epochs", "max_epochs")
_DECOYS = (
    "batch_size = 64\n",
    "seed = 42\n",
    "num_classes = 10\n",
    "def evaluate(model, steps=7):\n    return model.evaluate(x_test, y_test, steps=steps)\n",
    "warmup_epochs_done = False\n",
    "lr_schedule = {0: 0.1, 30: 0.01}\n",
    "early = EarlyStopping(patience=3)\n",
    "for index in range(9):\n    show(index)\n",
    "text = 'epochs = 5'  # epochs = 5\n",
    "scheduler = CosineAnnealingLR(optimizer, T_max=50)\n",
)


def _draw(form: str | Mapping[str, str], seed: int) -> dict[str, str]:
    """Return the files of a form, with a name, a number and decoys chosen by ``seed``."""
    numbers = random.Random(seed)
    files = {"nn.py": form} if isinstance(form, str) else dict(form)
    name = numbers.choice(_NAMES)
    number = str(numbers.randint(2, 99))
    upper = numbers.random() < 0.3 and "add_argument" not in str(files) and "option(" not in str(files)
    drawn = {}
    for path, text in files.items():
        content = text.replace("NAME", name.upper() if upper else name).replace("«20»", f"«{number}»")
        if path == "nn.py":
            decoys = numbers.sample(_DECOYS, 3)
            content = f"import os\n{''.join(decoys[:2])}{content}{decoys[2]}"
        drawn[path] = content
    return drawn


def _indent(text: str) -> str:
    return textwrap.indent(text, "    ")


def _unmark(files: Mapping[str, str]) -> tuple[dict[str, bytes], tuple[str, int, int]]:
    """Return the files without marks, and the path and byte range of the marked literal."""
    plain = {path: text.replace("«", "").replace("»", "").encode() for path, text in files.items()}
    ((path, marked),) = [(path, text) for path, text in files.items() if "«" in text]
    start = len(marked.partition("«")[0].encode())
    return plain, (path, start, start + len(marked.partition("«")[2].partition("»")[0].encode()))


def _find(folder: Path, files: Mapping[str, bytes]) -> tuple[Epochs, ...]:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return read_script(folder).epochs


def _is_found(folder: Path, form: str | Mapping[str, str], seed: int) -> bool:
    files, expected = _unmark(_draw(form, seed))
    found = _find(folder / str(seed), files)
    return bool(found) and (found[0].constant.path, found[0].constant.start, found[0].constant.end) == expected


@pytest.mark.parametrize("name", _KERAS)
def test_epochs_of_keras_scripts_are_found(name: str, tmp_path: Path) -> None:
    """The number is found in every form, whatever else the script contains."""
    assert all(_is_found(tmp_path, _KERAS[name][1], seed) for seed in range(4))


@pytest.mark.parametrize("name", _TORCH)
def test_epochs_of_pytorch_scripts_are_found(name: str, tmp_path: Path) -> None:
    """The number is also found in scripts with their own training loops."""
    assert all(_is_found(tmp_path, _TORCH[name][1], seed) for seed in range(4))


@pytest.mark.parametrize("training", _TRAININGS)
@pytest.mark.parametrize("place", _PLACES)
def test_epochs_are_found_in_each_place_for_each_training(place: str, training: str, tmp_path: Path) -> None:
    """The number is found wherever it is written, however it is used, and however deeply the training code is nested."""
    before, number, files = _PLACES[place]
    for seed, nest in enumerate(_NESTINGS.values()):
        script = nest(before, _TRAININGS[training], number)
        assert _is_found(tmp_path, {"nn.py": script, **files}, seed), script


@pytest.mark.parametrize("form", _OTHERS.values(), ids=_OTHERS)
def test_epochs_of_other_scripts_are_found(form: str, tmp_path: Path) -> None:
    """Of several numbers, the one that takes effect when the script runs without arguments comes first."""
    files, expected = _unmark({"nn.py": form})
    constant = _find(tmp_path, files)[0].constant
    assert (constant.path, constant.start, constant.end) == expected


@pytest.mark.parametrize(
    "source",
    [
        "",
        "# epochs = 20\n",
        "text = 'epochs = 20'\n",
        "epochs = 20.5\n",
        "epochs = True\n",
        "epochs = 0\n",
        "epochs = -1\n",
        "model.fit(x, y, epochs=count())\n",
        "model.fit(x, y)\n",
        "warm_up = 5\n",
        "epoch = 1\n",
        "scheduler = CosineAnnealingLR(optimizer, T_max=50)\n",
        "epochs: int\n",
        "KMeans(n_clusters=3).fit(x)\n",
        "for row in range(20):\n    print(row)\n",
        "for digit in range(10):\n    rows = x[y == digit]\n    centers = KMedoids(8).fit(rows)\n",
        "for label in range(10):\n    model = SVC()\n    model.fit(x, y == label)\n",
        "for seed in range(5):\n    x_train, x_test = train_test_split(x, random_state=seed)\n    knn.fit(x_train)\n",
        "for i in range(5):\n    x_train, x_test = train_test_split(x, random_state=i)\n    knn.fit(x_train)\n",
        "for fold in range(5):\n    knn.fit(x[folds != fold])\n",
        "def train(passes):\n    for epoch in range(passes):\n        model.fit(x, y, epochs=1)\n",
        "epochs = 20\nthis is no Python\n",
        "epochs = 20\0\n",
        "# coding: nonsense\nepochs = 20\n",
    ],
)
def test_other_numbers_are_not_epochs(source: str) -> None:
    """Strings, comments, numbers below 1 and loops that do not train are not taken for the number of epochs."""
    assert parse_script(source.encode()).epochs == ()


def test_place_is_described_as_plain_data(tmp_path: Path) -> None:
    """``epochal check`` prints the file, the line, the value, and how the number is written."""
    source = "p.add_argument('--n-epochs', default=5)\nargs = p.parse_args()\nmodel.fit(x, epochs=args.n_epochs * 2)\n"
    (epochs,) = _find(tmp_path, {"nn.py": source.encode()})
    constant = epochs.constant
    assert (constant.path, constant.line, constant.value, epochs.number) == ("nn.py", 1, 5, 10)
    assert constant.place == "the default of --n-epochs"


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A trial writes only to its own copy of the code, wherever the commit's links lead."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "config.py").write_text("EPOCHS = 20\n")
    (outside / "c.yaml").write_text("epochs: 20\n")
    code = tmp_path / "code"
    code.mkdir()
    (code / "package").symlink_to(outside)
    (code / "config.py").symlink_to(outside / "config.py")
    (code / "c.yaml").symlink_to(outside / "c.yaml")
    source = (
        "from config import EPOCHS\nfrom package.config import EPOCHS\nopen('c.yaml')\nmodel.fit(x, epochs=EPOCHS)\n"
    )
    assert _find(code, {"nn.py": source.encode()}) == ()


def test_code_that_refers_to_itself_takes_no_time() -> None:
    """Pushed code can contain anything. Here, each name has two paths to the next, and functions call each other."""
    names = "".join(f"a{at} = (a{at + 1} if a{at + 1} else a{at + 1}) or a{at + 1}\n" for at in range(60))
    calls = "".join(f"def f{at}():\n    return f{at + 1}()\n" for at in range(400))
    loop = "def g(n):\n    return g(n) or h(n)\ndef h(n):\n    return g(n + n)\n"
    source = (
        f"{names}{calls}{loop}model.fit(x, epochs=a0)\nmodel.fit(x, epochs=f0())\nmodel.fit(x, epochs=g(5)['epochs'])\n"
    )
    assert parse_script(source.encode()).epochs == ()
