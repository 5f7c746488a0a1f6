"""Pictures can be read: enough contrast on light and dark, names that do not overlap, every magnet in the row."""

from itertools import pairwise
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from gnomon.lattice import Ring
from gnomon.lattice.elements import Bend, Quadrupole, Sextupole
from gnomon.propagator.studies import Frame, StudyResult, Version, plot_comparison, study_comparison
from gnomon.propagator.studies.pictures.style import DARK, LIGHT, Palette
from gnomon.propagator.studies.pictures.synoptic import DISTANCE, SIZE, _named, blocks_of


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.1."""
    channels = [int(colour[i : i + 2], 16) / 255.0 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.fixture(scope="module")
def compared(mls: Ring) -> StudyResult:
    second = mls.nominal.updated({("Q1P1K1RP", "current"): 53.0})
    return study_comparison(Version(mls.nominal, "optics nominal"), Version(second, "snapshot $\\alpha_"))


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_lines_stand_out_from_the_paper(palette: Palette) -> None:
    assert contrast(palette.ink, palette.paper) > 7.0
    for colour in (palette.x, palette.y, *palette.more):
        assert contrast(colour, palette.paper) > 3.0, colour


@pytest.mark.parametrize(
    ("dark", "window"),
    [
        (True, (3.0, 9.0)),
        pytest.param(False, (None, None), marks=pytest.mark.slow(1)),
        pytest.param(False, (3.0, 9.0), marks=pytest.mark.slow(1)),
        pytest.param(True, (None, None), marks=pytest.mark.slow(1)),
    ],
)
def test_a_picture_is_drawn_on_its_paper(
    mls: Ring, compared: StudyResult, tmp_path: Path, dark: bool, window: tuple[float | None, float | None]
) -> None:
    path = tmp_path / "picture.png"
    plot_comparison(compared, Frame(path, mls.nominal, dark, *window))
    image = matplotlib.image.imread(path)[..., :3]
    paper = [int((DARK if dark else LIGHT).paper[i : i + 2], 16) / 255.0 for i in (1, 3, 5)]
    assert np.abs(image[0, 0] - paper).max() < 0.01
    assert np.count_nonzero(np.ptp(image, axis=2) > 0.3) > 500


def test_pictures_do_not_change_the_settings_of_matplotlib(mls: Ring, compared: StudyResult, tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    plot_comparison(compared, Frame(tmp_path / "a.svg", mls.nominal, dark=True))
    assert dict(matplotlib.rcParams) == before
    assert "snapshot $" in (tmp_path / "a.svg").read_text()


@pytest.mark.parametrize("name", ["bessy2", "mls"])
def test_every_magnet_stands_in_the_row(name: str, request: pytest.FixtureRequest) -> None:
    ring: Ring = request.getfixturevalue(name)
    shown = {block.name for block in blocks_of(ring.nominal, (0.0, ring.circumference), LIGHT)}
    assert shown >= {e.name for e in ring.elements if isinstance(e, Bend | Quadrupole | Sextupole)}


@pytest.mark.parametrize("length", [6.0, 15.0, 60.0, 240.0])
def test_names_do_not_overlap_and_quadrupoles_come_first(bessy2: Ring, length: float) -> None:
    window, width = (0.0, length), 10.0
    named = _named(blocks_of(bessy2.nominal, window, LIGHT), window, width)
    per_metre = 72.0 * width / length
    assert all(per_metre * (b - a) >= DISTANCE * SIZE for (a, _), (b, _) in pairwise(named))
    if length < 20.0:
        assert {block.rank for _, block in named} >= {0}


def test_quadrupoles_stand_above_or_below_by_their_sign(mls: Ring) -> None:
    blocks = {b.name: b for b in blocks_of(mls.nominal, (0.0, mls.circumference), LIGHT)}
    for name in ("Q1M1K1RP", "Q2M1K1RP"):
        assert (blocks[name].high > 0.0) == (mls.nominal[name, "k1"] > 0.0)
