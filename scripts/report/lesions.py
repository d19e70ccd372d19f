"""Names of attributes, size and box of a lesion, as a report shows them."""

from __future__ import annotations

import math

from custom.metrics.vocabulary import ATTRIBUTES, BOX, GROUPS
from scripts.common.cases import Row
from scripts.common.datasets import UNKNOWN
from scripts.common.formatting import count

DIAMETER = "diameter, pixels"


def is_known(value: str | None) -> bool:
    """Tell whether a lesion's attribute says something; data sets write `UNKNOWN` as well as nothing."""
    return value not in (None, "", UNKNOWN)


def shown_value(attribute: str, value: str) -> str:
    """A value of an attribute for a reader: `BENIGN_WITHOUT_CALLBACK` is `benign without callback`."""
    if not is_known(value):
        return "not known"
    return value.replace("_", " ").lower() if attribute == "pathology" else value


def named_value(attribute: str, value: str) -> str:
    """The same behind the name of the attribute: `ACR density 2`."""
    return f"{ATTRIBUTES[attribute]} {shown_value(attribute, value)}"


def known_attributes(row: Row) -> str:
    """The known attributes of a lesion: `BI-RADS 4, ACR density 2, view MLO`."""
    return ", ".join(named_value(attribute, row[attribute]) for attribute in GROUPS if is_known(row[attribute]))


def left_out(number: int) -> str:
    """The end of a caption about the known values of an attribute."""
    return f" Without a known value and left out: {count(number, 'lesion')}." if number else ""


def diameter(row: Row) -> float:
    """The diameter of the circle with as many pixels as the lesion, in pixels of the source image."""
    return 2 * math.sqrt(row["lesion_pixels"] / math.pi)


def box_of(row: Row) -> list[float]:
    """The box that the network was given, `(x0, y0, x1, y1)` in pixels of the source image."""
    return [row[edge] for edge in BOX]
