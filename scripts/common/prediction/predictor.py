"""From a mammogram and boxes to findings, by the inference config alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.transforms import Compose, Invertd, LoadImaged

from custom.errors import InputError
from custom.findings.finding import Finding
from custom.findings.measurements import measure
from custom.findings.quality import agreement_of, assess
from custom.findings.spacing import Spacing, read_spacing
from custom.inferers import CropInferer
from custom.readers import is_dicom
from custom.transforms import CropLesiond, lesion_window
from custom.transforms.artifacts import breast_mask, breast_share
from scripts.common.bundle import Recipe, load_network

# Share of the frame; with less, the frame counts as one without a breast.
LEAST_BREAST = 0.01

Network = Callable[[torch.Tensor], torch.Tensor]
Item = dict[str, Any]


@dataclass(frozen=True)
class Mammogram:
    """A mammogram that has been read and filtered, ready to be cropped.

    Attributes:
        file: The file that it was read from.
        pixels: `(X, Y)` as they were read.
        breast: Where the breast is, bool `(X, Y)`.
        affine: The file's own affine, `(4, 4)`, in millimetres; None for a kind of file that has none.
        spacing: Spacing of its pixels; None where the file does not say.
        item: Result of the config's transforms before the crop.
    """

    file: Path
    pixels: np.ndarray
    breast: np.ndarray
    affine: np.ndarray | None
    spacing: Spacing | None
    item: Item


class Predictor:
    """Outlines masses with the preprocessing, network, inferer and postprocessing of an inference config.

    Args:
        recipe: The config and its weights.
        network: Takes `(B, C, X, Y)` and returns `(B, 1, X, Y)`, in place of the config's network and weights.

    Raises:
        InputError: The weights are damaged or of another architecture, or the config is of another version.
    """

    def __init__(self, recipe: Recipe, network: Network | None = None) -> None:
        config = recipe.config
        self.threshold: float = config["threshold"]
        self.margin, self.square = config["margin"], config["square"]
        self.batch_size: int = config["batch_size"]
        self.device: torch.device = recipe.build("device")
        self.preprocessing: Compose = recipe.build("preprocessing")
        self.inferer: CropInferer = recipe.build("inferer")
        self.postprocessing: Compose = recipe.build("postprocessing")
        self.network = network or load_network(recipe, self.device)
        self._loading = 1 + _first(self.preprocessing, LoadImaged)
        self._cropping = _first(self.preprocessing, CropLesiond)
        self._inverting = _first(self.postprocessing, Invertd)
        if not isinstance(self.inferer, CropInferer):
            raise InputError(
                f"{recipe.model}: the inferer of its run is {type(self.inferer).__name__}, expected CropInferer, whose "
                "eight orientations say how much an outline changes; name that one in the run's inference.json"
            )
        if "pred" not in self.postprocessing.transforms[self._inverting].keys:
            raise InputError(
                f"{recipe.model}: the inference config of its run puts no `pred` back into the mammogram, so it is of "
                "another version; name this version's in the run's inference.json"
            )

    def read(self, file: Path) -> Mammogram:
        """Read and filter a mammogram, once for all its boxes.

        Raises:
            InputError: It cannot be read, or shows no breast.
        """
        item = self.preprocessing({"image": str(file)}, end=self._loading)
        pixels, metadata = item["image"][0].numpy(), item["image"].meta
        if breast_share(pixels) < LEAST_BREAST:
            raise InputError(f"{file}: shows no breast, expected a large object on a darker background; check the file")
        spacing = read_spacing(file, metadata["pixel_spacing"])
        return Mammogram(
            file,
            pixels,
            breast_mask(pixels),
            None if spacing is None or is_dicom(file) else np.asarray(metadata["original_affine"]),
            spacing,
            self.preprocessing(item, start=self._loading, end=self._cropping),
        )

    def crop(self, mammogram: Mammogram, box: Sequence[float]) -> Item:
        """The item of one box, ready for the network.

        Raises:
            InputError: The box has no area or leaves the frame.
        """
        return self.preprocessing({**mammogram.item, "box": box}, start=self._cropping)

    def outline(self, mammogram: Mammogram, items: Mapping[str, Item]) -> list[Finding]:
        """Outline the masses of a mammogram, whose crops are `items`, by the lesion's name."""
        findings, named = [], list(items.items())
        for start in range(0, len(named), self.batch_size):
            batch = named[start : start + self.batch_size]
            with torch.no_grad():
                crops = torch.stack([item["image"] for _, item in batch]).to(self.device)
                # Serve outline and agreement alike, so that the network runs once for each orientation.
                orientations = self.inferer.orientations(crops, self.network)
                logits = self.inferer.combine(orientations)
            findings += [
                self._finding(mammogram, *given, logits[number], orientations[:, number])
                for number, given in enumerate(batch)
            ]
        return findings

    def _finding(
        self, mammogram: Mammogram, name: str, item: Item, logits: torch.Tensor, orientations: torch.Tensor
    ) -> Finding:
        result = self.postprocessing({**item, "pred": logits})
        mask, probability = result["pred"][0].numpy() > 0, result["probability"][0].numpy().astype(np.float32)
        # Between single orientations: their mean, from test-time augmentation, is the same in each of them.
        agreement = agreement_of([self._outline_in_crop(one) for one in orientations])
        window = lesion_window(item["box"], self.margin, self.square)
        quality = assess(mask, probability, window, self.threshold, agreement, item["box"], mammogram.breast)
        return Finding(name, item["box"], mask, probability, measure(mask, probability, mammogram.spacing), quality)

    def _outline_in_crop(self, logits: torch.Tensor) -> np.ndarray:
        probability = self.postprocessing({"pred": logits}, end=self._inverting)["pred"]
        return probability[0].numpy(force=True) >= self.threshold


def _first(chain: Compose, kind: type) -> int:
    index = chain.get_index_of_first(lambda transform: isinstance(transform, kind))
    if index is None:
        raise ValueError(f"the config's chain has no {kind.__name__}")
    return index
