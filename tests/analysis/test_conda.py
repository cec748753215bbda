"""The translation of environment.yml into pip requirements, as far as pip's index has the packages."""

import pytest

from epochal.analysis.conda import conda_to_pip
from epochal.errors import Reason, RunFailed


@pytest.mark.parametrize(
    ("dependencies", "requirements"),
    [
        ("[python=3.10, pip, {pip: ['humanize>=4', rich]}]", "humanize>=4\nrich\n"),
        ("\n  - pip:\n    - numpy", "numpy\n"),
        ("\n  - pip\n  - pip: [scikit-learn, 'a[b]<9,>=1']", "scikit-learn\na[b]<9,>=1\n"),
        ("[numpy, pandas=2, scipy=1.15.1, keras==3.9.0]", "numpy\npandas==2.*\nscipy==1.15.1.*\nkeras==3.9.0\n"),
        (
            "['numpy>=1.20,<2', 'tqdm >=4', 'scikit-learn=1.5.1=py311h5eee18b_0']",
            "numpy>=1.20,<2\ntqdm>=4\nscikit-learn==1.5.1\n",
        ),
        ("[conda-forge::matplotlib-base, pytorch::pytorch=2.2, pytorch-cuda=12.1]", "matplotlib\ntorch==2.2.*\n"),
        ("['numpy 1.26.*', libopenblas, librosa, _libgcc_mutex=0.1]", "numpy==1.26.*\nlibrosa\n"),
        ("[]", ""),
    ],
)
def test_known_packages_are_translated(dependencies: str, requirements: str) -> None:
    """Versions are written as pip expects them; Python, pip and system libraries are left out."""
    text = f"name: digits\nchannels: [conda-forge]\ndependencies: {dependencies}\n"
    assert conda_to_pip(text, "environment.yml") == requirements


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("dependencies: [r-base]\n", "r-base is a conda package"),
        ("dependencies: [r-base, numpy, gdal=3.8]\n", "Remove r-base and gdal from the file, or list"),
        ("dependencies: [r-base, {pip: [numpy]}]\n", "Remove r-base from the file, or list"),
        (
            "dependencies:\n  - pip\n  - pip: scikit-learn\n",
            "environment.yml line 3: the value of `pip:` is not a list. Write `- pip: [scikit-learn]`, or list what",
        ),
        ("dependencies:\n  - pip: |\n      numpy\n      a[b]<9,>=1\n", "Write `- pip: [numpy, 'a[b]<9,>=1']`, or"),
        ("dependencies:\n  - pip: numpy scikit-learn\n", "not a list. Write `- pip: [numpy, scikit-learn]`, or"),
        ("dependencies:\n  - pip: >\n      a>=1\n      b\n", "not a list. Write `- pip: [a>=1, b]`, or"),
        ("dependencies:\n  - pip: a, b,c >=1, <2,\n", "not a list. Write `- pip: [a, b, 'c >=1, <2']`, or"),
        (
            "dependencies:\n  - pip: |\n      # both\n\n      a b  # c\n      d ; extra == 'e' or extra == 'f'\n",
            "`- pip: [a, b, d ; extra ==",
        ),
        ("dependencies:\n  - pip: -r a.txt\n", "not a list. Write a list, as in `pip: [numpy, pandas]`, or"),
        ("dependencies:\n  - pip: numpy 1.26\n", "not a list. Write a list, as in `pip: [numpy, pandas]`, or"),
        ("dependencies:\n  - pip: a git+https://b/c\n", "not a list. Write a list, as in `pip: [numpy, pandas]`, or"),
        ("dependencies:\n  - pip: ''\n", "not a list. Write a list, as in `pip: [numpy, pandas]`, or"),
        ("dependencies: [{pip: numpy}]\n", "line 1: the value of `pip:` is not a list. Write `{pip: [numpy]}`, or"),
        ("x: &x {dependencies: [pip: numpy]}\n<<: *x\n", "environment.yml: the value of `pip:` is not a list. Write"),
        (
            "dependencies:\n  - pip: {numpy: 1}\n",
            "line 2: the value of `pip:` is not a list. Write a list, as in `pip: [",
        ),
        (
            "dependencies:\n  - pip:\n  - numpy\n",
            "line 2: there is no list under `pip:`. Indent the pip packages further than this line, or list",
        ),
        ("dependencies:\n  - numpy: 1.5\n", "line 2: `numpy: 1.5` is neither a package nor a list of pip packages."),
        ("dependencies:\n  - scipy\n  -\n", "environment.yml line 3: `-` is neither a package nor"),
        ("dependencies: [1.5]\n", "line 1: `1.5` is neither"),
        ("dependencies: numpy\n", "not a list"),
        ("name: digits\n", "no list of dependencies"),
        ("- numpy\n", "no list of dependencies"),
        ("{", "the file is not valid YAML"),
        (
            "dependencies:\n  - python\n\t- numpy\n",
            "environment.yml line 3: the file is not valid YAML (found character '\\t' that cannot start any token). Correct it,",
        ),
        (
            "dependencies:\n<<<<<<< HEAD\n  - numpy\n=======\n  - pandas\n>>>>>>> other\n",
            "environment.yml line 2: the file contains a merge conflict. Resolve it and commit the result, or list",
        ),
        (
            'name: "digits\ndependencies:\n  - numpy\n',
            "environment.yml line 1: the file is not valid YAML (found unexpected end of stream while scanning a quoted scalar)",
        ),
        (
            "name: digits\ndependencies: [numpy,\n  pandas\n\n",
            "line 2: the file is not valid YAML (expected ',' or ']', but got '<stream end>' while parsing a flow sequence)",
        ),
        (
            "name: a\ndependencies: [numpy\nprefix: b\n",
            "environment.yml line 3: the file is not valid YAML (expected ',' or",
        ),
        (
            'channels:\n  - "conda-forge\n  - "defaults"\ndependencies: [numpy]\n',
            "environment.yml line 3: the file is not valid YAML (expected <block end>, but found '<scalar>', perhaps because a "
            "quote or bracket that was opened on an earlier line is not closed). Correct it, or list",
        ),
        (
            'dependencies:\n  - numpy "pandas"\n  - [scipy\nname: "a"\n',
            "line 4: the file is not valid YAML (expected ',' or ']', but got ':', perhaps because a quote or bracket that",
        ),
        (
            'name: digits\ndependencies:\n  - "numpy" "a"\n',
            "line 3: the file is not valid YAML (expected <block end>, but found '<scalar>').",
        ),
        (
            '# Tom\'s environment\nname: a\ndependencies:\n  - "numpy" "scipy"\n',
            "line 4: the file is not valid YAML (expected <block end>, but found '<scalar>').",
        ),
        (
            "dependencies:\n  - python=3.11 # don't change\n  - scipy: \"1.3\" extra\n  - 'numpy'\n",
            "line 3: the file is not valid YAML (expected <block end>, but found '<scalar>').",
        ),
        (
            'channels: ["conda-forge", {a: "b"}]\nname: don\'t\ndependencies:\n  - "scipy"==1.5\n',
            "line 4: the file is not valid YAML (expected <block end>, but found '<scalar>').",
        ),
        (
            'dependencies: [\n  numpy,\n  "scipy" "pandas"\n]\n',
            "line 3: the file is not valid YAML (expected ',' or ']', but got '<scalar>').",
        ),
        (
            'name: "a\n  b"\ndependencies:\n  - "scipy"==1.5\n',
            "line 4: the file is not valid YAML (expected <block end>, but found '<scalar>').",
        ),
        (
            'dependencies:\n  - "numpy\n    1.5" "scipy" # isn\'t "it\n',
            "line 3: the file is not valid YAML (expected <block end>, but found '<scalar>').",
        ),
        (
            "# Tom's\nname: 'a\ndependencies:\n  - 'numpy'\n",
            "line 4: the file is not valid YAML (expected <block end>, but found '<scalar>', perhaps because a quote",
        ),
        (
            'name: "a\nchannels: ["b", "c"]\n',
            "line 2: the file is not valid YAML (expected <block end>, but found '<scalar>', perhaps because a quote",
        ),
        ("dependencies: [numpy\x07]\n", "environment.yml: the file is not valid YAML. Correct it, or list"),
        ("", "no list of dependencies"),
    ],
)
def test_anything_else_is_refused_with_a_remedy(text: str, part: str) -> None:
    """A wrong guess would train with a different package."""
    with pytest.raises(RunFailed, match=r"requirements\.txt, which is then used") as caught:
        conda_to_pip(text, "environment.yml")
    assert caught.value.reason is Reason.REFUSED_REQUIREMENT
    assert part in caught.value.explanation
