"""Jenkins' XML. What Jenkins and Job Builder write is the admin's own; entities that are not declared are refused."""

import re
from xml.etree.ElementTree import Element, fromstring


def parsed(xml: str) -> Element:
    """Parse a config.xml. Jenkins calls it XML 1.1, which it never needs and Python's parser does not know."""
    return fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", xml))  # noqa: S314 (it comes from the admin's own Jenkins)


def class_names(element: Element) -> list[str]:
    """Return the Java classes in an XML of Jenkins': tags of elements, and attributes ``class``."""
    tags = [each.tag for each in element.iter() if "." in each.tag]
    return tags + [each.attrib["class"] for each in element.iter() if "." in each.attrib.get("class", "")]
