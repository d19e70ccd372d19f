"""Names that the data sets and what is written about them share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNKNOWN = "N/A"
# Tables of CBIS-DDSM by part.
TABLES = {"Training": "mass_case_description_train_set.csv", "Test": "mass_case_description_test_set.csv"}
# File that `phantoms` leaves beside the mammograms that it draws.
PHANTOMS = "phantoms.json"
SYNTHETIC = "synthetic mammograms in the form of "


def shown_name(about: Mapping[str, Any]) -> str:
    """Return the name of a data set for a reader, such as `synthetic cbis_ddsm_mass` where its source is synthetic.

    Args:
        about: A datalist, or what a result says of one, with `name` and, where it is known, `source`.
    """
    synthetic = about.get("source", "").startswith(SYNTHETIC)
    return f"synthetic {about['name']}" if synthetic else about["name"]
