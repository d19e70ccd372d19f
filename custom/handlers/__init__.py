from custom.handlers.buffers import ShareBuffers
from custom.handlers.checkpoints import RunCheckpoints
from custom.handlers.lesion_results import LesionMasks, LesionTable, read_lesions
from custom.handlers.outlines import LesionOutlines
from custom.handlers.seeding import SeedEpochs

__all__ = [
    "LesionMasks",
    "LesionOutlines",
    "LesionTable",
    "RunCheckpoints",
    "SeedEpochs",
    "ShareBuffers",
    "read_lesions",
]
