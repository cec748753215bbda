"""Compare the rendered XML of a job or view with the XML that Jenkins stores for it. Pure functions.

The texts themselves cannot be compared: Jenkins reorders elements, adds defaults and plugin versions, and writes XML
1.1. Instead, Epochal writes a seal into the description: the digest of the rendered XML, and that of the stored XML.
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
    """The two digests in the description of a job or view that Epochal made.

    rendered: the digest of the rendered XML.
    kept: the digest of the XML that Jenkins stored for it, or None if it is not known yet.
    """

    rendered: str
    kept: str | None


def sealed(xml: str, kept: str | None = None) -> str:
    """Return the rendered XML with the seal added to its description. ``kept`` is the digest of what Jenkins stored."""
    root = parsed(xml)
    _set_description(root, sealed_description(xml, kept))
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode")


def sealed_description(xml: str, kept: str | None = None) -> str:
    """Return the description in the rendered XML and the seal. ``kept`` is the digest of what Jenkins stored."""
    text = (parsed(xml).findtext("description") or "").replace(_BUILDERS_NOTE, "").strip()
    return f"{text}\n\nMade by Epochal; digests {digest(xml)} {kept or _NOT_KEPT}.".lstrip()


def seal_of(xml: str) -> Seal | None:
    """Return the seal in a config.xml, or None if it has none because Epochal did not make the job or view."""
    found = _SEAL.search(parsed(xml).findtext("description") or "")
    if not found:
        return None
    return Seal(found["rendered"], None if found["kept"] == _NOT_KEPT else found["kept"])


def digest(xml: str) -> str:
    """Return a digest of an XML text: the first 16 hexadecimal digits of a SHA-256.

    It ignores the seal, plugin versions, Job Builder's note in the description, and white space between elements.
    """
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
    """Return the Java classes of rendered elements that are missing in *kept*, sorted. Jenkins drops them silently."""
    missing = Counter(class_names(parsed(rendered))) - Counter(class_names(parsed(kept)))
    return sorted(missing)


@dataclass(frozen=True)
class Difference:
    """A value that differs between the rendered XML and what Jenkins has.

    path: the path of the element that holds the value.
    wanted: the rendered value, or None if only Jenkins has the element.
    there: the value in Jenkins, or None if Jenkins does not have the element.
    """

    path: str
    wanted: str | None
    there: str | None

    def __str__(self) -> str:
        """Return two lines of a diff, Jenkins' value and the rendered one, or one line if one of them is None."""
        lines = [f"  - {self.path}: {self.there}"] if self.there is not None else []
        return "\n".join([*lines, *([f"  + {self.path}: {self.wanted}"] if self.wanted is not None else [])])


def differences(rendered: str, kept: str) -> list[Difference]:
    """Return the values that would change if *rendered* were stored in Jenkins in place of *kept*.

    Defaults are left out: values that are rendered empty or "false" and that Jenkins does not have, and values that
    only Jenkins has, unless a Java class (a dotted tag) is in their path and they are not empty, "true" or "false".
    """
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
    """Yield the path and text of *element*'s leaves. An empty *path* means the root, whose description is left out."""
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
