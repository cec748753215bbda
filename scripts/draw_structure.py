#!/usr/bin/env python3
"""Draw the rooms of epochal/ and the imports between them: docs/explanation/structure.svg.

Usage: scripts/draw_structure.py [--count]

With --count, the numbers are printed and nothing is drawn.

A room is a folder of epochal/ or a module at its top; a folder inside a room is a room, too. The layers, from top to
bottom, come from import-linter's contract in pyproject.toml. A room that belongs to no layer is drawn separately.
"""

import ast
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.count_code import code_lines  # noqa: E402 (found by the line above when the script is run by its path)

PACKAGE = "epochal"
PICTURE = ROOT / "docs" / "explanation" / "structure.svg"

MARGIN, BOX_WIDTH, BOX_HEIGHT, STEP_X, STEP_Y, LAYER_GAP = 12, 176, 24, 28, 30, 6
ENTRY = 14
"""Distance from a box's right edge to the line that enters it. Less than STEP_X, so that the line misses the box above."""
# These colours are visible on a light and on a dark page.
LINE, DOT, GREY = "#8296ab", "#2f81f7", "#6e7b88"
FILL, STROKE, TEXT, SMALL = "#e6eef7", "#54708c", "#16202b", "#4a5a6a"


@dataclass
class Structure:
    """The rooms in the order in which they are drawn.

    ``layers``: the rooms of each layer, from top to bottom, each followed by the rooms inside it. ``apart``: the rooms
    that belong to no layer. ``lines``: the number of lines of code in each room. ``imports``: how many import
    statements of the first room name a module of the second.
    """

    layers: list[list[str]]
    apart: list[str]
    lines: Counter[str] = field(default_factory=Counter)
    imports: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def rooms(self) -> list[str]:
        """All rooms: the rooms in the layers, from top to bottom, then those that belong to no layer."""
        return [room for layer in self.layers for room in layer] + self.apart

    @property
    def drawn(self) -> list[tuple[str, str]]:
        """The imports that are drawn as lines: those between rooms in different frames."""
        return sorted(pair for pair in self.imports if frame(pair[0]) != frame(pair[1]))

    @property
    def upward(self) -> list[tuple[str, str]]:
        """The imports that the layers forbid, and those from or to a room that belongs to no layer."""
        floor = {room: number for number, layer in enumerate(self.layers) for room in layer}
        return [(one, other) for one, other in self.drawn if floor.get(one, len(floor)) >= floor.get(other, -1)]

    def __str__(self) -> str:
        rooms, apart = len(self.rooms), len(self.apart)
        inside, upward = len(self.imports) - len(self.drawn), len(self.upward)
        return (
            f"{rooms} rooms: {rooms - apart} in {len(self.layers)} layers, {apart} apart\n"
            f"{len(self.imports)} imports between them: {len(self.drawn) - upward} down the layers, {upward} upward, "
            f"{inside} between a room and a folder inside it"
        )


def frame(room: str) -> str:
    """Return the top-level room that ``room`` is or belongs to."""
    return room.split("/")[0]


def read_structure(root: Path = ROOT) -> Structure:
    """Read the layers from pyproject.toml, and the imports and lines of each room from its modules."""
    package = root / PACKAGE
    names, ignored = _contract(root)
    files = [path for path in sorted(package.rglob("*.py")) if _room(package, path)]
    found = sorted({_room(package, path) for path in files} - ignored)
    named = {name for layer in names for name in layer}
    apart = sorted({frame(room) for room in found} - named)

    def room_of(path: Path) -> str:
        room = _room(package, path)
        return frame(room) if frame(room) in apart else room

    layers = [[room for name in layer for room in found if frame(room) == name] for layer in names]
    structure = Structure(layers, apart)
    for path in files:
        room, source = room_of(path), path.read_text("utf-8")
        if room in ignored:
            continue
        structure.lines[room] += len(code_lines(source))
        for module in _imported(ast.parse(source), [PACKAGE, *path.relative_to(package).parent.parts]):
            other = room_of(_path_of_module(package, module))
            if other and other != room:
                structure.imports[room, other] += 1
    return structure


