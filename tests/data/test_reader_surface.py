"""Stations and trends: numbers of the real tables, ObsPack's layout and its flags."""

from __future__ import annotations

import netCDF4
import numpy as np
import pandas as pd
import pytest

from data.errors import FileProblem
from data.readers.probe import Probe
from data.readers.surface import READERS


def read(path):
    return next(reader for reader in READERS if reader.recognises(Probe.of(path))).read(path)


# ----------------------------------------------------------------------------------------------------------- real files
def test_real_obspack_stations(real):
    path = real / "surface" / "monthly_stations" / "df_co2_raw_ctracker_obs.csv"
    product = read(path)
    table = product.dataset
    assert product.kind == "sites" and table.attrs["network"] == "ObsPack"
    raw = pd.read_csv(path).set_index("sitecode")
    fixed = raw[raw["lat"].abs() <= 90]
    assert product.count == int(fixed.iloc[:, 3:].notna().sum().sum())
    assert "INX, POC, WPC" in table.attrs["note"]  # ships and a network have no position
    here = (table["site"] == "AAC") & (table["time"] == np.datetime64("2010-03-15"))
    assert table["co2"].values[here].item() == raw.loc["AAC", "2010-03-15"]


def test_real_wdcgg_stations_of_one_name_stay_apart(real):
    table = read(real / "surface" / "monthly_stations" / "df_co2_raw_wdcgg_obs_noaa.csv").dataset.to_dataframe()
    assert table["site"].nunique() == 129
    assert (
        table[table["site"].str.startswith("Pacific Ocean")].groupby("site")[["lat", "lon"]].nunique().max().max() == 1
    )
    assert table["time"].min() == pd.Timestamp("1968-01-15")


def test_real_model_at_stations_is_not_called_a_measurement(real):
    product = read(real / "surface" / "monthly_stations" / "df_co2_raw_ctracker_model_182p.csv")
    assert product.count == 182 * 216
    assert "not measurements" in product.dataset.attrs["note"]


def test_real_station_list(real):
    table = read(real / "surface" / "monthly_stations" / "df_meta_selected_ctracker_update.csv").dataset
    assert table.sizes["row"] == 200
    assert np.isnan(table["lat"].values[table["site"].values == "POC"]).all()


@pytest.mark.parametrize("code", ["BKT", "HAT", "HKG", "HKO", "LLN", "YON"])
def test_real_wdcgg_asia(real, code):
    path = next((real / "surface" / "wdcgg_asia_monthly").glob(f"WDCGG_{code}_*"))
    product = read(path)
    raw = pd.read_csv(path)
    assert product.count == len(raw)
    np.testing.assert_allclose(product.dataset["co2"], raw["co2"])
    assert product.collection == "wdcgg-monthly-asia"


def test_real_noaa_trends(real):
    folder = real / "surface" / "noaa_trends"
    monthly = read(folder / "co2-mm-gl.csv").dataset.to_dataframe().set_index("time")
    assert monthly.loc["1979-01-16T12", ["average", "average_uncertainty", "trend"]].tolist() == [336.56, 0.11, 335.92]
    mauna_loa = read(folder / "co2-mm-mlo.csv").dataset.to_dataframe().set_index("time")
    first = mauna_loa.iloc[0]
    assert (first["average"], first["deseasonalised"]) == (315.71, 314.44)
    assert np.isnan(first["days"]) and np.isnan(first["standard_deviation"])
    assert mauna_loa["days"].max() == 31
    growth = read(folder / "co2-gr-gl.csv").dataset
    assert growth["growth_rate"].attrs["units"] == "ppm yr-1" and float(growth["growth_rate"][0]) == 0.96
    assert read(folder / "co2-annmean-gl.csv").count == 47


