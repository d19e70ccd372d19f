from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import DataLoader, Dataset, MetaTensor, PersistentDataset, decollate_batch
from monai.data.utils import pickle_hashing
from monai.transforms import Compose, Invertd, MapTransform, Resized
from monai.utils import TraceKeys
from PIL import Image

from custom.errors import InputError
from custom.transforms import (
    CropDisplacedLesiond,
    CropLesion,
    CropLesiond,
    RandCropLesiond,
    context_margin,
    lesion_window,
    mask_box,
)

COLUMNS, ROWS = 40, 30
KEYS = ("image", "label")

few_examples = settings(max_examples=100)
eighths = st.integers(-400, 400).map(lambda n: n / 8)
sides = st.integers(1, 400).map(lambda n: n / 8)
boxes = st.builds(lambda x, y, width, height: (x, y, x + width, y + height), eighths, eighths, sides, sides)
hundredths = st.integers(0, 100).map(lambda n: n / 100)

# One box for every edge and corner of the frame, one inside it, one over all of it.
EDGE_BOXES = [
    (0, 10, 9, 15),
    (31, 10, 40, 15),
    (15, 0, 22, 9),
    (15, 20, 22, 30),
    (0, 0, 7, 5),
    (33, 0, 40, 5),
    (0, 24, 6, 30),
    (34, 24, 40, 30),
    (15, 12, 23, 18),
    (0, 0, 40, 30),
]


def noise(columns: int = COLUMNS, rows: int = ROWS, channels: int = 1) -> np.ndarray:
    """A frame without a zero, so that padding can be told from it."""
    return np.random.default_rng(columns * rows).uniform(1, 2, (channels, columns, rows)).astype(np.float32)


def l_shape(box: tuple[int, int, int, int], columns: int = COLUMNS, rows: int = ROWS) -> np.ndarray:
    """A mask with the left column and the last row of `box`: no flip or transposition leaves it as it is."""
    x0, y0, x1, y1 = box
    mask = np.zeros((1, columns, rows), np.float32)
    mask[0, x0, y0:y1] = 1
    mask[0, x0:x1, y1 - 1] = 1
    return mask


def item(box: tuple[int, int, int, int], columns: int = COLUMNS, rows: int = ROWS) -> dict[str, Any]:
    image = MetaTensor(noise(columns, rows), meta={"filename_or_obj": "image.png"})
    return {"image": image, "label": MetaTensor(l_shape(box, columns, rows), meta={"filename_or_obj": "mask.png"})}


def reference_cut(frame: np.ndarray, window: tuple[int, int, int, int]) -> np.ndarray:
    x0, y0, x1, y1 = window
    far = 1000
    return np.pad(frame, [(0, 0), (far, far), (far, far)])[:, x0 + far : x1 + far, y0 + far : y1 + far]


def inside(frame: np.ndarray, window: tuple[int, int, int, int]) -> np.ndarray:
    """`frame` with 0 outside the window."""
    x0, y0, x1, y1 = np.maximum(window, 0)
    kept = np.zeros_like(frame)
    kept[:, x0:x1, y0:y1] = frame[:, x0:x1, y0:y1]
    return kept


def contains(outer: tuple[float, ...], inner: tuple[float, ...]) -> bool:
    return bool(np.less_equal(outer[:2], inner[:2]).all() and np.greater_equal(outer[2:], inner[2:]).all())


@pytest.mark.parametrize(
    ("box", "margin", "square", "expected"),
    [
        ((10, 20, 30, 60), 0.2, True, (-8, 12, 48, 68)),  # 40 + 2 * 8 = 56 around (20, 40)
        ((10, 20, 30, 60), 0.2, False, (2, 12, 38, 68)),  # 20 + 2 * 8 = 36 wide
        ((10, 20, 30, 60), 0.0, True, (0, 20, 40, 60)),
        ((10, 20, 30, 60), 0.0, False, (10, 20, 30, 60)),
        ((0, 0, 55, 55), 0.2, True, (-11, -11, 66, 66)),  # 77
        ((0, 0, 200, 200), context_margin(0.4, 0.25, 0.1), True, (-148, -148, 348, 348)),  # 496, not 497 by float noise
        ((0, 0, 110, 110), 0.05, True, (-5, -5, 116, 116)),  # 121 around 55: the higher of -6 and -5
        ((0, 0, 100, 51), 0.2, True, (-20, -44, 120, 96)),  # 140 around y = 25.5: the higher of -45 and -44
        ((0, 0, 3, 2), 0.0, True, (0, 0, 3, 3)),
        ((5, 7, 6, 8), 0.2, True, (5, 7, 7, 9)),  # 1.4 rounded up
        ((0.5, 0.5, 10.5, 10.5), 0.0, True, (0, 0, 11, 11)),  # rounded outward
        ((0.5, 2, 10.5, 12), 0.0, True, (0, 2, 11, 13)),  # 11 in x, and therefore in y
        ((0.5, 2, 10.5, 12), 0.0, False, (0, 2, 11, 12)),
        ((-4, -3, 4, 3), 0.5, True, (-8, -8, 8, 8)),
    ],
)
def test_window_by_hand(box: tuple, margin: float, square: bool, expected: tuple) -> None:
    assert lesion_window(box, margin, square) == expected


