"""Parse XML from Jenkins and Jenkins Job Builder.

The standard library's parser is safe enough for XML from the admin's own programs, and rejects undeclared entities.
"""

import re
from xml.etree.ElementTree import Element, fromstring


def parse_config(xml: str) -> Element:
    """Parse a config.xml, ignoring its XML declaration.

    Jenkins declares XML 1.1, which it does not need and which Python's parser does not support.
    """
    return fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", xml))  # noqa: S314 (it comes from the admin's own Jenkins)


def class_names(element: Element) -> list[str]:
    """Return the Java class names in ``element`` and its descendants: dotted tags and ``class`` attributes.

    The result may contain duplicates.
    """
    tags = [each.tag for each in element.iter() if "." in each.tag]
    return tags + [each.attrib["class"] for each in element.iter() if "." in each.attrib.get("class", "")]
