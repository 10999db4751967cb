"""The affect sphere: spherical coordinates of affect vectors, and regions of equal angles.

Cho et al. (2025), "EmoSphere-SER", Interspeech, doi 10.21437/Interspeech.2025-1391, section 2.1.
Affect vectors are valence, arousal, dominance in [-1, 1]; by default x = arousal, y = valence,
z = dominance.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emovec.labels import AFFECT_AXES

DEFAULT_AXES = ("arousal", "valence", "dominance")

# regions: (azimuth sectors, polar bands), intervals of 90, 60 and 45 degrees
GRIDS = {8: (4, 2), 18: (6, 3), 32: (8, 4)}


def to_spherical(affect: ArrayLike, axes: Sequence[str] = DEFAULT_AXES) -> NDArray[np.float64]:
    """Radius, azimuth and polar angle of affect vectors.

    r = |a|, azimuth = atan2(y, x) in (-pi, pi], polar = atan2(hypot(x, y), z) in [0, pi];
    the centre has both angles 0 (Cho et al., 2025, section 2.1).

    Args:
        affect: (..., 3) valence, arousal, dominance in [-1, 1]
        axes: which of them are x, y and z

    Returns:
        (..., 3) radius in [0, sqrt(3)], azimuth and polar angle in radians

    Raises:
        ValueError: if ``affect`` is not (..., 3) and finite, or ``axes`` is no permutation

    >>> to_spherical([0.0, 1.0, 0.0]).round(4).tolist()
    [1.0, 0.0, 1.5708]
    """
    x, y, z = _cartesian(affect, axes)
    planar = np.hypot(x, y)
    radius = np.hypot(planar, z)
    return np.stack([radius, np.arctan2(y, x), np.arctan2(planar, z)], axis=-1)


def to_affect(spherical: ArrayLike, axes: Sequence[str] = DEFAULT_AXES) -> NDArray[np.float64]:
    """Affect vectors from spherical coordinates: the inverse of :func:`to_spherical`.

    Args:
        spherical: (..., 3) radius, azimuth and polar angle in radians
        axes: which affect axes are x, y and z

    Returns:
        (..., 3) valence, arousal, dominance

    Raises:
        ValueError: if ``spherical`` is not (..., 3) and finite, or ``axes`` is no permutation

    >>> to_affect([1.0, 0.0, np.pi / 2]).round(4).tolist()
    [0.0, 1.0, 0.0]
    """
    radius, azimuth, polar = np.moveaxis(_vectors(spherical, "spherical"), -1, 0)
    planar = radius * np.sin(polar)
    cartesian = (planar * np.cos(azimuth), planar * np.sin(azimuth), radius * np.cos(polar))
    places = _places(axes)
    affect = np.empty((*radius.shape, 3))
    for value, place in zip(cartesian, places, strict=True):
        affect[..., place] = value
    return affect


def region(
    affect: ArrayLike, regions: int = 8, axes: Sequence[str] = DEFAULT_AXES
) -> NDArray[np.int64]:
    """Index of the spherical region that each affect vector lies in.

    Equal angular intervals (Cho et al., 2025, section 2.1): sectors counter-clockwise from +x in
    polar bands from +z down; index = band * sectors + sector. Decided by comparing Cartesian
    components, never rounded angles.

    The 8 regions are the sign octants of the authors' code, where zero counts as positive. The
    authors' 18 and 32 are unpublished; here sectors are closed at their lower edge and bands
    towards +z. The centre lies in region 0.

    Args:
        affect: (..., 3) valence, arousal, dominance in [-1, 1]
        regions: 8, 18 or 32
        axes: which of them are x, y and z

    Returns:
        (...) index in [0, regions)

    Raises:
        ValueError: if ``affect`` is not (..., 3) and finite, or ``regions`` is none of the three

    >>> region([[0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, -0.1]]).tolist()
    [0, 1, 4]
    """
    if regions not in GRIDS:
        raise ValueError(f"regions is {regions}; expected one of {sorted(GRIDS)}.")
    sectors, bands = GRIDS[regions]
    x, y, z = _cartesian(affect, axes)
    sector = _quadrant(x, y) if sectors == 4 else _sector(x, y, sectors)
    return _band(x, y, z, bands) * sectors + sector


def _quadrant(x: NDArray, y: NDArray) -> NDArray[np.int64]:
    """Quadrant by signs, zero counting as positive: (+x, +y), (-x, +y), (-x, -y), (+x, -y)."""
    return np.where(y >= 0, np.where(x >= 0, 0, 1), np.where(x >= 0, 3, 2))


def _sector(x: NDArray, y: NDArray, sectors: int) -> NDArray[np.int64]:
    """Counter-clockwise sector of the x-y plane, closed at its lower edge."""
    upper = (y > 0) | ((y == 0) & (x >= 0))  # azimuth in [0, pi)
    turned_x, turned_y = np.where(upper, x, -x), np.where(upper, y, -y)
    half = sectors // 2
    sector = np.zeros(x.shape, dtype=np.int64)
    for edge in range(1, half):
        sector += _beyond(turned_x, turned_y, edge, half)
    return sector + np.where(upper, 0, half)


def _beyond(x: NDArray, y: NDArray, edge: int, half: int) -> NDArray[np.bool_]:
    """Whether the azimuth of (x, y), in [0, pi), is at least pi * edge / half."""
    if 2 * edge == half:  # a right angle is a sign, which no rounded cosine may move
        return (x <= 0) & (y > 0)
    angle = np.pi * edge / half
    return (y > 0) & (y * np.cos(angle) >= x * np.sin(angle))


def _band(x: NDArray, y: NDArray, z: NDArray, bands: int) -> NDArray[np.int64]:
    """Polar band from +z down, closed towards +z."""
    planar = np.hypot(x, y)
    band = np.zeros(x.shape, dtype=np.int64)
    for edge in range(1, bands):
        band += z < planar * _cotangent(edge, bands)
    return band


def _cotangent(edge: int, bands: int) -> float:
    """Cotangent of the angle pi * edge / bands; exact where it is 1, 0 or -1."""
    exact = {0.25: 1.0, 0.5: 0.0, 0.75: -1.0}
    share = edge / bands
    return exact[share] if share in exact else 1 / np.tan(np.pi * share)


def _vectors(values: ArrayLike, name: str) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] != 3:
        raise ValueError(f"{name} has shape {array.shape}; expected (..., 3).")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has NaN or infinite values; expected finite ones.")
    return array


def _places(axes: Sequence[str]) -> list[int]:
    if sorted(axes) != sorted(AFFECT_AXES):
        raise ValueError(f"axes is {tuple(axes)}; expected a permutation of {AFFECT_AXES}.")
    return [AFFECT_AXES.index(axis) for axis in axes]


def _cartesian(affect: ArrayLike, axes: Sequence[str]) -> list[NDArray[np.float64]]:
    vectors = _vectors(affect, "affect")
    # -0.0 + 0.0 is 0.0: a negative zero would turn the azimuth by pi
    return [vectors[..., place] + 0.0 for place in _places(axes)]
