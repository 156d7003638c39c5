"""Colour maps: the names hold, and colour-blind people can read every one of them."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

from data.palettes import palette, palettes

# Machado, Oliveira and Fernandes (2009), doi 10.1109/TVCG.2009.113, severity 1; for linear RGB.
VISION = {
    "normal": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
}
SRGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
D65 = np.array([0.95047, 1.0, 1.08883])
ALL = (*palettes("sequential"), *palettes("diverging"))


def cielab(colours: list[str], vision: str = "normal") -> np.ndarray:
    """(n, 3) CIE L*a*b* as a person with this vision sees the colours."""
    rgb = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in colours]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = np.clip(linear @ VISION[vision].T, 0, 1) @ SRGB_TO_XYZ.T / D65
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def test_lab_of_known_colours():
    lab = cielab(["#ffffff", "#000000", "#ff0000"])
    assert lab == pytest.approx(np.array([[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20]]), abs=0.05)


@pytest.mark.parametrize("vision", list(VISION))
@pytest.mark.parametrize("name", palettes("sequential"))
def test_sequential_maps_change_lightness_evenly_in_one_direction(name: str, vision: str):
    lab = cielab(palette(name), vision)
    smooth = np.convolve(lab[:, 0], np.ones(5) / 5, mode="valid")  # 8-bit rounding makes single steps uneven
    steps = np.diff(smooth) * np.sign(smooth[-1] - smooth[0])
    assert steps.min() > -0.02
    assert abs(smooth[-1] - smooth[0]) > 55
    assert np.linalg.norm(np.diff(lab[::16], axis=0), axis=1).min() > 2.3  # just noticeable


@pytest.mark.parametrize("vision", list(VISION))
@pytest.mark.parametrize("name", palettes("diverging"))
def test_diverging_maps_are_lightest_in_the_middle_and_their_arms_differ(name: str, vision: str):
    lab = cielab(palette(name, 257), vision)
    lightness = lab[:, 0]
    assert abs(int(lightness.argmax()) - 128) <= 16
    assert np.diff(np.convolve(lightness[:113], np.ones(9) / 9, "valid")).min() > -0.05
    assert np.diff(np.convolve(lightness[145:], np.ones(9) / 9, "valid")).max() < 0.05
    chroma = np.hypot(lab[128, 1], lab[128, 2])
    assert chroma < 6 and lightness[128] > 90
    apart = np.linalg.norm(lab[:64] - lab[:-65:-1], axis=1)  # -x and +x
    assert apart.min() > 20


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("n", [2, 7, 256, 1000])
def test_any_number_of_colours_keeps_the_ends(name: str, n: int):
    colours = palette(name, n)
    assert len(colours) == n
    assert all(re.fullmatch(r"#[0-9a-f]{6}", colour) for colour in colours)
    assert (colours[0], colours[-1]) == (palette(name)[0], palette(name)[-1])


def test_caller_cannot_change_a_map():
    palette("viridis")[0] = "#ffffff"
    assert palette("viridis")[0] == "#440154"


def test_unknown_names_and_numbers_are_refused():
    with pytest.raises(ValueError, match="'jet'"):
        palette("jet")
    with pytest.raises(ValueError, match="n=1"):
        palette("viridis", 1)
    with pytest.raises(ValueError, match="'rainbow'"):
        palettes("rainbow")  # type: ignore[arg-type]


def test_importing_loads_no_plotting_library():
    code = """
import sys, data.palettes
data.palettes.palettes("diverging")
print([name for name in ("matplotlib", "bokeh", "colorcet", "numpy") if name in sys.modules])
data.palettes.palette("viridis")
print([name for name in ("matplotlib", "colorcet") if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["[]", "[]"]