@few_examples
@given(box=boxes, margin=hundredths, square=st.booleans())
def test_window_contains_the_box_and_is_centred_and_just_as_large_as_it_must_be(
    box: tuple[float, float, float, float], margin: float, square: bool
) -> None:
    window = lesion_window(box, margin, square)
    assert all(type(bound) is int for bound in window)
    low, high = np.reshape(box, (2, 2))
    assert contains(window, (*np.floor(low), *np.ceil(high)))
    assert (np.abs(np.add(window[:2], window[2:]) - (low + high)) <= 1).all()
    size = np.subtract(window[2:], window[:2])
    longer = max(high - low)
    grown = (longer if square else high - low) + 2 * margin * longer
    assert (size >= grown - 1e-6).all()
    assert (size < grown + 2).all()
    if square:
        assert size[0] == size[1]


@few_examples
@given(box=boxes, margin=hundredths, square=st.booleans(), x=st.integers(-99, 99), y=st.integers(-99, 99))
def test_window_follows_the_box(
    box: tuple[float, float, float, float], margin: float, square: bool, x: int, y: int
) -> None:
    moved = lesion_window(np.add(box, (x, y, x, y)), margin, square)
    assert moved == tuple(np.add(lesion_window(box, margin, square), (x, y, x, y)))


@pytest.mark.parametrize("box", EDGE_BOXES)
@pytest.mark.parametrize("square", [True, False])
@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor, MetaTensor])
def test_cut_and_inverse_at_every_edge(box: tuple, square: bool, kind: Any) -> None:
    frame = noise(channels=2)
    crop = CropLesion(margin=0.5, square=square)
    window = lesion_window(box, 0.5, square)
    cut = crop(kind(frame), box)
    assert isinstance(cut, MetaTensor)
    assert cut.dtype == torch.float32
    np.testing.assert_array_equal(cut, reference_cut(frame, window))
    np.testing.assert_array_equal(crop.inverse(cut), inside(frame, window))


@few_examples
@given(data=st.data(), margin=hundredths, square=st.booleans())
def test_inverse_restores_what_the_window_holds_of_the_frame(data: st.DataObject, margin: float, square: bool) -> None:
    columns, rows = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    x0, y0 = data.draw(st.tuples(st.integers(0, columns - 1), st.integers(0, rows - 1)))
    box = (x0, y0, *data.draw(st.tuples(st.floats(x0 + 0.125, columns), st.floats(y0 + 0.125, rows))))
    frame = noise(columns, rows)
    crop = CropLesion(margin, square)
    window = lesion_window(box, margin, square)
    cut = crop(torch.as_tensor(frame), box)
    np.testing.assert_array_equal(cut, reference_cut(frame, window))
    restored = crop.inverse(cut)
    np.testing.assert_array_equal(restored, inside(frame, window))
    assert restored.applied_operations == []


def test_affine_follows_the_cut_and_returns() -> None:
    affine = np.array([[0.07, 0, 0, 3], [0, 0.05, 0, 4], [0, 0, 1, 0], [0, 0, 0, 1]])
    crop = CropLesion(margin=0.5)
    cut = crop(MetaTensor(noise(), affine=affine), (0, 20, 8, 26))  # window -4, 15, 12, 31
    np.testing.assert_allclose(cut.affine[:, 3], [3 - 4 * 0.07, 4 + 15 * 0.05, 0, 1])
    np.testing.assert_allclose(crop.inverse(cut).affine, affine)


