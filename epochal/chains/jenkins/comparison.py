"""What Jenkins made of a definition: is it still the same, what was lost, what differs. Values in, values out.

Text cannot be compared: Jenkins orders elements anew, adds defaults, notes plugins' versions and writes XML 1.1.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element, tostring

from epochal.chains.jenkins.markup import class_names, parsed

_BUILDERS_NOTE = "<!-- Managed by Jenkins Job Builder -->"
_SEAL = re.compile(r"\n*Made by Epochal; digests (?P<rendered>[0-9a-f]{16}) (?P<kept>[0-9a-f]{16}|-)\.\s*\Z")
_NOT_KEPT = "-"


@dataclass(frozen=True)
class Seal:
    """The two digests in a description: of what was rendered, and of what Jenkins made of it (None: not known yet)."""

    rendered: str
    kept: str | None


def sealed(xml: str, kept: str | None = None) -> str:
    """Return what was rendered, with the seal in its description."""
    root = parsed(xml)
    _set_description(root, sealed_description(xml, kept))
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode")


def sealed_description(xml: str, kept: str | None = None) -> str:
    """Return the description of what was rendered, followed by the seal."""
    text = (parsed(xml).findtext("description") or "").replace(_BUILDERS_NOTE, "").strip()
    return f"{text}\n\nMade by Epochal; digests {digest(xml)} {kept or _NOT_KEPT}.".lstrip()


def seal_of(xml: str) -> Seal | None:
    """Return the seal in a config.xml, or None if Epochal did not make it."""
    found = _SEAL.search(parsed(xml).findtext("description") or "")
    if not found:
        return None
    return Seal(found["rendered"], None if found["kept"] == _NOT_KEPT else found["kept"])


def digest(xml: str) -> str:
    """Return 16 hexadecimal digits over an XML without its seal, the versions of plugins, and white space."""
    root = parsed(xml)
    description = (root.findtext("description") or "").replace(_BUILDERS_NOTE, "")
    _set_description(root, _SEAL.sub("", description).strip())
    for element in root.iter():
        element.attrib.pop("plugin", None)
        element.tail = None
        if len(element) or not (element.text or "").strip():
            element.text = None
    return hashlib.sha256(tostring(root)).hexdigest()[:16]


def lost(rendered: str, kept: str) -> list[str]:
    """Return the classes of the rendered elements that Jenkins did not keep: it drops them silently."""
    missing = Counter(class_names(parsed(rendered))) - Counter(class_names(parsed(kept)))
    return sorted(missing)


@dataclass(frozen=True)
class Difference:
    """A value that differs: the path of its element, what is wanted, and what is there (None: no such element)."""

    path: str
    wanted: str | None
    there: str | None

    def __str__(self) -> str:
        """Format as two lines of a diff, or one if a side has no value."""
        lines = [f"  - {self.path}: {self.there}"] if self.there is not None else []
        return "\n".join([*lines, *([f"  + {self.path}: {self.wanted}"] if self.wanted is not None else [])])


def differences(rendered: str, kept: str) -> list[Difference]:
    """Return the values that applying would change, without defaults and what only Jenkins adds."""
    wanted, there = dict(_values(parsed(rendered), "")), dict(_values(parsed(kept), ""))
    changed = [
        Difference(path, value, there.get(path)) for path, value in wanted.items() if there.get(path, "") != value
    ]
    added = [
        Difference(path, None, value)
        for path, value in there.items()
        if path not in wanted and "." in path and value not in ("", "false", "true")
    ]
    return [each for each in changed if each.wanted not in ("", "false") or each.there is not None] + added


def _values(element: Element, path: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each element below *path* that has no elements in it; not the root's description."""
    if not len(element):
        yield path, (element.text or "").strip()
    seen: Counter[str] = Counter()
    for child in element:
        seen[child.tag] += 1
        number = f"[{seen[child.tag]}]" if seen[child.tag] > 1 else ""
        if path or child.tag != "description":
            yield from _values(child, f"{path}/{child.tag}{number}".lstrip("/"))


def _set_description(root: Element, text: str) -> None:
    description = root.find("description")
    if description is None:
        description = Element("description")
        root.insert(0, description)
    description.text = text
