import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from emovec.labels import AFFECT_AXES
from emovec.sphere import DEFAULT_AXES, GRIDS, region, to_affect, to_spherical

COMPONENTS = st.floats(1e-6, 1.0).flatmap(lambda size: st.sampled_from([size, -size]))
VECTORS = st.tuples(COMPONENTS, COMPONENTS, COMPONENTS)
ANY_VECTORS = st.tuples(*[st.floats(-1.0, 1.0)] * 3)
ORDERS = list(itertools.permutations(AFFECT_AXES))


def angles(affect, axes=DEFAULT_AXES):
    """Azimuth in [0, 2 pi) and polar angle, by the textbook, in Python's own float64."""
    x, y, z = (affect[AFFECT_AXES.index(axis)] for axis in axes)
    return math.atan2(y, x) % (2 * math.pi), math.acos(z / math.sqrt(x * x + y * y + z * z))


def region_by_angles(affect, regions, axes=DEFAULT_AXES):
    """Region from angles; None within 1e-9 of an edge, where rounding decides."""
    sectors, bands = GRIDS[regions]
    azimuth, polar = angles(affect, axes)
    sector, band = azimuth * sectors / (2 * math.pi), polar * bands / math.pi
    if min(abs(sector - round(sector)), abs(band - round(band))) < 1e-9:
        return None
    return int(band) * sectors + int(sector)


