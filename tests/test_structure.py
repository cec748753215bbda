"""structure.svg and architecture.md in docs/explanation agree with the rooms and imports in the code."""

import re
from pathlib import Path

import pytest

from scripts.draw_structure import PICTURE, Structure, draw, read_structure


@pytest.fixture(scope="module")
def structure() -> Structure:
    """Return the structure of the code, which is read only once."""
    return read_structure()


def test_picture_is_up_to_date(structure: Structure) -> None:
    """The committed picture is identical to what the script draws now."""
    assert structure.imports["cli", "commands"], "an import by importlib counts"
    assert not any("recorder" in pair for pair in structure.imports), "the recorder is by itself"
    if draw(structure) != PICTURE.read_text("utf-8"):
        pytest.fail(f"{PICTURE} is out of date. Run make picture, and commit what it changed.", pytrace=False)


def test_every_room_is_described(structure: Structure) -> None:
    """docs/explanation/architecture.md has one line for each room, and no other lines."""
    page = (PICTURE.parent / "architecture.md").read_text("utf-8")
    described = re.findall(r"^\| `([\w/]+)(?:/|\.py)` \|", page, re.MULTILINE)
    assert sorted(described) == sorted(structure.rooms), (
        "correct the table of rooms in docs/explanation/architecture.md"
    )


def test_rooms_imports_and_lines_are_read(tmp_path: Path) -> None:
    """Layers come from pyproject.toml, rooms from files and folders, and every kind of import counts."""
    (tmp_path / "pyproject.toml").write_text(
        '[[tool.importlinter.contracts]]\ntype = "layers"\ncontainers = ["epochal"]\n'
        'exhaustive_ignores = ["__main__"]\nlayers = ["top", "left | right", "bottom"]\n'
    )
    sources = {
        "__init__.py": "",
        "__main__.py": "import epochal.top.start\n",
        "top/start.py": 'import_module(f"epochal.left.{name}")\nfrom epochal.right import x\nfrom epochal import bottom\n',
        "top/inner/deep/module.py": "def f():\n    from ...start import main\n",
        "left/module.py": "import json, epochal.bottom\n",
        "right.py": "x = 1\n\ny = 2\n",
        "bottom.py": '"""Nothing."""\n',
        "apart/more/module.py": "from epochal.apart import other\n",
        "apart/other.py": "",
    }
    for name, source in sources.items():
        path = tmp_path / "epochal" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)

    structure = read_structure(tmp_path)

    assert structure.layers == [["top", "top/inner"], ["left", "right"], ["bottom"]]
    assert structure.apart == ["apart"]
    assert sorted(structure.imports) == [
        ("left", "bottom"),
        ("top", "bottom"),
        ("top", "left"),
        ("top", "right"),
        ("top/inner", "top"),
    ]
    assert structure.lines["right"] == 2
    assert str(structure).startswith(
        "6 rooms: 5 in 3 layers, 1 apart\n5 imports between them: 4 down the layers, 0 upward"
    )


def test_upward_import_is_an_error() -> None:
    """The picture cannot show an upward import, and import-linter rejects it."""
    structure = Structure([["top"], ["left", "right"]], [])
    structure.imports["left", "right"] += 1
    with pytest.raises(ValueError, match="left imports right"):
        draw(structure)
    structure = Structure([["top"]], ["apart"])
    structure.imports["apart", "top"] += 1
    with pytest.raises(ValueError, match="apart imports top"):
        draw(structure)
