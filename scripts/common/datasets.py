"""Names that the data sets and what is written of them share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNKNOWN = "N/A"


# What `phantoms` leaves beside the mammograms that it draws.
PHANTOMS = "phantoms.json"


SYNTHETIC = "synthetic mammograms in the form of "


def told_name(about: Mapping[str, Any]) -> str:
    """The name of a data set for a reader: `synthetic cbis_ddsm_mass` where its source says that it is synthetic.

    Args:
        about: a datalist, or what a result says of one; with `name` and, where it is known, `source`.
    """
    synthetic = about.get("source", "").startswith(SYNTHETIC)
    return f"synthetic {about['name']}" if synthetic else about["name"]


TABLES = {"Training": "mass_case_description_train_set.csv", "Test": "mass_case_description_test_set.csv"}
