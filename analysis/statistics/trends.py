"""Trend, seasonal cycle and growth rate of a CO2 series, fast enough to run at every click on the map.

Long, regular series are decomposed as NOAA does it (Thoning, Tans and Komhyr 1989, doi 10.1029/JD094iD06p08549): a
quadratic and yearly harmonics by least squares, then two low-pass filters of what is left, at 80 days (short term) and
667 days (long term). Short or gappy series get a line and harmonics, which is all they can carry. Growth rates come
with a standard error that knows that monthly anomalies resemble their neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.errors import SeriesTooShort

SHORT_TERM_YEARS = 80 / 365.25
LONG_TERM_YEARS = 667 / 365.25
"""Periods at which the two filters pass half of an oscillation (Thoning et al. 1989)."""

FILTER_STEP_YEARS = 7 / 365.25
"""Spacing to which residuals are interpolated before filtering: a week, well below the short-term period."""

FILTER_SPAN_YEARS = 4.0
"""Shorter series are not filtered: the long-term filter needs about two of its own periods."""

FILTER_GAP_YEARS = 0.5
"""Series with a longer gap are not filtered: interpolated residuals would make up the trend there."""

FEWEST_MONTHS = 12
FEWEST_YEARS = 1.5
"""Below these a seasonal cycle and a growth rate cannot be told apart."""

NEW_YEAR_REACH_YEARS = 46 / 365.25
"""A yearly growth rate needs values this near to both of its New Years (a month and a half: no month missing there)."""


@dataclass(frozen=True)
class SeriesFit:
    """A CO2 series taken apart: values = trend + seasonal + residual, fitted = trend + seasonal.

    Attributes
    ----------
    times : (n,) datetime64[ns], ascending.
    values : (n,) the series in that order, NaN where missing.
    fitted, trend, seasonal : (n,) smooth curve and its two parts, also at missing values; NaN before the first and
        after the last value.
    residual : (n,) values - fitted.
    growth_ppm_per_year : slope of a straight line fitted together with the harmonics to monthly means.
    growth_standard_error : of that slope, for residuals correlated from month to month (see `growth_rate`).
    growth_by_year : rise from one New Year to the next of the series less its mean seasonal cycle, by calendar year,
        as in NOAA's annual increases; only years with values near both New Years.
    amplitude : highest minus lowest point of the mean seasonal cycle, over the calendar months that have values; NaN
        without harmonics.
    month_of_maximum : calendar month (1..12) in which the mean cycle peaks; None without harmonics.
    n : number of finite values.
    method : what was done, in words.
    """

    times: np.ndarray
    values: np.ndarray
    fitted: np.ndarray
    trend: np.ndarray
    seasonal: np.ndarray
    residual: np.ndarray
    growth_ppm_per_year: float
    growth_standard_error: float
    growth_by_year: dict[int, float]
    amplitude: float
    month_of_maximum: int | None
    n: int
    method: str


def decimal_year(times: np.ndarray) -> np.ndarray:
    """Times as years with fraction: 2016-07-02T00 is 2016.5 (2016 has 366 days). Same shape, float64, NaN for NaT."""
    times = np.asarray(times).astype("datetime64[ns]")
    year = times.astype("datetime64[Y]")
    start = year.astype("datetime64[ns]")
    length = (year + 1).astype("datetime64[ns]") - start
    decimal = 1970.0 + year.astype(np.int64) + (times - start) / length
    return np.where(np.isnat(times), np.nan, decimal)


def harmonic_terms(years: np.ndarray, harmonics: int) -> np.ndarray:
    """(n, 2 * harmonics) cosine and sine of 1, 2, ... cycles a year at decimal years (n,)."""
    angle = 2 * np.pi * np.outer(years, np.arange(1, harmonics + 1))
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1).reshape(len(years), 2 * harmonics)


def fit_series(times: np.ndarray, values: np.ndarray, *, harmonics: int = 2) -> SeriesFit:
    """Take a CO2 series apart into trend, seasonal cycle and residual.

    Parameters
    ----------
    times : (n,) datetime64, any order and spacing. A monthly mean belongs to the middle of its month.
    values : (n,) ppm, NaN where missing. Series denser than fortnightly are averaged by week (and, for the growth
        rate, by month) first, so that a clear week of soundings does not outweigh a cloudy one.
    harmonics : yearly harmonics to fit; fewer are used where too few calendar months have values.

    Returns
    -------
    SeriesFit, with the times in ascending order.

    Raises
    ------
    SeriesTooShort : fewer than 12 months with values or less than a year and a half between the first and the last.
    ValueError : times and values are not two vectors of the same length, or `harmonics` < 0.
    """
    times, values = np.asarray(times).astype("datetime64[ns]"), np.asarray(values, dtype=np.float64)
    if times.ndim != 1 or times.shape != values.shape:
        raise ValueError(f"expected two vectors of the same length, found shapes {times.shape} and {values.shape}.")
    if harmonics < 0:
        raise ValueError(f"expected harmonics >= 0, found {harmonics}.")
    order = np.argsort(times, kind="stable")
    order = order[~np.isnat(times[order])]
    times, values = times[order], values[order]
    years = decimal_year(times)
    finite = np.isfinite(values)
    months, month_years, month_values = _monthly_means(times[finite], years[finite], values[finite])
    _require_enough(months, month_years)

    covered = np.unique(months % 12)
    harmonics = min(harmonics, max(0, (covered.size - 2) // 2))
    growth, growth_error = growth_rate(months, month_years, month_values, harmonics=harmonics)
    knots, knot_values = _samples(years[finite], values[finite])
    filtered = knots[-1] - knots[0] >= FILTER_SPAN_YEARS and np.diff(knots).max() <= FILTER_GAP_YEARS
    degree = 2 if filtered else 1
    points, point_values = (knots, knot_values) if filtered else (month_years, month_values)
    centre, half = (points[0] + points[-1]) / 2, (points[-1] - points[0]) / 2

    def polynomial(at: np.ndarray) -> np.ndarray:
        return np.vander((at - centre) / half, degree + 1, increasing=True)

    design = np.hstack([polynomial(points), harmonic_terms(points, harmonics)])
    coefficients = np.linalg.lstsq(design, point_values, rcond=None)[0]
    level, cycle = coefficients[: degree + 1], coefficients[degree + 1 :]
    rest = knot_values - polynomial(knots) @ level - harmonic_terms(knots, harmonics) @ cycle
    if filtered:
        grid, short_term, long_term = _filtered_residuals(knots, rest)
    else:
        grid, short_term, long_term = knots, rest, np.zeros_like(rest)

    trend = polynomial(years) @ level + np.interp(years, grid, long_term)
    seasonal = harmonic_terms(years, harmonics) @ cycle
    if filtered:
        seasonal = seasonal + np.interp(years, grid, short_term - long_term)
    outside = (years < years[finite][0]) | (years > years[finite][-1])
    trend[outside] = seasonal[outside] = np.nan
    amplitude, month_of_maximum = _cycle_shape(cycle, harmonics, covered)
    return SeriesFit(
        times=times,
        values=values,
        fitted=trend + seasonal,
        trend=trend,
        seasonal=seasonal,
        residual=values - (trend + seasonal),
        growth_ppm_per_year=growth,
        growth_standard_error=growth_error,
        growth_by_year=_growth_by_year(knots, lambda at: polynomial(at) @ level + np.interp(at, grid, short_term)),
        amplitude=amplitude,
        month_of_maximum=month_of_maximum,
        n=int(finite.sum()),
        method=_method(filtered, harmonics),
    )


def growth_rate(months: np.ndarray, years: np.ndarray, values: np.ndarray, *, harmonics: int) -> tuple[float, float]:
    """Slope of a line fitted together with harmonics, and its standard error for autocorrelated residuals.

    The residuals e are taken as a first-order autoregressive process in time, with correlation
    R_ij = phi ** |month_i - month_j| (gaps count). phi is the correlation of neighbouring residuals, corrected for its
    small-sample bias, (n r + 1) / (n - 4) (Marriott and Pope 1954, doi 10.1093/biomet/41.3-4.390). With design X and
    M = (X'X)^-1 the covariance of the coefficients is s2 M X'RX M, where s2 = e'e / (n - trace(M X'RX)) is free of
    bias for that R. phi itself is uncertain, too: in 84 months of phi = 0.7 two standard errors hold 89 % of cases, not
    95 %.

    Parameters
    ----------
    months : (n,) ascending month numbers (months since any origin), at most one value a month.
    years, values : (n,) decimal years and ppm.

    Returns
    -------
    Slope and standard error, ppm per year.
    """
    design = np.column_stack([np.ones(years.size), years - years.mean(), harmonic_terms(years, harmonics)])
    coefficients = np.linalg.lstsq(design, values, rcond=None)[0]
    residuals = values - design @ coefficients
    phi = _month_to_month_correlation(months, residuals)
    correlation = (phi ** np.arange(months[-1] - months[0] + 1))[np.abs(months[:, None] - months)]
    inverse = np.linalg.inv(design.T @ design)
    spread = inverse @ (design.T @ correlation @ design)
    variance = residuals @ residuals / (years.size - np.trace(spread))
    return float(coefficients[1]), float(np.sqrt(variance * (spread @ inverse)[1, 1]))


def _month_to_month_correlation(months: np.ndarray, residuals: np.ndarray) -> float:
    power = residuals @ residuals
    gaps = np.diff(months)
    usual = int(np.median(gaps))
    pairs = gaps == usual
    n = int(pairs.sum())
    if n < 6 or power <= 1e-18 * residuals.size:
        return 0.0
    r = np.mean(residuals[:-1][pairs] * residuals[1:][pairs]) / (power / residuals.size)
    r = min(max((n * r + 1) / (n - 4), 0.0), 0.95)
    return float(r ** (1 / usual))


def _monthly_means(
    times: np.ndarray, years: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Month number, mean decimal year and mean value of each calendar month with values."""
    month = times.astype("datetime64[M]").astype(np.int64)
    months, member, count = np.unique(month, return_inverse=True, return_counts=True)
    return months, np.bincount(member, years) / count, np.bincount(member, values) / count


