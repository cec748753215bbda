"""Paths and addresses outside the commit that the pushed code may read. Its verdict is then not reused."""

from pathlib import Path

import pytest

from epochal.analysis.outside import find_outside, is_address


@pytest.mark.parametrize(
    ("code", "outside"),
    [
        ('data = np.load("/tmp/outside.npz")', "/tmp/outside.npz"),
        ('PATH = "/mnt/data/train.csv"\nframe = pd.read_csv(PATH)', "/mnt/data/train.csv"),
        ('ROOT = Path("/mnt/data")\nx = np.load(ROOT / "x.npy")', "/mnt/data"),
        ('files = glob.glob("/mnt/data/*.png")', "/mnt/data/*.png"),
        ('x = np.load("/home/ada/My Drive/x.npy")', "/home/ada/My Drive/x.npy"),
        ('x = np.load(f"/mnt/{name}.npy")', "/mnt/"),
        ('x = np.load("/mnt/" + name)', "/mnt/"),
        ('x = np.load("/mnt/{}.npy".format(name))', "/mnt/{}.npy"),
        ('print(np.load("/mnt/x.npy").mean())', "/mnt/x.npy"),
        ('def read(path="/mnt/x.npy"):\n    return np.load(path)', "/mnt/x.npy"),
        ('parser.add_argument("--data", default="/mnt/x.npy")', "/mnt/x.npy"),
        ('with open("/mnt/labels.txt") as file:\n    labels = file.read()', "/mnt/labels.txt"),
        ('with open("/mnt/labels.txt", "rb") as file:\n    labels = file.read()', "/mnt/labels.txt"),
        ('CACHE = "/var/cache/x"\nos.makedirs(CACHE)\nx = np.load(os.path.join(CACHE, "x.npy"))', "/var/cache/x"),
        ('P = "/mnt/x.npy"\nif not os.path.exists(P):\n    np.save(P, x)\nx = np.load(P)', "/mnt/x.npy"),
        ('def put(path):\n    np.save(path, x)\npath = "/mnt/x.npy"\nx = np.load(path)', "/mnt/x.npy"),
        ('class Config:\n    data = "/mnt/x.npy"\nx = np.load(Config.data)', "/mnt/x.npy"),
        ('frame = pd.read_csv("https://example.com/x.csv")', "https://example.com/x.csv"),
        ('keras.utils.get_file("x", origin="http://example.com/x.zip")', "http://example.com/x.zip"),
        ('ds = tf.data.TFRecordDataset("gs://bucket/x.tfrecord")', "gs://bucket/x.tfrecord"),
        ('frame = pd.read_parquet("s3://bucket/x.parquet")', "s3://bucket/x.parquet"),
        ('x = urlopen("file:///mnt/x.csv")', "/mnt/x.csv"),
        ('os.system("wget -q https://example.com/x.zip -O x.zip")', "https://example.com/x.zip"),
        ('x = np.load(os.path.join(os.sep, "mnt", "data", name))', "/mnt/data"),
        ('x = np.load(Path("/") / "mnt" / "x.npy")', "/mnt/x.npy"),
        ('x = np.load(os.sep + os.path.join("mnt", "x.npy"))', "/mnt/x.npy"),
        ('subprocess.run(["cp", "/mnt/x.npy", "."])', "/mnt/x.npy"),
    ],
)
def test_what_is_read_from_outside_is_found(code: str, outside: str, tmp_path: Path) -> None:
    """A path or an address is found no matter how it reaches the call that reads it."""
    (tmp_path / "nn.py").write_text(code)
    assert find_outside(tmp_path, {}) == (outside,)
    assert is_address(outside) is ("://" in outside)


@pytest.mark.parametrize(
    "code",
    [
        '"""Reads /mnt/x.npy and https://example.com/x."""  # not /mnt/y.npy',
        'name = path.split("/")[-1]\nx = np.load(folder + "/" + "x.npy"), "/".join(names)',
        'x = np.load(os.path.join(os.sep, "data", "x.npy"))',
        'x = np.load("/data/x.npy"), np.load("data/x.npy"), np.load("file:///data/y.npy")',
        'kind = "image/png" if re.match(r"/\\d+/.*", name) else re.sub("/mnt/x", "", name)',
        'labels = [each.split("/images/")[1].replace("/left/", "/right/") for each in names]',
        'x = np.load(folder + "/train/x.npy"), np.load(f"{folder}/test/x.npy"), "%s/val/x" % folder',
        'with tf.device("/GPU:0"), tf.device("/device:CPU:0"):\n    pass',
        'parser.add_argument("--data", help="https://example.com/x.csv")',
        'print("/mnt/x.npy")\nraise ValueError("/mnt/x.npy")',
        'if name == "/mnt/x" or "/val/" in name:\n    pass',
        'weights = group["/model_weights/dense"]\napp.route("/predict")\nanswer = client.get("/predict")',
        'SOURCE = "https://example.com/x.csv"',
        'with open("/tmp/log.txt", "a") as file:\n    file.write("x")',
        'plt.savefig("/tmp/curve.png")\nmodel.save("/tmp/model.keras")\nPath("/tmp/a.txt").write_text("a")',
        'path = "/tmp/best.keras"\nbest = ModelCheckpoint(path)\nmodel.fit(x, callbacks=[best])\nmodel.load_weights(path)',
        'os.makedirs("/tmp/logs", exist_ok=True)\nboard = TensorBoard(log_dir="/tmp/logs")',
        'null = open("/dev/null")\nshell = "/usr/bin/env"\nsvg = "http://www.w3.org/2000/svg"',
        'print("see https://example.com/x for more")\nmessage = "either/or"',
    ],
)
def test_strings_from_which_nothing_is_read_do_not_count(code: str, tmp_path: Path) -> None:
    """Examples are docstrings, path endings, patterns, devices, outputs and messages. The fingerprint covers /data."""
    (tmp_path / "nn.py").write_text(code)
    assert find_outside(tmp_path, {}) == ()


def test_settings_count_if_the_code_names_their_file(tmp_path: Path) -> None:
    """A settings file that the code does not name belongs to another tool."""
    (tmp_path / "config.yaml").write_text("# /mnt/old.csv\ndata: /mnt/train.csv\nname: a/b\n")
    (tmp_path / "mkdocs.yml").write_text("site_url: https://example.com/docs\n")
    (tmp_path / "nn.py").write_text("import yaml\n")
    assert find_outside(tmp_path, {}) == ()
    (tmp_path / "nn.py").write_text('import yaml\nsettings = yaml.safe_load(open("config.yaml"))\n')
    assert find_outside(tmp_path, {}) == ("/mnt/train.csv",)


def test_export_of_a_notebook_counts(tmp_path: Path) -> None:
    """The exported script is checked, although it is not a file in the commit."""
    assert find_outside(tmp_path, {"train.ipynb.py": b'x = np.load("/mnt/x.npy")'}) == ("/mnt/x.npy",)
