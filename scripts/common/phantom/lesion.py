"""Masses: outline by BI-RADS shape, edge by BI-RADS margins, and the attenuation that they add.

A mass is drawn in a square patch around its centre; arrays are `(rows, columns)`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from scripts.common.phantom.noise import Field, power_law_noise

ANGLES = np.linspace(0, 2 * np.pi, 360, endpoint=False)
# Half width of a patch in radii of the mass: room for the longest spicule and for the tissue over an obscured margin.
PATCH = 2.6
# Share of the radius over which the thickness rises from the edge: small gives the even disc of a well-defined mass.
EDGE_RISE = {"CIRCUMSCRIBED": 0.7, "MICROLOBULATED": 0.7, "OBSCURED": 0.6, "SPICULATED": 0.85, "ILL_DEFINED": 0.9}
# Standard deviation of the blur of the edge, as a share of the radius.
EDGE_BLUR = {"CIRCUMSCRIBED": 0.03, "MICROLOBULATED": 0.04, "OBSCURED": 0.06, "SPICULATED": 0.09, "ILL_DEFINED": 0.15}
SUBPIXEL_BITS = 4


@dataclass(frozen=True)
class Mass:
    """A drawn mass.

    Attributes:
        attenuation: Attenuation that the mass adds, scaled to a mean of 1 inside the outline, `(side, side)`.
        mask: True outline, filled, 0 or 255, `(side, side)`; of a spiculated mass the core and the roots.
    """

    attenuation: Field
    mask: NDArray[np.uint8]


def draw_mass(rng: np.random.Generator, shape: str, margins: str, diameter: float) -> Mass:
    """Draw a mass whose box has a longer side of about `diameter` pixels, in the middle of a square patch.

    Shape and margins are spelt as in the CBIS-DDSM tables: `ROUND`, `OVAL`, `LOBULATED` or `IRREGULAR`, and a key of
    `EDGE_RISE`.
    """
    half = math.ceil(PATCH * diameter / 2) + 2
    side = 2 * half + 1
    spicules = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(14, 28))) if margins == "SPICULATED" else np.empty(0)
    outline = _outline(rng, shape, margins, spicules)
    outline *= diameter / np.ptp(outline, axis=0).max()
    outline -= (outline.max(axis=0) + outline.min(axis=0)) / 2
    mask = np.zeros((side, side), np.uint8)
    cv2.fillPoly(mask, [np.round((outline + half) * 2**SUBPIXEL_BITS).astype(np.int32)], 255, shift=SUBPIXEL_BITS)
    profile = _profile(mask, EDGE_RISE[margins], EDGE_BLUR[margins] * diameter / 2)
    texture = power_law_noise(rng, mask.shape, 3.0, longest_wave=diameter)
    profile *= 1 + 0.12 * texture
    if margins == "SPICULATED":
        profile += _spicules(rng, spicules, side, diameter / 2)
    if margins == "OBSCURED":
        profile = _obscure(rng, profile, texture, diameter / 2)
    return Mass((profile / profile[mask > 0].mean()).astype(np.float32), mask)


def _outline(rng: np.random.Generator, shape: str, margins: str, spicules: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draw the corners `(360, 2)` of the outline as x and y, in units of about one radius, around the origin."""
    waves, stretch = np.zeros_like(ANGLES), 1.0
    if shape == "ROUND":
        waves, stretch = _waves(rng, range(2, 6), 0.02), rng.uniform(1.0, 1.12)
    elif shape == "OVAL":
        waves, stretch = _waves(rng, range(2, 6), 0.025), rng.uniform(1.3, 1.75)
    elif shape == "LOBULATED":
        # The outer rim of a few overlapping discs.
        lobes = int(rng.integers(3, 5))
        towards = (np.arange(lobes) + rng.uniform(-0.3, 0.3, lobes)) * 2 * np.pi / lobes
        offset, size = rng.uniform(0.3, 0.6, lobes), rng.uniform(0.45, 0.75, lobes)
        aside = offset * np.sin(ANGLES[:, None] - towards)
        reach = offset * np.cos(ANGLES[:, None] - towards) + np.sqrt(np.maximum(size**2 - aside**2, 0))
        waves = np.maximum(reach.max(axis=1), 0.5) - 1 + _waves(rng, range(2, 7), 0.02)
        stretch = rng.uniform(1.0, 1.3)
    elif shape == "IRREGULAR":
        waves, stretch = _waves(rng, range(2, 11), rng.uniform(0.11, 0.16)), rng.uniform(1.0, 1.4)
    if margins == "MICROLOBULATED":
        waves = waves + _waves(rng, range(9, 16), 0.03)
    for angle in spicules:
        away = np.angle(np.exp(1j * (ANGLES - angle)))
        waves = waves + rng.uniform(0.0, 0.1) * np.exp(-np.square(away / 0.06))
    radius = np.maximum(1 + waves, 0.35)
    turn = rng.uniform(0, np.pi)
    x, y = stretch * radius * np.cos(ANGLES), radius * np.sin(ANGLES)
    return np.c_[x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)]