def draw(structure: Structure) -> str:
    """Return the picture as SVG. Raises ValueError if an import does not lead to a lower layer, as import-linter requires."""
    if structure.upward:
        pairs = ", ".join(f"{one} imports {other}" for one, other in structure.upward)
        raise ValueError(f"These imports do not lead to a lower layer: {pairs}. Run make lint to see the lines.")
    rooms = [room for room in structure.rooms if room not in structure.apart]
    floor = {room: number for number, layer in enumerate(structure.layers) for room in layer}
    left = {room: MARGIN + STEP_X * number for number, room in enumerate(rooms)}
    top = {room: MARGIN + STEP_Y * number + LAYER_GAP * floor[room] for number, room in enumerate(rooms)}
    width = left[rooms[-1]] + BOX_WIDTH + MARGIN
    height = top[rooms[-1]] + BOX_HEIGHT + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'role="img" font-family="sans-serif" font-size="13">',
        "<title>The rooms of Epochal, and which of them import which</title>",
        *_bands(structure, left, top, width),
        *_lines(structure, left, top),
        *_frames(structure, left, top),
    ]
    for room in rooms:
        parts += _box(room, structure.lines[room], left[room], top[room])
    parts += _legend(structure, height)
    return "\n".join([*parts, "</svg>", ""])


def _bands(structure: Structure, left: dict[str, int], top: dict[str, int], width: int) -> Iterator[str]:
    """Draw the background of every second layer."""
    margin = (STEP_Y - BOX_HEIGHT + LAYER_GAP) // 2
    for layer in structure.layers[::2]:
        if layer:
            x, y = left[layer[0]] - MARGIN, top[layer[0]] - margin
            size = f'width="{width - x}" height="{top[layer[-1]] + BOX_HEIGHT + margin - y}"'
            yield f'<rect x="{x}" y="{y}" {size} fill="{GREY}" fill-opacity="0.12"/>'