def test_a_frame_is_never_copied() -> None:
    frame = torch.ones(1, 1, 1).expand(1, 10**6, 10**6)  # 4 TB, if anything filled it
    cut = CropLesion(margin=0.5)(frame, (0, 500, 8, 508))
    assert cut.shape == (1, 16, 16)
    assert cut.sum() == 12 * 16


def test_window_beyond_the_frame_is_refused() -> None:
    for box in [(40, 0, 50, 10), (-10, 0, 0, 10), (0, 30, 10, 40), (0, -10, 10, 0)]:
        with pytest.raises(ValueError, match="has no pixel of the frame of \\(40, 30\\)"):
            CropLesion(margin=0)(noise(), box)


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor, MetaTensor])
@pytest.mark.parametrize("box", EDGE_BOXES)
def test_mask_box(kind: Any, box: tuple[int, int, int, int]) -> None:
    assert mask_box(kind(l_shape(box))) == box
    assert mask_box(kind(l_shape(box).astype(np.uint8) * 255)) == box
    assert mask_box(kind(np.zeros((1, COLUMNS, ROWS)))) is None


def test_mask_box_of_several_channels_and_parts() -> None:
    mask = np.zeros((2, COLUMNS, ROWS))
    mask[0, 20, 7] = mask[1, 3, 25] = 1
    assert mask_box(mask) == (3, 7, 21, 26)


@pytest.mark.parametrize("box", EDGE_BOXES)
def test_dictionary_version_cuts_all_keys_around_the_mask_or_the_box(box: tuple[int, int, int, int]) -> None:
    window = lesion_window(box, 0.2, True)
    by_mask = CropLesiond(KEYS, mask_key="label")(item(box))
    assert by_mask["box"] == box
    values = [box, list(box), np.array(box), torch.tensor(box, dtype=torch.float64)]
    by_box = [CropLesiond(KEYS, box_key="lesion_box")({**item(box), "lesion_box": value}) for value in values]
    for d in by_box:
        assert type(d["lesion_box"]) is tuple
        assert d["lesion_box"] == box
    for d in [by_mask, *by_box]:
        np.testing.assert_array_equal(d["image"], reference_cut(noise(), window))
        np.testing.assert_array_equal(d["label"], reference_cut(l_shape(box), window))


def test_the_mask_need_not_be_cut() -> None:
    d = CropLesiond("image", mask_key="label")(item((3, 4, 9, 8)))
    assert d["image"].shape == (1, 9, 9)
    assert d["label"].shape == (1, COLUMNS, ROWS)


@pytest.mark.parametrize("keys", [{}, {"mask_key": "label", "box_key": "box"}])
def test_needs_either_the_mask_or_the_box(keys: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="either mask_key or box_key"):
        CropLesiond(KEYS, **keys)


@pytest.mark.parametrize(
    ("settings", "changes", "expected"),
    [
        (
            {"mask_key": "label"},
            {"label": MetaTensor(torch.ones(1, 20, 25), meta={"filename_or_obj": "mask.png"})},
            "mask.png: 20 columns x 25 rows, expected 40 columns x 30 rows as in image.png; give both the same size or "
            "leave the lesion out",
        ),
        (
            {"mask_key": "label", "keys": "image"},
            {"image": torch.ones(1, 30, 40)},  # without a file name
            "mask.png: 40 columns x 30 rows, expected 30 columns x 40 rows as in image; give both the same size or "
            "leave the lesion out",
        ),
        (
            {"mask_key": "label"},
            {"label": MetaTensor(torch.zeros(1, 40, 30), meta={"filename_or_obj": "mask.png"})},
            "mask.png: the mask is empty, expected the pixels of a lesion to be nonzero; correct the mask or leave the "
            "lesion out",
        ),
        *(
            (
                {"box_key": "box"},
                {"box": box},
                f"image.png: the box is {box} in a frame of 40 columns x 30 rows, expected x0, y0, x1, y1 in pixels, "
                "no width and height, with 0 <= x0 < x1 <= 40 and 0 <= y0 < y1 <= 30; correct the box",
            )
            for box in [
                None,
                "left",
                3.0,
                (1, 2, 3),
                (1, 2, 3, 4, 5),
                (1, 2, 3, None),
                (1, 2, 3, float("nan")),
                (1, 2, float("inf"), 4),
                (5, 5, 5, 9),
                (5, 9, 8, 5),
                (-0.5, 2, 5, 6),
                (1, -1, 5, 6),
                (1, 2, 40.5, 6),
                (1, 2, 5, 31),
                torch.tensor([[1, 2], [3, 4]]).tolist(),
                np.ones((4, 2)),
                torch.ones(4, 2),
            ]
        ),
    ],
)
def test_error_texts(settings: dict[str, str], changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError) as error:
        CropLesiond(**{"keys": KEYS, **settings})(item((3, 4, 9, 8)) | changes)
    assert str(error.value) == expected.replace("\n", r"\n")  # one line, whatever the value


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"margin": -0.1}, "margin is -0.1, expected 0 or more"),
        ({"margin": float("nan")}, "margin is nan, expected 0 or more"),
        ({"scale": 1.0}, "scale is 1.0, expected at least 0 and below 1"),
        ({"scale": -0.1}, "scale is -0.1, expected at least 0 and below 1"),
        ({"displacement": -0.1}, "displacement is -0.1, expected at least 0 and below 0.95"),
        ({"displacement": 0.95}, "displacement is 0.95, expected at least 0 and below 0.95"),
        ({"displacement": 0.8, "scale": 0.5}, "displacement is 0.8, expected at least 0 and below 0.75"),
    ],
)
def test_settings_are_checked(settings: dict[str, float], expected: str) -> None:
    with pytest.raises(InputError, match=f"^{expected}"):
        RandCropLesiond(KEYS, "label", **settings)


