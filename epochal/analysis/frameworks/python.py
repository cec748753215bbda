"""Plain Python (code that imports no supported framework), and NLTK's datasets, which any code may use."""

from epochal.analysis.frameworks import DatasetCache, LogLines, Recorder, no_removed_apis
from epochal.folders import resource

_NLTK_RESOURCES = {
    "averaged_perceptron_tagger": "taggers",
    "averaged_perceptron_tagger_eng": "taggers",
    "brown": "corpora",
    "gutenberg": "corpora",
    "maxent_ne_chunker": "chunkers",
    "maxent_ne_chunker_tab": "chunkers",
    "movie_reviews": "corpora",
    "names": "corpora",
    "omw-1.4": "corpora",
    "punkt": "tokenizers",
    "punkt_tab": "tokenizers",
    "reuters": "corpora",
    "snowball_data": "stemmers",
    "stopwords": "corpora",
    "twitter_samples": "corpora",
    "universal_tagset": "taggers",
    "vader_lexicon": "sentiment",
    "wordnet": "corpora",
    "words": "corpora",
}
"""The folder of each NLTK resource, both in the cache and in the download address."""

_FETCH = (
    "import io, os, urllib.request as web, zipfile; "
    "address = 'https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/{folder}/{name}.zip'; "
    "archive = zipfile.ZipFile(io.BytesIO(web.urlopen(address).read())); "
    "archive.extractall(os.path.join(os.environ['NLTK_DATA'], '{folder}'))"
)

TITLE = "Python"
IMPORTS = ()
RANK = 0
PINS = resource("requirements") / "python.txt"
DATASETS = DatasetCache(
    folder="nltk_data",
    variable="NLTK_DATA",
    scripts={f"nltk:{name}": _FETCH.format(folder=folder, name=name) for name, folder in _NLTK_RESOURCES.items()},
)
MODEL_SUFFIXES = ()
LOG_LINES = LogLines()
RECORDER = Recorder()
SET_EPOCHS = "Write epochs = 20 at the top of the script, and train in a loop: for epoch in range(epochs)."
find_removed_apis = no_removed_apis
