"""Tables of emissions and of where they happen: CDIAC sums, Carbon Monitor, the Global Power Plant Database, cities.

Sources: CDIAC doi 10.3334/CDIAC/ffe.ndp058.2016; Carbon Monitor carbonmonitor.org; WRI Global Power Plant Database (CC
BY 4.0); GeoNames.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from data.canonical import Product
from data.errors import FileProblem
from data.readers import Reader
from data.readers.columns import header, number_lines, places, read_csv, rows
from data.readers.opening import pack, reading
from data.readers.periods import year
from data.readers.probe import Probe

_CDIAC_SUMMARY = "CDIAC's SUMMARY.MASS.DAT: lines of year, smallest cell, largest cell, sum"
_CARBON_MONITOR = "Carbon Monitor's table: country, date, sector, MtCO2 per day"
_MEGATONNES = {"": 1e-6, "k": 1e-3, "m": 1.0, "g": 1e3}
"""Mt in a tonne with this prefix."""
_POWER_PLANTS = (
    "the Global Power Plant Database: csv with country, name, capacity_mw, latitude, longitude, primary_fuel"
)
_CITIES = "a table of cities: name, lat, lng"


def _recognises_cdiac_summary(probe: Probe) -> bool:
    return any(line.split() == ["year", "mingrid", "maxgrid", "gridsum"] for line in probe.lines)


def read_cdiac_summary(path: Path) -> Product:
    """Sums of CDIAC's yearly maps as table: year, smallest and largest cell, sum (Tg C)."""
    lines = [line for line in number_lines(path, expected=_CDIAC_SUMMARY) if len(line) == 4]
    with reading(path, _CDIAC_SUMMARY):
        values = np.array([[float(field) for field in line] for line in lines])
        years = values[:, 0].astype(np.int16)
    columns = {
        "time": np.array([year(int(number)).middle for number in years]),
        "year": years,
        "smallest_cell": values[:, 1],
        "largest_cell": values[:, 2],
        "sum": values[:, 3],
    }
    return pack(
        "table",
        rows(columns, "row", dict.fromkeys(("smallest_cell", "largest_cell", "sum"), "Tg yr-1")),
        reader="cdiac_summary",
        collection="cdiac-yearly-sums",
        path=path,
        title="CDIAC fossil fuel CO2 emissions, yearly sums of the maps",
        instrument="CDIAC",
        version="2016",
        catalog="cdiac",
    )


def _recognises_carbon_monitor(probe: Probe) -> bool:
    columns = header(probe.lines[0]) if probe.lines else []
    return {"country", "date", "sector"} <= set(columns) and any("co2" in name or name == "value" for name in columns)


