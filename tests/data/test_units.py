"""Units of CO2: everything that means ppm becomes ppm, everything else is refused in one sentence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import FileProblem
from data.readers.units import ppm_factor, stated_factor, to_ppm

PPM = [
    *["ppm", "ppmv", "PPM", " ppm ", "ppm (dry)", "parts per million", "1e-6", "1e-06", "1.e-6", "1.0E-06", "10^-6"],
    *["10-6", "umol mol-1", "umol/mol", "micromol mol-1", "micromole mole-1", "\u00b5mol mol-1", "umol mol^-1"],
]
PPB = ["ppb", "ppbv", "1e-9", "nmol mol-1"]
FRACTION = ["mol/mol", "mol mol-1", "mol mol^-1", "1", "mole fraction", "v/v", "mol.mol-1", "mole_fraction"]
OTHER = ["K", "hPa", "kg m-2", "degrees_north", "mol m-2", "mol m-2 s-1", "percent", "ppmm2", "kg kg-1"]


@pytest.mark.parametrize(
    ("texts", "factor"), [(PPM, 1.0), (PPB, 1e-3), (FRACTION, 1e6), (OTHER, None), (["", None], None)]
)
def test_every_spelling_has_its_factor(texts, factor):
    assert {text: stated_factor(text) for text in texts} == dict.fromkeys(texts, factor)
    assert all(stated_factor(text.encode()) == factor for text in texts if text is not None)


@given(
    ppm=st.lists(st.floats(305, 595), min_size=1, max_size=20),
    unit=st.sampled_from([("ppm", 1.0), ("mol mol-1", 1e-6), ("ppb", 1e3), ("", 1.0), (None, 1e-6)]),
)
def test_what_is_converted_comes_back(ppm, unit):
    values = np.array([*ppm, np.nan]) * unit[1]
    out = to_ppm(values, unit[0], "f.nc", "xco2")
    np.testing.assert_allclose(out[:-1], ppm, rtol=1e-12)
    assert np.isnan(out[-1])


def test_float32_stays_float32():
    assert to_ppm(np.full(3, 4e-4, np.float32), "1", "f.nc", "xco2").dtype == np.float32


def test_nothing_but_missing_values_is_no_reason_to_refuse():
    assert ppm_factor(np.full(4, np.nan), "mol/mol", "f.nc", "xco2") == 1e6
    assert ppm_factor(np.empty(0), None, "f.nc", "xco2") == 1.0


@pytest.mark.parametrize(("values", "units", "words"), [
    ([400.0], "K", "units 'K'"),
    ([400.0], "mol/mol", "median of 400"),
    ([4e-4], "ppm", "median of 0.0004"),
    ([250.0, 280.0], "", "no units with a median of 265"),
])  # fmt: skip
def test_a_wrong_unit_is_one_sentence(values, units, words):
    with pytest.raises(FileProblem) as problem:
        to_ppm(np.array(values), units, "some/file.nc", "xco2")
    text = str(problem.value)
    assert text.startswith("some/file.nc: expected xco2 ")
    assert words in text
    assert text.endswith("correct the units attribute or convert the values.")
