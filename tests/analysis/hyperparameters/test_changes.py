"""The literals in nn.py: which ones are found, and that changing one leaves every other byte as it is."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from epochal.analysis.hyperparameters.changes import assigned_lines, change_all, find_constants, unified_diff
from epochal.analysis.hyperparameters.config_files import find_keys
from epochal.analysis.hyperparameters.constant import Constant
from epochal.analysis.script import parse_script
from epochal.records import Value, is_same_value


def _find_constant(source: bytes) -> Constant:
    return parse_script(source).epochs[0].constant


def test_constants_are_found_in_order() -> None:
    """Each constant has its name, value and line, and the position of its literal, including the sign."""
    source = b"rate = 1e-3\nif True:\n    shift = - 5\nname = 'a'\nflag = False\nz = 2j\nf = lambda: 3\nrate = .5\n"
    found = find_constants(source)
    assert [(constant.name, constant.value, constant.line) for constant in found] == [
        ("rate", 0.001, 1),
        ("shift", -5, 3),
        ("name", "a", 4),
        ("flag", False, 5),
        ("rate", 0.5, 8),
    ]
    assert [source[constant.start : constant.end] for constant in found] == [b"1e-3", b"- 5", b"'a'", b"False", b".5"]


def test_only_plain_literals_are_found() -> None:
    """Strings count in any notation, but f-strings, bytes, None and expressions do not."""
    source = b"n = 1\na = 'x' \"y\"\nb = ('z\\n')\nc = True\nd = f'{n}'\ne = b'x'\nf = None\ng = 'x' + 'y'\n"
    found = find_constants(source)
    assert [(constant.name, constant.value, constant.line) for constant in found] == [
        ("n", 1, 1),
        ("a", "xy", 2),
        ("b", "z\n", 3),
        ("c", True, 4),
    ]
    assert [source[constant.start : constant.end] for constant in found[1:]] == [b"'x' \"y\"", b"'z\\n'", b"True"]


def test_top_level_assignments_are_found() -> None:
    """Every kind of assignment counts, even inside blocks, but not in functions, classes or comprehensions."""
    source = (
        b"a = 1\na += 2\nfor a in b: c = d = 1\nif (a := 3): pass\n"
        b"def f():\n    a = 4\nclass A:\n    a = 5\n[a for a in b]\ne, c = 5, 6\n"
    )
    assert assigned_lines(source) == {"a": [1, 2, 3, 4], "c": [3, 10], "d": [3], "e": [10]}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"epochs = 20  # was 50\n", b"epochs = 30  # was 50\n"),
        (b"epochs=20", b"epochs=30"),
        (b"x = 1\r\nepochs = 20\r\ny = 2\n", b"x = 1\r\nepochs = 30\r\ny = 2\n"),
        (b"x = 1\repochs = 20\ry = 2", b"x = 1\repochs = 30\ry = 2"),
        (b"\xef\xbb\xbfepochs = 20\r\n", b"\xef\xbb\xbfepochs = 30\r\n"),
        (
            b"\xef\xbb\xbf# \xc3\xa9\nname = '\xc3\xa9'; epochs = 20\n",
            b"\xef\xbb\xbf# \xc3\xa9\nname = '\xc3\xa9'; epochs = 30\n",
        ),
        (
            b"# coding: latin-1\nname = '\xe9\xe9'; epochs = 20\n",
            b"# coding: latin-1\nname = '\xe9\xe9'; epochs = 30\n",
        ),
        (b"# coding: gbk\nname = '\xc4\xe3'; epochs = 20\n", b"# coding: gbk\nname = '\xc4\xe3'; epochs = 30\n"),
        (b"x = '\x0c'\n\x0cepochs = 20\n", b"x = '\x0c'\n\x0cepochs = 30\n"),
        ("s = '\u2028'\nepochs = 20\n".encode(), "s = '\u2028'\nepochs = 30\n".encode()),
        (b"s = '''\r\n20'''; epochs = (\\\r\n  20)\r\n", b"s = '''\r\n20'''; epochs = (\\\r\n  30)\r\n"),
        (b"model.fit(x, epochs=20)  # epochs=20\n", b"model.fit(x, epochs=30)  # epochs=20\n"),
        (b"epochs = 0x14\n", b"epochs = 30\n"),
        (b'epochs = int(os.getenv("N", "20"))\n', b'epochs = int(os.getenv("N", "30"))\n'),
    ],
)
def test_change_touches_only_the_number(before: bytes, after: bytes) -> None:
    """Comments, line endings, the byte order mark and the encoding stay exactly the same."""
    assert change_all(before, {_find_constant(before): 30}) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"epochs = batch = 20  # both\n", b"batch = 20; epochs = 30  # both\n"),
        (b"batch = epochs = (20)\n", b"batch = (20); epochs = 30\n"),
        (b"a = epochs = b = 20; c = 1\n", b"a = b = 20; epochs = 30; c = 1\n"),
        (b"if x: epochs = a = 20\n", b"if x: a = 20; epochs = 30\n"),
    ],
)
def test_chained_assignment_is_split(before: bytes, after: bytes) -> None:
    """Only the number of epochs changes: the other names keep the literal, and no line moves."""
    assert change_all(before, {_find_constant(before): 30}) == after


@pytest.mark.parametrize(
    ("path", "before", "key", "value", "after"),
    [
        ("c.yaml", "a:\r\n  # n: 1\r\n  n:   5   # é\r\n", "a.n", 15, "a:\r\n  # n: 1\r\n  n:   15   # é\r\n"),
        ("c.yml", "é: {n: 5, m: [1, {n: 6}]}\n", "é.m.1.n", 7, "é: {n: 5, m: [1, {n: 7}]}\n"),
        ("c.yaml", "---\nn: '5'\n", "n", 15, "---\nn: '15'\n"),
        ("c.yaml", "lr: 1e-3\n", "lr", 1e-5, "lr: 1.0e-05\n"),
        ("c.yaml", "a: &x\n  n: 5\nb: *x\n", "a.n", 6, "a: &x\n  n: 6\nb: *x\n"),
        ("c.yaml", "opt: sgd # or adam\n", "opt", "adam", "opt: adam # or adam\n"),
        ("c.yaml", "opt: sgd\n", "opt", "yes", 'opt: "yes"\n'),
        ("c.yaml", "opt: 'sgd'\n", "opt", "it: is", "opt: 'it: is'\n"),
        ("c.yaml", "on: true\n", "on", False, "on: false\n"),
        ("c.json", '{"a": {\t"n":5}, "n": null}', "a.n", 15, '{"a": {\t"n":15}, "n": null}'),
        ("c.json", '\n{"t": true, "lr": 0.1}\n', "t", False, '\n{"t": false, "lr": 0.1}\n'),
        ("c.json", '{"opt": "sgd"}', "opt", 'a"b', '{"opt": "a\\"b"}'),
        ("c.toml", "n = 1\n[a.b]\nn = 5 # was 6\n", "a.b.n", 15, "n = 1\n[a.b]\nn = 15 # was 6\n"),
        ("c.toml", "a = { n = 5, m = 6 }\n", "a.m", 7, "a = { n = 5, m = 7 }\n"),
        ("c.toml", 't = """\nn = 5\n"""\nn = 5\n', "n", 6, 't = """\nn = 5\n"""\nn = 6\n'),
        ("c.toml", "opt = 'sgd'\n", "opt", "adam", "opt = 'adam'\n"),
    ],
)
def test_change_in_a_configuration_file_touches_only_the_value(
    path: str, before: str, key: str, value: Value, after: str
) -> None:
    """Comments, spaces, quotes and line endings stay exactly the same."""
    constant = next(each for each in find_keys(path, before.encode()) if each.qualified_name == key)
    assert change_all(before.encode(), {constant: value}).decode() == after


@given(st.sampled_from(["c.yaml", "c.json", "c.toml"]), st.binary() | st.text().map(str.encode))
def test_arbitrary_configuration_files_are_read_or_not(path: str, content: bytes) -> None:
    """No content raises an exception, and every value that is found has the right position."""
    for constant in find_keys(path, content):
        assert change_all(content, {constant: constant.value}) == content


_NUMBERS = st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)
_ENDS = st.sampled_from(["\n", "\r\n", "\r"])
_LINES = st.sampled_from(
    ["", "x = 1", "# epochs = 20 é", "s = 'ä', 20", "if x:\n  y = 2", 't = """\n20"""', "x = (\n1)", "\x0c"]
)


@given(
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "latin-1", "cp1252"]),
    before=st.lists(st.tuples(_LINES, _ENDS)),
    after=st.lists(st.tuples(_LINES, _ENDS)),
    place=st.sampled_from(
        ["number = {}", "number: float = ({})", "s = 'é'; number={} # {}", "with x:\n\tnumber = {};y=2"]
    ),
    old=_NUMBERS,
    new=_NUMBERS,
)
def test_every_other_byte_stays(
    encoding: str,
    before: list[tuple[str, str]],
    after: list[tuple[str, str]],
    place: str,
    old: int | float,
    new: int | float,
) -> None:
    """The result is as if the source had always had the new number, in any encoding and mix of line endings."""
    assume(old != new)

    def source(number: int | float) -> bytes:
        middle = place.replace("{}", repr(number), 1)
        text = "".join(line + end for line, end in [*before, (middle, "\n"), *after])
        return ("" if encoding.startswith("utf") else f"# coding: {encoding}\n").encode() + text.encode(encoding)

    constant = next(constant for constant in find_constants(source(old)) if constant.name == "number")
    assert constant.value == old
    assert change_all(source(old), {constant: new}) == source(new)


@given(st.binary() | st.text().map(str.encode), st.integers(0, 20), st.integers(0, 20), st.integers())
def test_arbitrary_bytes_are_changed_correctly_or_refused(source: bytes, start: int, length: int, value: int) -> None:
    """Searching arbitrary bytes never fails, and changing a constant that is not in them raises ValueError."""
    find_constants(source)
    parse_script(source)
    try:
        changed = change_all(source, {Constant("epochs", 20, 1, start, start + length): value})
    except ValueError:
        return
    assert changed == source[:start] + str(value).encode() + source[start + length :]


def _find_by_name(source: bytes) -> dict[str, Constant]:
    return {constant.name: constant for constant in find_constants(source)}


def test_several_literals_are_changed_at_once() -> None:
    """Each keeps its position and quotes. A literal that already has the new value keeps its notation."""
    source = b'n = 0x10; rate = 1e-3\r\noptimizer = \'sgd\'  # or "adam"\nloss = "mse"\naugment = False\n'
    found = _find_by_name(source)
    values: dict[str, Value] = {"augment": True, "loss": "mae", "optimizer": "adam", "rate": 0.01, "n": 16}
    assert (
        change_all(source, {found[name]: value for name, value in values.items()})
        == b'n = 0x10; rate = 0.01\r\noptimizer = \'adam\'  # or "adam"\nloss = "mae"\naugment = True\n'
    )
    assert change_all(source, {constant: constant.value for constant in found.values()}) == source
    assert change_all(source, {}) == source
    assert b"loss = 'm\"e'" in change_all(source, {found["loss"]: 'm"e'})


_PAIRS = st.tuples(_NUMBERS, _NUMBERS) | st.tuples(st.text(), st.text()) | st.tuples(st.booleans(), st.booleans())


@given(encoding=st.sampled_from(["utf-8", "latin-1", "gbk"]), pairs=st.lists(_PAIRS))
def test_any_value_can_replace_another_of_its_kind(encoding: str, pairs: list[tuple[Value, Value]]) -> None:
    """The result has the new values, whatever the strings contain, and the bytes between them stay the same."""
    between = "; # é\n".encode(encoding)
    lines = [f"v{place} = {old!a}".encode() + between for place, (old, _) in enumerate(pairs)]
    source = f"# coding: {encoding}\n".encode() + b"".join(lines)
    new_values = [new for _, new in pairs]
    changed = change_all(source, dict(zip(find_constants(source), new_values, strict=True)))
    assert all(map(is_same_value, (constant.value for constant in find_constants(changed)), new_values))
    assert changed.count(between) == len(new_values)


@pytest.mark.parametrize(
    "changes", [{"n": "many"}, {"n": True}, {"flag": 1}, {"name": 5}, {"a": 2, "b": 3}, {"n": float("nan")}]
)
def test_impossible_changes_are_refused(changes: dict[str, Value]) -> None:
    """This covers a value of another type, two values for one literal, and a number that has no literal."""
    source = b"n = 1\nflag = True\nname = 'x'\na = b = 1\n"
    with pytest.raises(ValueError, match="line"):
        change_all(source, {_find_by_name(source)[name]: value for name, value in changes.items()})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True])
def test_value_without_a_literal_is_refused(value: int | float) -> None:
    """NaN, infinity and booleans cannot replace a number. The error names the constant."""
    source = b"epochs = 20\n"
    with pytest.raises(ValueError, match="epochs"):
        change_all(source, {_find_constant(source): value})


def test_constant_of_another_source_is_refused() -> None:
    """The position of a constant is valid only in the source in which it was found."""
    with pytest.raises(ValueError, match="was not found on line 1"):
        change_all(b"batch_size = 32\n", {_find_constant(b"epochs = 20\n"): 30})


@pytest.mark.parametrize(
    "source",
    [
        b"x = 1\nepochs = 20\ny = 2\n",
        b"x = 1\r\nepochs = 20\r\n",
        b"x = 1\repochs = 20\r",
        b"epochs = 20",
        b"# \xc3\xa9\nx = '\x0c'; epochs = 20\n",
    ],
)
def test_git_applies_the_diff(tmp_path: Path, source: bytes) -> None:
    """git accepts the diff, whatever the line endings are."""
    changed = change_all(source, {_find_constant(source): 30})
    (tmp_path / "nn.py").write_bytes(source)
    diff = unified_diff(source, changed, "nn.py")
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=diff.encode(), check=True)
    assert (tmp_path / "nn.py").read_bytes() == changed


def test_diff_is_readable_in_any_encoding() -> None:
    """The diff shows the characters of the source rather than its bytes."""
    source = b"# coding: latin-1\nepochs = 20  # \xe9\n"
    assert "+epochs = 30  # é\n" in unified_diff(source, change_all(source, {_find_constant(source): 30}), "nn.py")
