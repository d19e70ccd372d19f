"""From a mammogram and boxes to findings, by the inference config and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.transforms import Compose, Invertd, LoadImaged

from custom.errors import InputError
from custom.findings.finding import Finding
from custom.findings.measurements import measure
from custom.findings.spacing import Spacing, read_spacing
from custom.inferers import CropInferer
from custom.readers import is_dicom
from custom.readers.dicom import quiet_monai
from custom.transforms import CropLesiond, lesion_window
from custom.transforms.artifacts import breast_mask, breast_share
from custom.transforms.crop import Box
from scripts.common.bundle import Recipe, _built, load_network
from scripts.predict.quality import SENTENCES, Quality, agreement_of, assess

# Of the frame; less is taken for a frame without a breast.
LEAST_BREAST = 0.01

Network = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Mammogram:
    """A mammogram that has been read and filtered, ready to be cropped.

    Attributes:
        file: it was read from.
        pixels: `(X, Y)` as they were read.
        breast: where the breast is, bool `(X, Y)`.
        affine: of the file, `(4, 4)`, millimetres; None of a kind of file that has none of its own.
        spacing: of its pixels, None where the file does not say.
        item: what the config's transforms before the crop have made of it.
    """

    file: Path
    pixels: np.ndarray
    breast: np.ndarray
    affine: np.ndarray | None
    spacing: Spacing | None
    item: dict[str, Any]


class Predictor:
    """Outlines masses with the preprocessing, network, inferer and postprocessing of an inference config.

    Args:
        recipe: the config and its weights.
        network: takes `(B, C, X, Y)` and gives `(B, 1, X, Y)` in place of the config's network; None for that one and
            its weights.

    Raises:
        InputError: the weights are of another architecture or damaged.
    """

    def __init__(self, recipe: Recipe, network: Network | None = None) -> None:
        config = recipe.config
        self.threshold: float = config["threshold"]
        self.margin, self.square = config["margin"], config["square"]
        self.batch_size: int = config["batch_size"]
        self.device: torch.device = _built(recipe, "device")
        with quiet_monai():
            self.preprocessing: Compose = _built(recipe, "preprocessing")
        self.inferer: CropInferer = _built(recipe, "inferer")
        self.postprocessing: Compose = _built(recipe, "postprocessing")
        self.network = network or load_network(recipe, self.device)
        self._loading = 1 + _first(self.preprocessing, LoadImaged)
        self._cropping = _first(self.preprocessing, CropLesiond)
        self._putting_back = _first(self.postprocessing, Invertd)
        if not isinstance(self.inferer, CropInferer):
            raise InputError(
                f"{recipe.model}: the inferer of its run is {type(self.inferer).__name__}, expected CropInferer, whose "
                "eight views say how much an outline changes; name that one in the run's inference.json"
            )
        if "pred" not in self.postprocessing.transforms[self._putting_back].keys:
            raise InputError(
                f"{recipe.model}: the inference config of its run puts no `pred` back into the mammogram, so it is of "
                "another version; name this version's in the run's inference.json"
            )

    def read(self, file: Path) -> Mammogram:
        """Read and filter a mammogram, once for all its boxes.

        Raises:
            InputError: it cannot be read, or shows no breast.
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

    def crop(self, mammogram: Mammogram, box: Sequence[float]) -> dict[str, Any]:
        """The item of one box as the network takes it.

        Raises:
            InputError: the box has no area or leaves the frame.
        """
        return self.preprocessing({**mammogram.item, "box": box}, start=self._cropping)

    def outline(
        self, mammogram: Mammogram, names: Sequence[str], items: Sequence[dict[str, Any]]
    ) -> list[tuple[Finding, Quality]]:
        """The findings of a mammogram.

        Args:
            mammogram: as `read` gives it.
            names: of the lesions.
            items: of their boxes, as `crop` gives them.
        """
        findings = []
        for start in range(0, len(items), self.batch_size):
            batch = slice(start, start + self.batch_size)
            with torch.no_grad():
                crops = torch.stack([item["image"] for item in items[batch]]).to(self.device)
                views = self.inferer.views(crops, self.network)
                logits = self.inferer.joined(views)
            for name, item, one, turned in zip(names[batch], items[batch], logits, views.unbind(1), strict=True):
                findings.append(self._finding(mammogram, name, item, one, turned))
        return findings

    def _finding(
        self, mammogram: Mammogram, name: str, item: dict[str, Any], logits: torch.Tensor, views: torch.Tensor
    ) -> tuple[Finding, Quality]:
        result = self.postprocessing({**item, "pred": logits})
        mask, probability = result["pred"][0].numpy() > 0, result["probability"][0].numpy().astype(np.float32)
        # Of single views: the mean over them, which test-time augmentation gives, is the same however it is turned.
        agreement = agreement_of([self._outline_in_crop(view) for view in views])
        box: Box = item["box"]
        window = lesion_window(box, self.margin, self.square)
        quality = assess(mask, probability, window, self.threshold, agreement, box, mammogram.breast)
        measurements = measure(mask, probability, mammogram.spacing)
        reasons = tuple(SENTENCES[flag] for flag in quality.flags)
        return Finding(name, box, mask, probability, measurements, reasons), quality

    def _outline_in_crop(self, logits: torch.Tensor) -> np.ndarray:
        probability = self.postprocessing({"pred": logits}, end=self._putting_back)["pred"]
        return probability[0].numpy(force=True) >= self.threshold


def _first(chain: Compose, kind: type) -> int:
    index = chain.get_index_of_first(lambda transform: isinstance(transform, kind))
    if index is None:
        raise ValueError(f"the config's chain has no {kind.__name__}")
    return index