@pytest.mark.parametrize("box", EDGE_BOXES)
@pytest.mark.parametrize("factor", [1, 2])
def test_an_object_survives_cut_resize_and_inverse_in_place(box: tuple[int, int, int, int], factor: int) -> None:
    x0, _, x1, _ = lesion_window(box, 0.2, True)
    size = factor * (x1 - x0)
    forward = Compose(
        [CropLesiond(KEYS, mask_key="label"), Resized(KEYS, spatial_size=(size, size), mode=("bilinear", "nearest"))]
    )
    d = forward(item(box))
    assert d["label"].shape == (1, size, size)
    np.testing.assert_array_equal(forward.inverse(d)["label"], l_shape(box))


@pytest.mark.parametrize("box", EDGE_BOXES)
@pytest.mark.parametrize("size", [16, 64])
def test_a_probability_map_is_put_back_onto_the_frame(box: tuple[int, int, int, int], size: int) -> None:
    preprocessing = Compose(
        [CropLesiond(KEYS, mask_key="label"), Resized("image", spatial_size=(size, size), mode="bilinear")]
    )
    d = preprocessing(item(box))
    probabilities = np.random.default_rng(0).uniform(size=(size, size)).astype(np.float32)
    d["pred"] = MetaTensor(probabilities[None])
    back = Invertd("pred", transform=preprocessing, orig_keys="image", nearest_interp=False, to_tensor=True)(d)
    x0, y0, x1, y1 = window = lesion_window(box, 0.2, True)
    expected = np.zeros((1, 1000 + COLUMNS, 1000 + ROWS), np.float32)  # negative bounds wrap around into the extra part
    columns, rows = np.arange(x0, x1)[:, None], np.arange(y0, y1)
    expected[0, columns, rows] = cv2.resize(probabilities, (y1 - y0, x1 - x0), interpolation=cv2.INTER_LINEAR)
    expected = expected[:, :COLUMNS, :ROWS]
    assert (expected > 0).sum() == (inside(noise(), window) > 0).sum()
    np.testing.assert_allclose(back["pred"], expected, atol=1e-5)


# Eight pixels wide: the windows are 12 wide, so that the cuts fit into one batch; the last two need padding.
BATCH = [((14, 12, 22, 18), (40, 30)), ((0, 22, 8, 30), (40, 30)), ((42, 0, 50, 8), (50, 20))]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_invertd_after_a_data_loader(num_workers: int) -> None:
    preprocessing = Compose(
        [CropLesiond(KEYS, mask_key="label"), Resized(KEYS, spatial_size=(24, 24), mode=("nearest", "nearest"))]
    )
    items = [item(box, *frame) for box, frame in BATCH]
    loader = DataLoader(Dataset(items, preprocessing), batch_size=len(items), num_workers=num_workers)
    (batch,) = loader
    batch["pred"] = batch["image"] * 2
    invert = Invertd("pred", transform=preprocessing, orig_keys="image", nearest_interp=False, to_tensor=True)
    for d, (box, frame) in zip(decollate_batch(batch), BATCH, strict=True):
        assert tuple(d["box"]) == box
        window = lesion_window(d["box"], 0.2, True)
        np.testing.assert_array_equal(invert(d)["pred"], 2 * inside(noise(*frame), window))


