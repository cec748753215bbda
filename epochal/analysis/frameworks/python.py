"""Plain Python (code that imports no supported framework), and NLTK's datasets, which any code may use.

``_REMOVED`` lists what Python 3, up to version 3.10, has moved or removed.
"""

from epochal.analysis.frameworks import DatasetCache, LogLines, Recorder, RemovedApi, find_removed_names
from epochal.analysis.packages import PYTHON_2_MODULES
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
"""The folder of each NLTK resource, both in the cache and in the download URL."""

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

_ABSTRACT_CLASSES = (
    "Callable Collection Container Generator Hashable ItemsView Iterable Iterator KeysView Mapping MappingView "
    "MutableMapping MutableSequence MutableSet Sequence Set Sized ValuesView"
)

_REMOVED = {
    **PYTHON_2_MODULES,
    **{f"collections.{name}": f"collections.abc.{name}" for name in _ABSTRACT_CLASSES.split()},
    **{f"urllib.{name}": f"urllib.request.{name}" for name in ("urlopen", "urlretrieve")},
    **{f"urllib.{name}": f"urllib.parse.{name}" for name in ("quote", "quote_plus", "unquote", "urlencode")},
    "fractions.gcd": "math.gcd",
    "itertools.ifilter": "the built-in function filter",
    "itertools.imap": "the built-in function map",
    "itertools.izip": "the built-in function zip",
    "itertools.izip_longest": "itertools.zip_longest",
    "os.getcwdu": "os.getcwd",
    "string.letters": "string.ascii_letters",
    "string.maketrans": "str.maketrans(…)",
    "sys.maxint": "sys.maxsize",
    "time.clock": "time.perf_counter",
}
"""Names and modules from Python 2 or early versions of Python 3, with their replacements."""


def find_removed_apis(source: str) -> list[RemovedApi]:
    """Return each place in a module's ``source`` that uses a name that Python 3 has moved or removed, in line order."""
    return find_removed_names(source, _REMOVED)