# -------------------------------------------------------------------------------------------------------------- layouts
def test_noaas_own_files_with_comments(tmp_path):
    path = tmp_path / "co2_mm_mlo.txt"
    path.write_text(
        "# comment 1958\n1958 3 1958.2027  315.70  314.43 -1 -9.99 -0.99\n1958 4 1958.2877 317.45 315.16 30 0.5 0.2\n"
    )
    table = read(path).dataset
    assert table["average"].values.tolist() == [315.70, 317.45]
    assert np.isnan(table["uncertainty"][0]) and float(table["uncertainty"][1]) == 0.2
    path = tmp_path / "co2_mm_gl.csv"
    path.write_text(
        "# c\nyear,month,decimal,average,average_unc,trend,trend_unc\n1979,1,1979.042,336.56,0.11,335.92,0.09\n"
    )
    assert float(read(path).dataset["trend"][0]) == 335.92
    path = tmp_path / "co2_mm_gl.csv"
    path.write_text("year,month\n1979,1\n")
    with pytest.raises(FileProblem, match="rows of 2 fields"):
        read(path)


def obspack(
    path,
    *,
    values=(4e-4, 4.01e-4, 4.02e-4, np.nan),
    flags=("...", "*..", "..>", "..."),
    species="co2",
    units="mol mol-1",
):
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("obs", None)
        file.createDimension("string3", 3)
        columns = {"latitude": 19.5, "longitude": 204.4, "altitude": 3437.0, "value_std_dev": 2e-7, "obs_flag": 1}
        time = file.createVariable("time", "i4", ("obs",))
        time.units = "Seconds since 1970-01-01T00:00:00Z"
        time[:] = 86400 * np.arange(len(values))[::-1]
        value = file.createVariable("value", "f4", ("obs",), fill_value=-999.99)
        value.units = units
        value[:] = np.ma.masked_invalid(values)
        for name, constant in columns.items():
            file.createVariable(name, "f4", ("obs",))[:] = constant
        qc = file.createVariable("qcflag", "S1", ("obs", "string3"))
        qc[:] = np.array([[character.encode() for character in flag] for flag in flags])
        file.setncatts(
            {
                "site_code": "MLO",
                "dataset_parameter": species,
                "dataset_name": "co2_mlo_surface-insitu_1",
                "dataset_calibration_scale": "WMO CO2 X2019",
            }
        )
    return path


def test_obspack_samples(tmp_path):
    product = read(obspack(tmp_path / "co2_mlo_surface-insitu_1_allvalid.nc"))
    table = product.dataset
    assert product.count == 2  # one rejected, one missing
    np.testing.assert_allclose(table["co2"], [402.0, 400.0], rtol=1e-6)
    assert (np.diff(table["time"]) > np.timedelta64(0)).all()
    np.testing.assert_allclose(table["co2_uncertainty"], 0.2, rtol=1e-5)
    assert float(table["lon"][0]) == pytest.approx(-155.6)
    assert table.attrs["scale"] == "X2019" and table["site"][0] == "MLO"
    assert set(table["representative"].values) == {1}


def test_obspack_trouble(tmp_path):
    with pytest.raises(FileProblem, match="flagged"):
        read(obspack(tmp_path / "a.nc", flags=("*..",) * 4))
    with pytest.raises(FileProblem, match="ch4"):
        read(obspack(tmp_path / "b.nc", species="ch4"))
    with pytest.raises(FileProblem, match="units"):
        read(obspack(tmp_path / "c.nc", units="K"))


def test_station_tables_without_values_or_places(tmp_path):
    months = ",".join(f"2000-{month:02d}-15" for month in range(1, 13))
    path = tmp_path / "stations.csv"
    path.write_text(f"sitecode,lon,lat,file,{months}\nABC,10,20,a.nc,{','.join(['NaN'] * 12)}\n")
    with pytest.raises(FileProblem, match="no value"):
        read(path)
    path.write_text(f"sitecode,lon,lat,file,{months}\nABC,-999,-999,a.nc,{','.join(['400'] * 12)}\n")
    with pytest.raises(FileProblem, match="latitude and longitude"):
        read(path)
    path.write_text("time,co2,site,lat,lon\n2001-01-01,4000,X,1,2\n")
    with pytest.raises(FileProblem, match="median"):
        read(path)
    path.write_text("time,co2,site,lat,lon\n2001-01-01,400,X,1,359\n2001-01-01,401,X,1,359\n")
    product = read(path)
    assert product.count == 1 and float(product.dataset["lon"][0]) == -1.0