class Readd(MapTransform):
    """Reads PNG files. `LoadImaged` leaves numpy arrays in its metadata, which a cache does not load again."""

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        return data | {key: MetaTensor(pixels(data[key]), meta={"filename_or_obj": data[key]}) for key in self.keys}


def pixels(file: str) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(Image.open(file), np.float32).T[None])


def write_item(folder: Path, box: tuple[int, int, int, int], columns: int, rows: int) -> dict[str, str]:
    frames = {"image": noise(columns, rows) * 100, "label": l_shape(box, columns, rows) * 255}
    for key, frame in frames.items():
        Image.fromarray(frame[0].T.astype(np.uint8)).save(folder / f"{key}.png")
    return {key: str(folder / f"{key}.png") for key in KEYS}


def reading_chain(*more: Any, margin: float = 0.2) -> Compose:
    return Compose([Readd(KEYS), CropLesiond(KEYS, margin=margin, mask_key="label"), *more])


def persistent(data: dict[str, str], transform: Compose, folder: Path) -> PersistentDataset:
    return PersistentDataset(
        [data], transform, cache_dir=folder / "cache", hash_transform=pickle_hashing, track_meta=True
    )


@pytest.fixture
def loadable_trace() -> None:
    """Lets a cache be read: MONAI 1.6.1 does not list the keys of its own traces among what `torch.load` may load."""
    # Not for a while only: that would take the leave from all tests that follow, which `custom.data` gave them.
    torch.serialization.add_safe_globals([TraceKeys])


@pytest.mark.usefixtures("loadable_trace")
@pytest.mark.parametrize("num_workers", [0, 1])
@pytest.mark.parametrize("box", [(3, 22, 11, 30), (14, 12, 22, 18)])
def test_invertd_on_a_cached_item_with_newly_built_transforms(
    box: tuple[int, int, int, int], num_workers: int, tmp_path: Path
) -> None:
    data = write_item(tmp_path, box, COLUMNS, ROWS)
    image = pixels(data["image"])
    transforms = [reading_chain(Resized(KEYS, spatial_size=(24, 24), mode="nearest")) for _ in range(2)]
    persistent(data, transforms[0], tmp_path)[0]
    for file in data.values():
        Path(file).unlink()  # the second time there is only the cache
    (batch,) = DataLoader(persistent(data, transforms[1], tmp_path), num_workers=num_workers)
    (d,) = decollate_batch(batch)
    d["pred"] = d["image"].clone()
    back = Invertd("pred", transform=transforms[1], orig_keys="image", nearest_interp=False, to_tensor=True)(d)
    np.testing.assert_array_equal(back["pred"], inside(image, lesion_window(box, 0.2, True)))
    assert tuple(back["box"]) == box
    assert back["pred"].meta["filename_or_obj"] == data["image"]


@pytest.mark.parametrize("box", [(100, 200, 140, 230), (0, 200, 40, 230), (100, 0, 140, 600)])
def test_a_cache_file_holds_the_cut_only(box: tuple[int, int, int, int], tmp_path: Path) -> None:
    data = write_item(tmp_path, box, 800, 600)
    d = persistent(data, reading_chain(), tmp_path)[0]
    (file,) = (tmp_path / "cache").iterdir()
    assert file.stat().st_size < sum(d[key].nbytes for key in KEYS) + 20_000


