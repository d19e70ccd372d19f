"""The verb `phantoms`: check the settings, generate, write."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

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
    if isinstance(contrast, bool) or not isinstance(contrast, int | float) or not 0.1 <= contrast <= 5:
        raise InputError(f"--contrast: found {contrast!r}, expected a number from 0.1 to 5")
    if not isinstance(artifacts, bool):
        raise InputError(f"--artifacts: found {artifacts!r}, expected True or False")
    request = Request(
        layout=layout,
        patients=_integer("patients", patients, 1, MOST_PATIENTS),
        seed=_integer("seed", seed, 0, 2**63 - 1),
        image_size=_image_size(image_size),
        densities=_choices("densities", densities, DENSITIES),
        views=_choices("views", views, STANDARD_VIEWS),
        sides=_choices("sides", sides, SIDES),
        contrast=float(contrast),
        artifacts=artifacts,
        variant=_variant(layout, variant),
        defects=_defects(layout, defects),
    )
    struck = len(set(request.defects) & set(LAYOUTS[layout].mammogram_defects))
    if struck > request.patients * len(request.views):
        raise InputError(
            f"--defects: {struck} of them strike a mammogram each, expected as many mammograms: raise --patients"
        )
    folder = Path(str(output_dir))
    with held(folder):
        _claim(folder, request)
        mammograms, lesions = LAYOUTS[layout].write(folder, generate(request), request.variant, request.defects)
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


def _integer(name: str, value: object, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InputError(f"--{name}: found {value!r}, expected a whole number from {least} to {most}")
    return value


def _image_size(value: object) -> tuple[int, int]:
    size = _sequence(value)
    least, most = SIZE_LIMITS
    if len(size) != 2 or not all(isinstance(n, int) and least <= n <= most for n in size):
        raise InputError(
            f'--image_size: found {value!r}, expected "[columns,rows]" with whole numbers from {least} to {most}'
        )
    columns, rows = size
    if not 1 <= rows / columns <= 3:
        raise InputError(f"--image_size: found {value!r}, expected 1 to 3 times as many rows as columns")
    return columns, rows


def _choices(name: str, value: object, allowed: Sequence[T]) -> tuple[T, ...]:
    chosen = _sequence(value)
    picked = tuple(choice for choice in allowed if choice in chosen)
    if not chosen or len(picked) != len(chosen):
        listed = ", ".join(str(choice) for choice in allowed)
        raise InputError(f"--{name}: found {value!r}, expected one or more of {listed}, each once")
    return picked


def _variant(layout: str, value: str | None) -> str:
    variants = LAYOUTS[layout].variants
    if value is not None and value not in variants:
        listed = ", ".join(filter(None, variants)) or "none"
        raise InputError(f"--variant: found {value!r}, expected one that {layout} has: {listed}")
    return value or variants[0]


def _defects(layout: str, value: object) -> tuple[str, ...]:
    known = (*LAYOUTS[layout].mammogram_defects, *LAYOUTS[layout].tree_defects)
    if value in ((), []):
        return ()
    return known if value == "all" and known else _choices("defects", value, known)


def _sequence(value: object) -> tuple[Any, ...]:
    """Read a list as Fire hands it over: a list, a tuple, one value, or the text of a list such as `[CC,MLO]`."""
    if isinstance(value, str):
        try:
            value = ast.literal_eval(value)
        except (SyntaxError, ValueError):
            value = tuple(part.strip() for part in str(value).strip("[]() ").split(","))
    return tuple(value) if isinstance(value, list | tuple) else (value,)
