"""What a station, an aircraft or a satellite would see of a transport run, taken while it runs: only the samples are kept.

`requests` says what is asked for and makes samplers of files; `entries`, `point_tables`, `point_files`, `column_files` and
`profiles` read and check these. `points` samples stations and aircraft, `columns` applies averaging kernels, both from the
cells that `horizontal` finds; `in_time` interpolates between steps and takes means over spans, `finished` keeps what is
done, `writing` writes it as netCDF. docs/sampling.md is for users.
"""

from analysis.sampling.columns import ColumnSamples
from analysis.sampling.errors import SamplingError
from analysis.sampling.points import PointSamples
from analysis.sampling.requests import ColumnRequests, PointRequests, samplers_from
from analysis.sampling.writing import write_samples

__all__ = [
    "ColumnRequests",
    "ColumnSamples",
    "PointRequests",
    "PointSamples",
    "SamplingError",
    "samplers_from",
    "write_samples",
]