class Extreme:
    """Stands in for the random state: always the lowest, or always the highest, of what may be drawn."""

    def __init__(self, highest: bool) -> None:
        self.highest = highest

    def randint(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return high - 1 if self.highest else low


@few_examples
@given(
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    margin=hundredths,
    displacement=hundredths.map(lambda n: n / 2.01),
    scale=hundredths.map(lambda n: n / 1.01),
    square=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_context_contains_every_random_window(
    size: tuple[int, int], margin: float, displacement: float, scale: float, square: bool, seed: int
) -> None:
    lesion = {"label": np.ones((1, *size), np.uint8)}
    context = lesion_window((0, 0, *size), context_margin(margin, displacement, scale), True)
    crop = RandCropLesiond("label", "label", margin, square, displacement, scale)
    for state in [np.random.RandomState(seed), Extreme(False), Extreme(True)]:
        crop.R = state
        for _ in range(5):
            box = crop.find_box(lesion)
            assert contains(context, lesion_window(box, margin, square))
            width, height = np.minimum(box[2:], size) - np.maximum(box[:2], 0)
            assert width > 0, "the displaced box left the true one"
            assert height > 0, "the displaced box left the true one"


def test_a_smaller_context_margin_would_not_do() -> None:
    crop = RandCropLesiond("label", "label", margin=0.2, displacement=0.1, scale=0.1)
    crop.R = Extreme(highest=True)
    window = lesion_window(crop.find_box({"label": np.ones((1, 1000, 1000), np.uint8)}), 0.2, True)
    margin = context_margin(0.2, 0.1, 0.1)
    assert margin == pytest.approx(0.37)  # 0.1 + 1.1 * 0.7 - 0.5
    assert contains(lesion_window((0, 0, 1000, 1000), margin, True), window)
    assert not contains(lesion_window((0, 0, 1000, 1000), margin - 0.001, True), window)


def test_displacement_and_scale_are_uniform_over_whole_pixels_and_independent() -> None:
    lesion = {"label": np.ones((1, 40, 80), np.uint8)}
    crop = RandCropLesiond("label", "label", displacement=0.1, scale=0.2).set_random_state(0)
    drawn = np.array([crop.find_box(lesion) for _ in range(4000)])
    low, high = drawn[:, :2], drawn[:, 2:]
    shift = (low + high - (40, 80)) / 2
    growth = (high - low - (40, 80)) / 2
    for values, reach in [(shift[:, 0], 4), (shift[:, 1], 8), (growth[:, 0], 4), (growth[:, 1], 8)]:
        expected = 4000 / (2 * reach + 1)
        found, counts = np.unique(values, return_counts=True)
        assert found.tolist() == list(range(-reach, reach + 1))
        assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)
    correlations = np.corrcoef(np.concatenate([shift, growth], axis=1).T) - np.eye(4)
    assert np.abs(correlations).max() < 0.08  # five standard errors


def random_cut(seed: int | None = None, **settings: float) -> RandCropLesiond:
    return RandCropLesiond(KEYS, "label", **{"displacement": 0.4, "scale": 0.4, **settings}).set_random_state(seed)


def test_random_cut_repeats_with_its_seed() -> None:
    box = (5, 6, 31, 25)
    first, again, other = random_cut(7), random_cut(7), random_cut(8)
    runs = [[crop(item(box)) for _ in range(6)] for crop in (first, again, other)]
    drawn = [[d["box"] for d in run] for run in runs]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) > 1
    for d, d_again in zip(*runs[:2], strict=True):
        np.testing.assert_array_equal(d["image"], d_again["image"])


@pytest.mark.parametrize("box", EDGE_BOXES)
def test_random_cut_is_the_window_of_its_box_in_all_keys_and_has_an_inverse(box: tuple[int, int, int, int]) -> None:
    crop = random_cut(3)
    for _ in range(5):
        d = crop(item(box))
        window = lesion_window(d["box"], 0.2, True)
        np.testing.assert_array_equal(d["image"], reference_cut(noise(), window))
        np.testing.assert_array_equal(d["label"], reference_cut(l_shape(box), window))
        np.testing.assert_array_equal(crop.inverse(d)["image"], inside(noise(), window))


@pytest.mark.parametrize("box", EDGE_BOXES)
@pytest.mark.parametrize("square", [True, False])
def test_the_box_is_a_channel_of_its_own(box: tuple[int, int, int, int], square: bool) -> None:
    frame = np.zeros((1, COLUMNS, ROWS), np.float32)
    frame[0, box[0] : box[2], box[1] : box[3]] = 1
    for crop in (
        CropLesiond(KEYS, square=square, mask_key="label", box_channel=True),
        CropDisplacedLesiond(KEYS, "label", square=square, displacement=0, scale=0, box_channel=True),
        random_cut(0, displacement=0, scale=0, square=square, box_channel=True),
    ):
        d, window = crop(item(box) | {"lesion_id": "a"}), lesion_window(box, 0.2, square)
        np.testing.assert_array_equal(d["image"], reference_cut(np.concatenate([noise(), frame]), window))
        np.testing.assert_array_equal(d["label"], reference_cut(l_shape(box), window))
        # What is put back has the channel of a prediction, and the trace of the image.
        d["image"] = d["image"][:1]
        np.testing.assert_array_equal(crop.inverse(d)["image"], inside(noise(), window))


