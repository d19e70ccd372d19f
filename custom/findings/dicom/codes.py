"""The coded concepts of a SEG and an SR: the standard's where it has one, else our own, of the scheme `99MAMMOMASS`."""

from __future__ import annotations

from highdicom.sr import CodedConcept
from pydicom.sr.codedict import codes

CATEGORY = codes.SCT.MorphologicallyAbnormalStructure
MASS = codes.SCT.Mass
BREAST = codes.SCT.Breast
MAMMOGRAPHY = codes.SCT.Mammography
SIDES = {"L": codes.SCT.Left, "R": codes.SCT.Right}

AREA = codes.SCT.Area
LONGEST_DIAMETER = codes.SCT.LongAxis
PERPENDICULAR_DIAMETER = codes.SCT.PerpendicularAxis

MILLIMETRE = codes.UCUM.Millimeter
SQUARE_MILLIMETRE = codes.UCUM.SquareMillimeter
PIXELS = CodedConcept("{pixels}", "UCUM", "pixels")
NO_UNITS = codes.UCUM.NoUnits

# PS3.16 has "Probability of cancer" and "Certainty of finding": both say something else.
OWN_SCHEME = "99MAMMOMASS"
CIRCULARITY = CodedConcept("CIRCULARITY", OWN_SCHEME, "Circularity, 4 pi area / perimeter squared")
MEAN_PROBABILITY = CodedConcept("MEAN_PROBABILITY", OWN_SCHEME, "Mean probability of the outlined pixels")
QUALITY = CodedConcept("QUALITY", OWN_SCHEME, "Reason to look at the outline with care")