def _waves(rng: np.random.Generator, orders: range, spread: float) -> NDArray[np.float64]:
    """Draw a smooth random function of the angle with the given standard deviation; lower orders are stronger."""
    total = np.zeros_like(ANGLES)
    for order in orders:
        total += rng.standard_normal() / order**1.5 * np.cos(order * ANGLES + rng.uniform(0, 2 * np.pi))
    return total * spread / total.std()


def _profile(mask: NDArray[np.uint8], rise: float, blur: float) -> Field:
    """Return the thickness of a rounded body over the mask: steep at the edge, flat in the middle, 1 at most."""
    depth = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    climb = np.minimum(depth / (rise * depth.max()), 1)
    return np.asarray(cv2.GaussianBlur(np.sqrt(1 - np.square(1 - climb)), (0, 0), max(0.5, blur)))


def _spicules(rng: np.random.Generator, angles: NDArray[np.float64], side: int, radius: float) -> Field:
    """Draw thin, slightly bent lines that leave the core along the given angles and fade outwards."""
    canvas = np.zeros((side, side), np.uint8)
    middle = side // 2
    for angle in angles:
        length, bend = radius * rng.uniform(0.7, 1.8), rng.normal(0, 0.3)
        brightness = rng.uniform(0.35, 0.9)
        steps = np.linspace(0, 1, 13)
        away = 0.5 * radius + steps * length
        aim = angle + bend * steps * steps
        path = middle + np.c_[away * np.cos(aim), away * np.sin(aim)]
        corners = np.round(path * 2**SUBPIXEL_BITS).astype(np.int32)
        for first in (9, 6, 3, 0):
            width = max(1, round(0.07 * radius * (1 - first / 12)))
            level = int(255 * brightness * (1 - first / 12))
            part = np.ascontiguousarray(corners[first : first + 4])
            cv2.polylines(canvas, [part], False, level, width, cv2.LINE_AA, shift=SUBPIXEL_BITS)
    blurred = cv2.GaussianBlur(canvas, (0, 0), max(0.6, 0.03 * radius))
    return blurred.astype(np.float32) * np.float32(0.6 / 255)


def _obscure(rng: np.random.Generator, profile: Field, texture: Field, radius: float) -> Field:
    """Lay tissue as dense as the mass over one side of it, so that its margin there is lost."""
    middle = profile.shape[0] // 2
    steps = (np.arange(profile.shape[0], dtype=np.float32) - middle) / radius
    angle = rng.uniform(0, 2 * np.pi)
    dx, dy = steps[None, :] - math.cos(angle), steps[:, None] - math.sin(angle)
    cover = np.exp(-np.square((dx * dx + dy * dy) / (1.1 + 0.25 * texture).clip(0.5)))
    tissue = 0.8 + 0.25 * texture
    return np.asarray(profile * (1 - 0.8 * cover) + tissue * cover, np.float32)
