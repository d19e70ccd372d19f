"""What every program of the tests needs, imported once."""

import monai.bundle
import monai.engines
import monai.handlers
import torch.utils.tensorboard

import custom.handlers
import custom.networks
import scripts.__main__

__all__ = ["custom", "monai", "scripts", "torch"]
