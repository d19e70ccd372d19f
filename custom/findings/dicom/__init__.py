"""What a PACS exchanges beside the mammogram: a reader's marks (GSPS), and findings as SEG and as SR."""

from __future__ import annotations

from custom.findings.dicom.gsps import read_boxes
from custom.findings.dicom.instance import Algorithm
from custom.findings.dicom.report import write_report
from custom.findings.dicom.segmentation import write_segmentation
