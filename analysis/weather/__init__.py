"""Weather packs: any meteorology, prepared once as closed air-mass fluxes, so that the transport never sees raw winds.

`pack` is the format with its gates, `closing` makes fluxes agree with surface pressure, `winds` turns analysed winds
into fluxes, `reanalysis` reads NCEP R1, MERRA-2 and ERA5, `synthetic` invents weather of any year.
"""

from analysis.weather.pack import Weather, WeatherProblem, write_pack
from analysis.weather.synthetic import synthetic_weather

__all__ = ["Weather", "WeatherProblem", "synthetic_weather", "write_pack"]
