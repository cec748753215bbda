"""Names that existed in Python 2 or in early versions of Python 3."""

import pytest

from epochal.analysis.frameworks.python import find_removed_apis


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import cPickle", "import pickle as cPickle"),
        ("import cPickle as pickle", "import pickle"),
        ("import urllib2", "import urllib.request as urllib2"),
        ("from StringIO import StringIO", "from io import StringIO"),
        ("from collections import Mapping, OrderedDict", "from collections.abc import Mapping"),
        ("from itertools import izip", "the built-in function zip"),
        ("import collections\nisinstance(x, collections.Iterable)", "collections.abc.Iterable"),
        ("import time\nstart = time.clock()", "time.perf_counter"),
        ("# coding: cp1252\nimport cPickle as pickle  # á Á", "import pickle"),
    ],
)
def test_name_in_python_3_is_named(old: str, new: str) -> None:
    """Each finding gives the line and what to write there in Python 3."""
    assert [(removed.line, removed.instead) for removed in find_removed_apis(old)] == [(old.count("\n") + 1, new)]


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    import cPickle as pickle\nexcept ImportError:\n    import pickle\npickle.load(file)\n",
        "import six\nif six.PY2:\n    import urllib2\nelse:\n    import urllib.request as urllib2\nurllib2.quote(a)\n",
        "from collections import OrderedDict\nfrom .Queue import Queue\nself.commands.run()\n",
        "import urllib.request\nurllib.request.urlopen(a)\n",
    ],
)
def test_code_for_python_3_is_not_reported(source: str) -> None:
    """This includes code that supports both Python 2 and Python 3."""
    assert find_removed_apis(source) == []
