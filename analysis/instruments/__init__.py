"""Instruments that observe the simulated world as real ones observe the Earth, and write files as real ones do.

`oco2` is a satellite like OCO-2 (orbit, swath, clouds, noise), written by `lite_file` in the layout of its Lite files;
`tccon` is a network of ground spectrometers at the real TCCON sites, written by `tccon_file` in the layout of GGG2020.
Every file says that it is simulated.
"""

from analysis.instruments.lite_file import write_lite
from analysis.instruments.oco2 import Soundings, observe_day
from analysis.instruments.tccon import SiteSeries, observe_site
from analysis.instruments.tccon_file import write_tccon

__all__ = ["SiteSeries", "Soundings", "observe_day", "observe_site", "write_lite", "write_tccon"]