def _samples(years: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The series as it is (values of the same time averaged), or weekly means where it is denser than fortnightly."""
    dense = years.size > 26 * (years[-1] - years[0])
    key = np.floor(years / FILTER_STEP_YEARS) if dense else years
    _, member, count = np.unique(key, return_inverse=True, return_counts=True)
    return np.bincount(member, years) / count, np.bincount(member, values) / count


def _require_enough(months: np.ndarray, years: np.ndarray) -> None:
    span = float(years[-1] - years[0]) if years.size else 0.0
    if months.size >= FEWEST_MONTHS and span >= FEWEST_YEARS:
        return
    found = f"values in {months.size} months over {span:.1f} years" if months.size else "no values at all"
    raise SeriesTooShort(
        f"expected values in at least {FEWEST_MONTHS} months over at least {FEWEST_YEARS:g} years to tell growth from "
        f"the seasonal cycle, found {found}; choose a place or a data set with more data."
    )


def _filtered_residuals(years: np.ndarray, residuals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weekly grid, and the residuals on it after the short-term and the long-term low-pass filter.

    The filters' response is exp(-ln 2 (f / f_c)^4), one half at the cut-off frequency. The ends are extended by their
    mirror image, which keeps a single deviating value at the end from pulling the trend.
    """
    grid = np.linspace(years[0], years[-1], int(np.ceil((years[-1] - years[0]) / FILTER_STEP_YEARS)) + 1)
    step = grid[1] - grid[0]
    even = np.interp(grid, years, residuals)
    reach = min(even.size - 1, int(2 * LONG_TERM_YEARS / step))
    extended = np.concatenate([even[reach:0:-1], even, even[-2 : -reach - 2 : -1]])
    spectrum = np.fft.rfft(extended)
    frequency = np.fft.rfftfreq(extended.size, step)

    def low_pass(period_years: float) -> np.ndarray:
        response = np.exp(-np.log(2) * np.minimum(frequency * period_years, 10.0) ** 4)
        return np.fft.irfft(spectrum * response, extended.size)[reach : reach + even.size]

    return grid, low_pass(SHORT_TERM_YEARS), low_pass(LONG_TERM_YEARS)


def _growth_by_year(years: np.ndarray, adjusted: Callable[[np.ndarray], np.ndarray]) -> dict[int, float]:
    """Rise of the seasonally adjusted curve over each calendar year with values near both of its ends."""
    turns = np.arange(np.floor(years[0]), np.ceil(years[-1]) + 1)
    after = np.clip(np.searchsorted(years, turns), 1, years.size - 1)
    near = np.minimum(np.abs(turns - years[after - 1]), np.abs(turns - years[after])) <= NEW_YEAR_REACH_YEARS
    rises = np.diff(adjusted(turns))
    whole = near[:-1] & near[1:]
    return {int(year): float(rise) for year, rise in zip(turns[:-1][whole], rises[whole], strict=True)}


def _cycle_shape(cycle: np.ndarray, harmonics: int, covered: np.ndarray) -> tuple[float, int | None]:
    """Peak-to-trough height of the mean cycle and the month of its peak, among the months (0..11) that have values."""
    if harmonics == 0:
        return float("nan"), None
    days = (np.arange(365) + 0.5) / 365
    month = (days * 12).astype(int)
    seen = np.isin(month, covered)
    shape = (harmonic_terms(days, harmonics) @ cycle)[seen]
    return float(np.ptp(shape)), int(month[seen][shape.argmax()]) + 1


def _method(filtered: bool, harmonics: int) -> str:
    season = {0: "no seasonal cycle", 1: "1 yearly harmonic"}.get(harmonics, f"{harmonics} yearly harmonics")
    if filtered:
        return f"quadratic, {season}, residuals low-pass filtered at 80 and 667 days (Thoning et al. 1989)"
    return f"line, {season} (series too short or gappy for filtering)"