def region_exactly(x, y, z, regions):
    """Region in rational arithmetic: edges at 45 and 60 degrees have rational squared tangents."""
    sectors, bands = GRIDS[regions]
    slopes = {4: [], 6: [3], 8: [1]}[sectors]  # squared tangents below 90 degrees
    quadrant, x, y = turned(x, y)
    steps = [y * y >= slope * x * x for slope in slopes]
    if sectors == 6:  # 60 degrees lies in each even quadrant, 30 after the turn in each odd one
        halves = [0, 1] if quadrant % 2 == 0 else [1, 2]
        beyond = y * y >= 3 * x * x if quadrant % 2 == 0 else 3 * y * y >= x * x
        sector = quadrant // 2 * 3 + halves[bool(beyond)]
    else:
        sector = quadrant * (sectors // 4) + sum(steps)
    planar = Fraction(x) ** 2 + Fraction(y) ** 2
    return band_exactly(planar, z, bands) * sectors + sector


def turned(x, y):
    """Quadrant counter-clockwise, closed at its lower edge, and the vector turned to the first."""
    quadrant = 0
    while not (x > 0 and y >= 0) and (x, y) != (0, 0):
        x, y = y, -x
        quadrant += 1
    return quadrant, x, y


def band_exactly(planar, z, bands):
    """Polar band, closed towards +z; ``planar`` is x^2 + y^2."""
    if bands == 2:
        return int(z < 0)
    if bands == 3:  # z against +-r / 2
        upper, lower = z >= 0 and 3 * z * z >= planar, z < 0 and 3 * z * z > planar
        return 0 if upper else 2 if lower else 1
    if z >= 0:
        return 0 if z * z >= planar else 1
    return 3 if z * z > planar else 2


def test_eight_regions_are_sign_octants_on_the_grid_of_signs_and_zeros():
    numbers = {(1, 1): 0, (-1, 1): 1, (-1, -1): 2, (1, -1): 3}
    grid = list(itertools.product((-1.0, -0.0, 0.0, 1.0), repeat=3))
    for valence, arousal, dominance in grid:
        x, y, z = (1 if value >= 0 else -1 for value in (arousal, valence, dominance))
        expected = numbers[x, y] + (0 if z > 0 else 4)
        assert region([valence, arousal, dominance]) == expected
    assert len(set(region(grid).tolist())) == 8


@pytest.mark.parametrize("regions", [18, 32])
def test_regions_are_exact_on_integer_grids(regions):
    values = range(-6, 7)
    for x, y, z in itertools.product(values, values, values):
        if (x, y) != (0, 0):
            expected = region_exactly(x, y, z, regions)
            assert region([y, x, z], regions) == expected, (x, y, z)


@pytest.mark.parametrize("regions", [8, 18, 32])
def test_poles_lie_in_the_first_sector(regions):
    sectors, bands = GRIDS[regions]
    assert region([[0, 0, 0.1], [0, 0, -0.1]], regions).tolist() == [0, (bands - 1) * sectors]


@pytest.mark.parametrize("regions", [8, 18, 32])
def test_negative_zero_is_zero_and_the_centre_is_region_zero(regions):
    for signs in itertools.product((-1.0, -0.0, 0.0, 1.0), repeat=3):
        plain = [value + 0.0 for value in signs]
        assert region(signs, regions) == region(plain, regions)
    assert region([-0.0, -0.0, -0.0], regions) == 0


@pytest.mark.parametrize("regions", [8, 18, 32])
@given(affect=VECTORS, axes=st.sampled_from(ORDERS))
def test_regions_are_those_of_the_angles_away_from_edges(regions, affect, axes):
    expected = region_by_angles(affect, regions, axes)
    assume(expected is not None)
    assert region(affect, regions, axes) == expected


@pytest.mark.parametrize("regions", [8, 18, 32])
@given(affect=ANY_VECTORS)
def test_regions_do_not_change_with_scale(regions, affect):
    assume(all(abs(value) > 1e-200 for value in affect if value))  # below, halves are rounded
    expected = region(affect, regions)
    for power in (-40, -1, 1, 40):  # exact in binary, so that edges stay edges
        assert region(np.array(affect) * 2.0**power, regions) == expected


@pytest.mark.parametrize("regions", [8, 18, 32])
@given(affect=VECTORS, scale=st.floats(1e-3, 1e3))
def test_regions_do_not_change_with_any_scale_away_from_edges(regions, affect, scale):
    assume(region_by_angles(affect, regions) is not None)
    assert region(np.array(affect) * scale, regions) == region(affect, regions)


@pytest.mark.parametrize("regions", [8, 18, 32])
def test_every_region_is_met_and_shares_its_sector_s_size(regions):
    sectors, bands = GRIDS[regions]
    azimuths = (np.arange(sectors * 4) + 0.5) * 2 * np.pi / (sectors * 4)
    polars = (np.arange(bands * 4) + 0.5) * np.pi / (bands * 4)
    spherical = [(1.0, azimuth, polar) for polar in polars for azimuth in azimuths]
    counts = np.bincount(region(to_affect(spherical), regions), minlength=regions)
    assert counts.tolist() == [16] * regions


@given(affect=ANY_VECTORS, axes=st.sampled_from(ORDERS))
def test_conversion_and_back(affect, axes):
    spherical = to_spherical(affect, axes)
    assert to_affect(spherical, axes) == pytest.approx(np.array(affect), abs=1e-12)
    radius, azimuth, polar = spherical
    assert radius == pytest.approx(math.hypot(*affect))
    assert -math.pi <= azimuth <= math.pi and 0 <= polar <= math.pi


@given(
    st.floats(1e-3, 1.7),
    st.floats(-math.pi + 1e-6, math.pi),
    st.floats(1e-3, math.pi - 1e-3),
    st.sampled_from(ORDERS),
)
def test_conversion_from_angles_and_back(radius, azimuth, polar, axes):
    back = to_spherical(to_affect([radius, azimuth, polar], axes), axes)
    turn = (back[1] - azimuth + math.pi) % (2 * math.pi) - math.pi
    assert back[[0, 2]] == pytest.approx([radius, polar], abs=1e-9)
    assert turn == pytest.approx(0, abs=1e-9)


@given(affect=VECTORS)
def test_angles_are_the_textbook_s(affect):
    azimuth, polar = angles(affect)
    found = to_spherical(affect)
    assert found[1] % (2 * math.pi) == pytest.approx(azimuth, abs=1e-9)
    assert found[2] == pytest.approx(polar, abs=1e-7)  # arccos is coarse near the poles


def test_tiny_vectors_keep_their_angles():
    assert to_spherical([3e-300, 4e-300, 0.0]) == pytest.approx(
        [5e-300, math.atan2(3, 4), math.pi / 2], rel=1e-12
    )


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_zeros_have_no_sign(zero):
    assert to_spherical([zero, zero, zero]).tolist() == [0.0, 0.0, 0.0]
    assert to_spherical([zero, -1.0, zero]).tolist() == [1.0, math.pi, math.pi / 2]
    assert to_spherical([zero, zero, -1.0]).tolist() == [1.0, 0.0, math.pi]


def test_shapes():
    affect = np.random.default_rng(0).uniform(-1, 1, (4, 5, 3)).astype(np.float32)
    assert to_spherical(affect).shape == to_affect(affect).shape == (4, 5, 3)
    assert region(affect).shape == (4, 5) and region(affect).dtype == np.int64
    assert region(np.empty((0, 3))).shape == (0,)
    assert region(affect[0, 0], 32) == region(affect, 32)[0, 0]


def test_bad_input_is_an_error():
    for function in (to_spherical, to_affect, region):
        with pytest.raises(ValueError, match="shape"):
            function([0.1, 0.2])
        with pytest.raises(ValueError, match="NaN"):
            function([0.1, math.nan, 0.2])
    with pytest.raises(ValueError, match="permutation"):
        region([0.1, 0.2, 0.3], axes=("arousal", "valence", "valence"))
    with pytest.raises(ValueError, match="regions is 16"):
        region([0.1, 0.2, 0.3], 16)
