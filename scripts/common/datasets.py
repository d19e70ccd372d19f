"""Names that the data sets and what is written of them share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNKNOWN = "N/A"
# What `phantoms` leaves beside the mammograms that it draws.
PHANTOMS = "phantoms.json"
SYNTHETIC = "synthetic mammograms in the form of "
# The official tables of the CBIS-DDSM masses, by the part of the official split.
CBIS_DDSM_TABLES = {"Training": "mass_case_description_train_set.csv", "Test": "mass_case_description_test_set.csv"}


def full_name(about: Mapping[str, Any]) -> str:
    """Return the name of a data set, such as `synthetic cbis_ddsm_mass` where its source says that it is synthetic.

    Args:
        about: Datalist, or the part of a result that is about one; with `name` and, where it is known, `source`.
    """
    synthetic = about.get("source", "").startswith(SYNTHETIC)
    return f"synthetic {about['name']}" if synthetic else about["name"]
