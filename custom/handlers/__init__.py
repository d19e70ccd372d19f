"""Ignite handlers of a training, an evaluation and an inference."""

from custom.handlers.checkpoints import LoadModel, RunCheckpoints
from custom.handlers.evaluation import CalibrationTable, LesionMasks, LesionTable, PixelMetric, read_lesions
from custom.handlers.tensorboard import LesionOutlines, PrecisionRecallCurve, RunParameters, shown_epochs
from custom.handlers.training import SeedEpochs, ShareBuffers, StopDivergence, WarmupCosine
