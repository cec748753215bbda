"""The datasets that can be put into the cache. Values in, values out."""

from epochal.errors import UsageError

KERAS_DATASETS = (
    "boston_housing",
    "california_housing",
    "cifar10",
    "cifar100",
    "fashion_mnist",
    "imdb",
    "mnist",
    "reuters",
)
"""The modules of ``keras.datasets`` (keras.io/api/datasets)."""


def fetch_script(name: str) -> str:
    """The Python that loads the dataset once, so that Keras caches it. Raises UsageError for one that Keras does not have."""
    if name not in KERAS_DATASETS:
        raise UsageError(
            f"{name} is none of the datasets that can be fetched: {', '.join(KERAS_DATASETS)}. "
            "Put files of your own into the folder that server.toml calls data: training sees it as /data."
        )
    word_index = f"; {name}.get_word_index()" if name in ("imdb", "reuters") else ""
    return f"from keras.datasets import {name}; {name}.load_data(){word_index}"