def read_carbon_monitor(path: Path) -> Product:
    """Daily CO2 by country and sector as table: `country`, `time`, `sector`, `co2_mt_per_day`. The footer is left out.

    Dates are day/month/year or year-month-day; a month/day/year file would show days above 12 in the middle and is
    recognised by that. The unit is that of the column's name (Mt or kt of CO2 a day), Mt where it has none ("value").
    """
    import pandas as pd

    frame = read_csv(path, expected=_CARBON_MONITOR, required=("country", "date", "sector"), dtype=str)
    with reading(path, _CARBON_MONITOR):
        value = next((name for name in frame.columns if "co2" in name), "value")
        unit = re.search(r"\b([kmg]?)t\s*co2", value)
        if unit is None and value != "value":
            raise FileProblem(
                path,
                expected="a column of emissions whose name gives the unit, such as 'MtCO2 per day'",
                found=repr(value),
                remedy="rename the column",
            )
        mt = _MEGATONNES[unit.group(1)] if unit else 1.0
        frame = frame.dropna(subset=["country", "date", "sector", value])
        parts = frame["date"].str.extract(r"^(\d{1,4})[/.-](\d{1,2})[/.-](\d{1,4})$").dropna().astype(int)
        frame = frame.loc[parts.index]
        if frame.empty:
            raise FileProblem(path, expected=_CARBON_MONITOR, found="no row with a date", remedy="download it again")
        parts.loc[parts[2] < 100, 2] += 2000 if parts[0].max() <= 31 else 0  # 31/07/24
        order = ["year", "month", "day"] if parts[0].max() > 31 else ["day", "month", "year"]
        if order[0] == "day" and parts[1].max() > 12:
            order = ["month", "day", "year"]
        frame = frame.assign(
            time=pd.to_datetime(parts.set_axis(order, axis=1), errors="coerce").astype("datetime64[ns]"),
            co2_mt_per_day=pd.to_numeric(frame[value], errors="coerce") * mt,
        )
        frame = frame[np.isfinite(frame["co2_mt_per_day"]) & frame["time"].notna()]
        if frame.empty:
            raise FileProblem(
                path, expected=_CARBON_MONITOR, found="no row with a date and a number", remedy="download it again"
            )
        table = rows(frame[["country", "time", "sector", "co2_mt_per_day"]], "row", {"co2_mt_per_day": "Mt d-1"})
    return pack(
        "table",
        table,
        reader="carbon_monitor",
        collection="carbon-monitor",
        path=path,
        title="Carbon Monitor daily CO2 emissions by country and sector",
        instrument="Carbon Monitor",
        catalog="carbon-monitor",
    )


def _recognises_power_plants(probe: Probe) -> bool:
    columns = header(probe.lines[0]) if probe.lines else []
    return {"capacity_mw", "latitude", "longitude", "primary_fuel"} <= set(columns)


def read_power_plants(path: Path) -> Product:
    """Power plants as table: country, name, capacity_mw, lat, lon, primary_fuel, commissioning_year, generation and
    whatever else is given.
    """
    frame = read_csv(
        path,
        expected=_POWER_PLANTS,
        required=("name", "capacity_mw", "latitude", "longitude", "primary_fuel"),
        low_memory=False,
    )
    with reading(path, _POWER_PLANTS):
        frame = places(frame, "latitude", "longitude", path, expected=_POWER_PLANTS)
        table = rows(
            frame.rename(columns={"latitude": "lat", "longitude": "lon"}),
            "row",
            {"lat": "degrees_north", "lon": "degrees_east", "capacity_mw": "MW", "estimated_generation_gwh": "GWh"},
        )
    return pack(
        "table",
        table,
        reader="power_plants",
        collection="power-plants",
        path=path,
        title="Global Power Plant Database",
        instrument="WRI",
        catalog="power-plants",
        licence="CC BY 4.0",
    )


def _recognises_cities(probe: Probe) -> bool:
    columns = header(probe.lines[0]) if probe.lines else []
    return columns[:3] in (["name", "lat", "lng"], ["name", "lat", "lon"])


def read_cities(path: Path) -> Product:
    """Cities as table: name, lat, lon."""
    frame = read_csv(path, expected=_CITIES, required=("name", "lat"), keep_default_na=False)
    frame = frame.rename(columns={"lng": "lon"})
    table = rows(
        places(frame, "lat", "lon", path, expected=_CITIES), "row", {"lat": "degrees_north", "lon": "degrees_east"}
    )
    return pack(
        "table",
        table,
        reader="cities",
        collection="world-cities",
        path=path,
        title="World cities",
        instrument="GeoNames",
        catalog="none",
    )


READERS = [
    Reader("cdiac_summary", "table", _CDIAC_SUMMARY, _recognises_cdiac_summary, read_cdiac_summary),
    Reader("carbon_monitor", "table", _CARBON_MONITOR, _recognises_carbon_monitor, read_carbon_monitor),
    Reader("power_plants", "table", _POWER_PLANTS, _recognises_power_plants, read_power_plants),
    Reader("cities", "table", _CITIES, _recognises_cities, read_cities),
]