def test_a_pixel_is_in_the_box_if_its_centre_is() -> None:
    crop = CropLesiond("image", 0.0, False, box_key="box", box_channel=True)
    channel = crop({"image": noise(), "box": (3.4, 2.6, 6.5, 4.5)})["image"][1]
    assert channel.tolist() == [[0, 1], [0, 1], [0, 1], [0, 0]] or channel.sum() == 3


def test_random_cut_without_displacement_and_scale_is_the_plain_one() -> None:
    lesion = item((3, 4, 12, 9))
    d = random_cut(0, displacement=0, scale=0)(lesion)
    plain = CropLesiond(KEYS, mask_key="label")(lesion)
    assert d["box"] == plain["box"]
    np.testing.assert_array_equal(d["image"], plain["image"])


@pytest.mark.usefixtures("loadable_trace")
@pytest.mark.parametrize("box", [(0, 22, 40, 60), (50, 60, 120, 90)])
def test_a_cache_of_the_context_gives_the_random_cuts_of_the_frame(
    box: tuple[int, int, int, int], tmp_path: Path
) -> None:
    data = write_item(tmp_path, box, 200, 100)
    from_frame, from_cache = random_cut(), random_cut()
    chain = reading_chain(from_cache, margin=context_margin(0.2, 0.4, 0.4))
    cached = persistent(data, chain, tmp_path)
    for crop in (from_frame, from_cache):
        crop.set_random_state(5)
    for _ in range(4):
        d, expected = cached[0], from_frame(Readd(KEYS)(data))
        for key in KEYS:
            np.testing.assert_array_equal(d[key], expected[key])
    assert len(list((tmp_path / "cache").iterdir())) == 1
    # Both cuts are undone, the random one first.
    image = pixels(data["image"])
    back = Invertd("image", transform=chain, nearest_interp=False)(d)["image"]
    np.testing.assert_array_equal(back, inside(image, lesion_window(expected["box"], 0.2, True)))


def displaced_cut(name: str, displacement: float = 0.3, box: tuple[int, int, int, int] = (5, 6, 31, 25)) -> dict:
    crop = CropDisplacedLesiond(KEYS, "label", displacement=displacement, scale=displacement)
    return crop(item(box) | {"lesion_id": name})


def test_a_displaced_cut_depends_on_the_lesion_alone() -> None:
    assert displaced_cut("a")["box"] == displaced_cut("a")["box"] != displaced_cut("b")["box"]
    d = displaced_cut("a")
    np.testing.assert_array_equal(d["image"], reference_cut(noise(), lesion_window(d["box"], 0.2, True)))
    plain = CropLesiond(KEYS, mask_key="label")(item((5, 6, 31, 25)))
    np.testing.assert_array_equal(displaced_cut("a", displacement=0)["image"], plain["image"])


def test_displaced_boxes_reach_as_far_as_they_say_and_no_farther() -> None:
    boxes = np.array([displaced_cut(f"P_{number:05d}_LEFT_CC_1")["box"] for number in range(300)])
    low, high = boxes[:, :2], boxes[:, 2:]
    shift, growth = (low + high - (36, 31)) / 2, (high - low - (26, 19)) / 2
    assert (np.abs(shift).max(axis=0) == (7, 5)).all()  # 0.3 of 26 and of 19 pixels, whole ones
    assert (np.abs(growth).max(axis=0) == (3, 2)).all()
    assert (np.abs(shift.mean(axis=0)) < 0.9).all()


@pytest.mark.usefixtures("loadable_trace")
def test_a_displaced_cut_is_cached(tmp_path: Path) -> None:
    data = write_item(tmp_path, (50, 60, 120, 90), 200, 100) | {"lesion_id": "a"}
    chain = Compose([Readd(KEYS), CropDisplacedLesiond(KEYS, "label", displacement=0.2, scale=0.2)])
    cached = persistent(data, chain, tmp_path)
    first, again = cached[0], cached[0]
    np.testing.assert_array_equal(first["image"], again["image"])
    assert len(list((tmp_path / "cache").iterdir())) == 1
    assert cached._cachecheck(data)["image"].shape == first["image"].shape != (1, 200, 100)
