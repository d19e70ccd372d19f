"""Readers of every kind of file that mammograms come in."""

from custom.readers.mammogram import MammogramReader, bare_name, is_dicom, is_image, read_mask, read_pixels
