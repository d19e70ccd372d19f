"""Prepared data sets: their datalists and the cached dataset."""

from custom.data.datalist import FILE_KEYS, PARTS, Datalist, boxed_items, lesion_items
from custom.data.dataset import LesionDataset, fill_cache, parts_of