def _lines(structure: Structure, left: dict[str, int], top: dict[str, int]) -> Iterator[str]:
    """Draw a line to the right from each importing room, a line down into each imported room, and a dot for each import."""
    middle = {room: y + BOX_HEIGHT // 2 for room, y in top.items()}
    entry = {room: x + BOX_WIDTH - ENTRY for room, x in left.items()}
    yield f'<g fill="none" stroke="{LINE}" stroke-width="1">'
    for room in left:
        targets = [entry[other] for one, other in structure.drawn if one == room]
        if targets:
            yield f'<path d="M{left[room] + BOX_WIDTH} {middle[room]}H{max(targets)}"/>'
    for room in left:
        sources = [middle[one] for one, other in structure.drawn if other == room]
        if sources:
            yield f'<path d="M{entry[room]} {min(sources)}V{top[room] - 5}"/>'
    yield "</g>"
    yield f'<g fill="{LINE}">'
    for room in dict.fromkeys(other for _, other in structure.drawn):
        yield f'<path d="M{entry[room] - 4} {top[room] - 7}h8l-4 7z"/>'
    yield "</g>"
    yield f'<g fill="{DOT}">'
    for one, other in structure.drawn:
        title = f"<title>{escape(one)} imports {escape(other)}</title>"
        yield f'<circle cx="{entry[other]}" cy="{middle[one]}" r="4">{title}</circle>'
    yield "</g>"


def _frames(structure: Structure, left: dict[str, int], top: dict[str, int]) -> Iterator[str]:
    """Draw a frame around each room that has rooms inside it."""
    for layer in structure.layers:
        for name in dict.fromkeys(frame(room) for room in layer):
            rooms = [room for room in layer if frame(room) == name]
            if len(rooms) > 1:
                x, y = left[rooms[0]] - 4, top[rooms[0]] - 4
                right, bottom = left[rooms[-1]] + BOX_WIDTH + 4, top[rooms[-1]] + BOX_HEIGHT + 4
                size = f'width="{right - x}" height="{bottom - y}"'
                yield f'<rect x="{x}" y="{y}" {size} rx="6" fill="none" stroke="{STROKE}" stroke-dasharray="3 3"/>'


def _box(room: str, lines: int, x: int, y: int) -> list[str]:
    base = y + BOX_HEIGHT // 2 + 5
    size = f'width="{BOX_WIDTH}" height="{BOX_HEIGHT}"'
    return [
        f'<rect x="{x}" y="{y}" {size} rx="4" fill="{FILL}" stroke="{STROKE}"/>',
        f'<text x="{x + 10}" y="{base}" font-weight="bold" fill="{TEXT}">{escape(room)}</text>',
        f'<text x="{x + BOX_WIDTH - 10}" y="{base}" font-size="11" text-anchor="end" fill="{SMALL}">'
        f"{_rounded(lines)}</text>",
    ]


def _legend(structure: Structure, height: int) -> list[str]:
    """Explain the picture in the empty corner at the bottom left, and draw the rooms that belong to no layer."""
    sentences = [
        "A room's line leaves it to the right. Each dot on it",
        "is an import: from the dot, follow the line down to",
        "the room that is imported.",
        "",
        "All lines lead down: no room imports one above it.",
        "",
        "A band, shaded or not, is a layer.",
        "A dashed frame is a room and a folder inside it;",
        "imports between these two are not drawn.",
        "The numbers are lines of code, rounded.",
    ]
    first = height - MARGIN - 18 * len(sentences) - 60 * len(structure.apart)
    parts = [f'<g fill="{GREY}">']
    for number, sentence in enumerate(sentences):
        if sentence:
            parts.append(f'<text x="{MARGIN}" y="{first + 18 * number}">{sentence}</text>')
    parts.append("</g>")
    for number, room in enumerate(structure.apart):
        y = first + 18 * len(sentences) + 60 * number
        parts += _box(room, structure.lines[room], MARGIN, y)
        note = "imports no room and is imported by none"
        parts.append(f'<text x="{MARGIN}" y="{y + BOX_HEIGHT + 18}" fill="{GREY}">{note}</text>')
    return parts


def _rounded(lines: int) -> str:
    """Round a number of lines to tens below 100, otherwise to hundreds, so that few code changes alter the picture."""
    step = 10 if lines < 100 else 100
    return f"{max(step, round(lines / step) * step):,}"


def _contract(root: Path) -> tuple[list[list[str]], set[str]]:
    """Return the rooms of each layer, and the rooms that import-linter's contract ignores."""
    tools = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]
    for contract in tools["importlinter"]["contracts"]:
        if contract["type"] == "layers" and PACKAGE in contract.get("containers", []):
            layers = [re.findall(r"\w+", layer) for layer in contract["layers"]]
            return layers, set(contract.get("exhaustive_ignores", []))
    raise ValueError(f"pyproject.toml has no import-linter contract with the layers of {PACKAGE}.")


def _room(package: Path, path: Path) -> str:
    """Return the room of a module or folder, at most two folders deep, or an empty string for the package itself."""
    relative = path.relative_to(package)
    if path.suffix == ".py" and len(relative.parts) == 1:
        return "" if path.stem == "__init__" else path.stem
    return "/".join((relative.parent if path.suffix == ".py" else relative).parts[:2])


def _path_of_module(package: Path, module: str) -> Path:
    """Return the file or folder of the module that a dotted name starts with, or the package if the name is not part of it."""
    path = package
    first, *names = module.split(".")
    for name in names if first == PACKAGE else []:
        if (path / f"{name}.py").is_file():
            return path / f"{name}.py"
        if not (path / name).is_dir():
            break
        path /= name
    return path


def _imported(tree: ast.Module, package: list[str]) -> Iterator[str]:
    """Yield the dotted name of each import in a module, including calls to ``importlib.import_module``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            text = node.args[0]
            start = text.values[0] if isinstance(text, ast.JoinedStr) else text
            if isinstance(start, ast.Constant) and isinstance(start.value, str):
                yield start.value.rstrip(".")


def main() -> None:
    """Draw the picture and print the numbers, or with --count only print them."""
    if sys.argv[1:] not in ([], ["--count"]):
        sys.exit(__doc__)
    structure = read_structure()
    print(structure)
    if not sys.argv[1:]:
        PICTURE.write_text(draw(structure), "utf-8")


if __name__ == "__main__":
    main()
