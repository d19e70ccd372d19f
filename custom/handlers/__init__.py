from custom.handlers.buffers import ShareBuffers
from custom.handlers.calibration import CalibrationTable
from custom.handlers.checkpoints import LoadModel, RunCheckpoints
from custom.handlers.divergence import StopDivergence
from custom.handlers.hparams import RunParameters
from custom.handlers.lesion_results import LesionMasks, LesionTable, read_lesions
from custom.handlers.outlines import LesionOutlines
from custom.handlers.precision_recall import PrecisionRecallCurve
from custom.handlers.schedule import WarmupCosine
from custom.handlers.seeding import SeedEpochs
from custom.handlers.shown_epochs import shown_epochs

__all__ = [
    "CalibrationTable",
    "LesionMasks",
    "LesionOutlines",
    "LesionTable",
    "LoadModel",
    "PrecisionRecallCurve",
    "RunCheckpoints",
    "RunParameters",
    "SeedEpochs",
    "ShareBuffers",
    "StopDivergence",
    "WarmupCosine",
    "read_lesions",
    "shown_epochs",
]
