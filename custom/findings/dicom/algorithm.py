"""What outlined the findings, as a SEG and an SR tell it."""

from __future__ import annotations

from dataclasses import dataclass

NAME = "Mammographic mass segmentation"
MANUFACTURER = "The mammography bundle's maintainers"
# A line that a PACS shows beside the series.
DESCRIPTION = f"{NAME}, research only"


@dataclass(frozen=True)
class Algorithm:
    """The software and the weights behind a result.

    Attributes:
        version: of the bundle, from its metadata; at most 64 characters.
        model: tells the weights from all others, such as the SHA-256 of their file; at most 64 characters.
    """

    version: str
    model: str
