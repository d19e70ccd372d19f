"""The verb `phantoms`: check the settings, generate, write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from custom.errors import InputError
from custom.files import LOCK, as_json, held, write_if_changed
from scripts.common.datasets import PHANTOMS
from scripts.common.phantom.cohort import DENSITIES, SIDES, STANDARD_VIEWS, draw_patient
from scripts.common.phantom.generate import Phantom, generate_phantom
from scripts.phantoms.layouts import LAYOUTS

T = TypeVar("T", int, str)

SIZE_LIMITS = (160, 8192)
MOST_PATIENTS = 99999


@dataclass(frozen=True)
class Request:
    """Checked settings; the record beside the phantoms holds the same."""

    layout: str
    patients: int
    seed: int
    image_size: tuple[int, int]
    densities: tuple[int, ...]
    views: tuple[str, ...]
    sides: tuple[str, ...]
    contrast: float
    artifacts: bool
    variant: str
    defects: tuple[str, ...]


def phantoms(
    output_dir: str,
    layout: str = "manifest",
    patients: int = 60,
    seed: int = 0,
    image_size: Sequence[int] = (800, 1300),
    densities: Sequence[int] = DENSITIES,
    views: Sequence[str] = STANDARD_VIEWS,
    sides: Sequence[str] = SIDES,
    contrast: float = 1.0,
    artifacts: bool = False,
    variant: str | None = None,
    defects: str | Sequence[str] = (),
) -> None:
    """Generate synthetic mammograms with masses of known outline.

    The same settings give the same bytes, and patient k of a seed is the same however many patients are asked for.
    Running it again in the same folder changes nothing and finishes what was interrupted.

    Args:
        output_dir: new or empty folder, or one that holds phantoms of the same settings.
        layout: folder layout: manifest, cbis_ddsm or inbreast.
        patients: number of patients, each with one breast seen in all views.
        seed: seed of all random numbers, 0 or more.
        image_size: "[columns,rows]" in pixels.
        densities: ACR density classes to balance over, out of 1 to 4.
        views: views of every breast, CC and MLO.
        sides: sides to balance over, LEFT and RIGHT.
        contrast: factor on the contrast of the masses; 1 is that of real ones.
        artifacts: add film artefacts: side marker, white border, tape, dust.
        variant: form of the layout; of cbis_ddsm classic, older, uid, jpeg or mixed.
        defects: what is wrong with the download, "[mask_empty,crop_missing]" or all; each strikes one mammogram.

    Raises:
        InputError: if a setting is out of its range or the folder holds something else.
    """
    if layout not in LAYOUTS:
        raise InputError(f"--layout: {layout!r} is unknown; expected one of {', '.join(LAYOUTS)}")
    form, (least, most) = LAYOUTS[layout], SIZE_LIMITS
    _require(1 <= patients <= MOST_PATIENTS, "patients", patients, f"a whole number from 1 to {MOST_PATIENTS}")
    _require(0 <= seed < 2**63, "seed", seed, f"a whole number from 0 to {2**63 - 1}")
    _require(0.1 <= contrast <= 5, "contrast", contrast, "a number from 0.1 to 5")
    fits = len(image_size) == 2 and all(least <= side <= most for side in image_size)
    _require(fits, "image_size", image_size, f'"[columns,rows]" with whole numbers from {least} to {most}')
    columns, rows = image_size
    _require(1 <= rows / columns <= 3, "image_size", image_size, "1 to 3 times as many rows as columns")
    variants = ", ".join(filter(None, form.variants)) or "none"
    _require(variant in (None, *form.variants), "variant", variant, f"one that {layout} has: {variants}")
    known = (*form.mammogram_defects, *form.tree_defects)
    if defects == "all" and known:
        defects = known
    request = Request(
        layout=layout,
        patients=patients,
        seed=seed,
        image_size=(columns, rows),
        densities=_choices("densities", densities, DENSITIES),
        views=_choices("views", views, STANDARD_VIEWS),
        sides=_choices("sides", sides, SIDES),
        contrast=float(contrast),
        artifacts=artifacts,
        variant=variant or form.variants[0],
        defects=_choices("defects", defects, known) if defects else (),
    )
    struck = len(set(request.defects) & set(form.mammogram_defects))
    if struck > request.patients * len(request.views):
        raise InputError(
            f"--defects: {struck} of them strike a mammogram each, expected as many mammograms: raise --patients"
        )
    folder = Path(str(output_dir))
    with held(folder):
        _claim(folder, request)
        mammograms, lesions = form.write(folder, generate(request), request.variant, request.defects)
        print(f"{folder}: {mammograms} mammograms of {request.patients} patients with {lesions} lesions")


def generate(request: Request) -> Iterator[Phantom]:
    """Generate all phantoms of a request, patient by patient and view by view."""
    for number in tqdm(range(1, request.patients + 1), desc="phantoms", unit="patient", disable=None):
        patient = draw_patient(request.seed, number, request.densities, request.sides, request.contrast)
        for view in request.views:
            yield generate_phantom(request.seed, patient, view, request.image_size, request.artifacts)


def _claim(folder: Path, request: Request) -> None:
    """Write the record of the request into a new folder; refuse a folder that holds anything else."""
    record = as_json(asdict(request))
    path = folder / PHANTOMS
    try:
        found = path.read_bytes() if path.is_file() else None
        occupied = found is None and folder.exists() and any(file.name != LOCK for file in folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: cannot be used as a folder ({error.strerror}); name another one") from error
    if occupied:
        raise InputError(f"{folder}: holds other files, expected a new or empty folder; name another --output_dir")
    if found not in (None, record):
        raise InputError(
            f"{path}: holds phantoms of other settings; repeat those settings or name another --output_dir"
        )
    write_if_changed(path, record)


def _require(holds: bool, flag: str, found: object, expected: str) -> None:
    if not holds:
        raise InputError(f"--{flag}: found {found!r}, expected {expected}")


def _choices(flag: str, found: str | Sequence[T], allowed: Sequence[T]) -> tuple[T, ...]:
    chosen = (found,) if isinstance(found, str) else tuple(found)
    picked = tuple(choice for choice in allowed if choice in chosen)
    listed = ", ".join(map(str, allowed))
    _require(0 < len(picked) == len(chosen), flag, found, f"one or more of {listed}, each once")
    return picked
