"""Numbers of things, in words."""

from __future__ import annotations


def count(number: int, what: str) -> str:
    """`1 lesion`, `2,000 lesions`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def count_lesions(lesions: int, patients: int) -> str:
    """`127 lesions of 70 patients`."""
    return f"{count(lesions, 'lesion')} of {count(patients, 'patient')}"
