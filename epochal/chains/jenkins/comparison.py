"""Compare the rendered XML of a job or view with the XML that Jenkins stores for it. Performs no I/O.

The XML cannot be compared as text: Jenkins reorders elements, adds defaults and plugin versions, and writes XML 1.1.
Instead, Epochal writes a seal into the description: the digests of the rendered XML and of the stored XML.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element, tostring

from epochal.chains.jenkins.config_xml import class_names, parse_config

_BUILDERS_NOTE = "<!-- Managed by Jenkins Job Builder -->"
_SEAL = re.compile(r"\n*Made by Epochal; digests (?P<rendered>[0-9a-f]{16}) (?P<stored>[0-9a-f]{16}|-)\.\s*\Z")
_UNKNOWN = "-"


@dataclass(frozen=True)
class Seal:
    """The two digests in the description of a job or view that Epochal created.

    rendered: the digest of the rendered XML.
    stored: the digest of the XML that Jenkins stored for it, or None if this digest is not known yet.
    """

    rendered: str
    stored: str | None


def add_seal(xml: str, stored: str | None = None) -> str:
    """Return the rendered XML with a seal in its description. ``stored`` is the digest of what Jenkins stored."""
    root = parse_config(xml)
    _set_description(root, description_with_seal(xml, stored))
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode")


def description_with_seal(xml: str, stored: str | None = None) -> str:
    """Return the rendered XML's description, with the seal added. ``stored``: the digest of what Jenkins stored."""
    text = (parse_config(xml).findtext("description") or "").replace(_BUILDERS_NOTE, "").strip()
    return f"{text}\n\nMade by Epochal; digests {digest(xml)} {stored or _UNKNOWN}.".lstrip()


def read_seal(xml: str) -> Seal | None:
    """Return the seal in a config.xml. None means that it has no seal, so Epochal did not create the job or view."""
    found = _SEAL.search(parse_config(xml).findtext("description") or "")
    if not found:
        return None
    return Seal(found["rendered"], None if found["stored"] == _UNKNOWN else found["stored"])


def digest(xml: str) -> str:
    """Return a digest of ``xml``: the first 16 hexadecimal digits of a SHA-256 hash.

    The digest ignores the seal, plugin versions, Job Builder's note in the description, and whitespace between
    elements.
    """
    root = parse_config(xml)
    description = (root.findtext("description") or "").replace(_BUILDERS_NOTE, "")
    _set_description(root, _SEAL.sub("", description).strip())
    for element in root.iter():
        element.attrib.pop("plugin", None)
        element.tail = None
        if len(element) or not (element.text or "").strip():
            element.text = None
    return hashlib.sha256(tostring(root)).hexdigest()[:16]


def missing_classes(rendered: str, stored: str) -> list[str]:
    """Return the Java classes that occur more often in *rendered* than in *stored*, sorted.

    Jenkins silently drops elements whose class it lacks.
    """
    missing = Counter(class_names(parse_config(rendered))) - Counter(class_names(parse_config(stored)))
    return sorted(missing)


@dataclass(frozen=True)
class Difference:
    """A value that differs between the rendered XML and the XML in Jenkins.

    path: the path of the element that holds the value.
    expected: the rendered value, or None if only Jenkins has the element.
    actual: the value in Jenkins, or None if Jenkins does not have the element.
    """

    path: str
    expected: str | None
    actual: str | None

    def __str__(self) -> str:
        """Return a diff line for the value in Jenkins and one for the rendered value. A value of None gets no line."""
        lines = [f"  - {self.path}: {self.actual}"] if self.actual is not None else []
        return "\n".join([*lines, *([f"  + {self.path}: {self.expected}"] if self.expected is not None else [])])


def differences(rendered: str, stored: str) -> list[Difference]:
    """Return the values that would change if *rendered* were stored in Jenkins in place of *stored*.

    Values that may be defaults are left out: a rendered value that is empty or "false" and that Jenkins does not have,
    and most values that only Jenkins has. A value found only in Jenkins counts only if its path contains a Java class
    (a dotted tag) and the value is not empty, "true" or "false".
    """
    expected, actual = dict(_leaf_values(parse_config(rendered), "")), dict(_leaf_values(parse_config(stored), ""))
    changed = [
        Difference(path, value, actual.get(path)) for path, value in expected.items() if actual.get(path, "") != value
    ]
    added = [
        Difference(path, None, value)
        for path, value in actual.items()
        if path not in expected and "." in path and value not in ("", "false", "true")
    ]
    return [each for each in changed if each.expected not in ("", "false") or each.actual is not None] + added


def _leaf_values(element: Element, path: str) -> Iterator[tuple[str, str]]:
    """Yield the path and text of each leaf of *element*. If *path* is empty, the root's description is left out."""
    if not len(element):
        yield path, (element.text or "").strip()
    seen: Counter[str] = Counter()
    for child in element:
        seen[child.tag] += 1
        number = f"[{seen[child.tag]}]" if seen[child.tag] > 1 else ""
        if path or child.tag != "description":
            yield from _leaf_values(child, f"{path}/{child.tag}{number}".lstrip("/"))


def _set_description(root: Element, text: str) -> None:
    description = root.find("description")
    if description is None:
        description = Element("description")
        root.insert(0, description)
    description.text = text
