"""Ground sites on the map: the TCCON network by its public positions, and every site whose series has been imported."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dashboard.library import Library

SAME_PLACE_DEG = 0.15
"""A stored site this near to a known TCCON position is the same site."""
SITE_AT_POINT_DEG = 0.03
"""A selected point this near to a stored site shows the site's series."""


@dataclass(frozen=True)
class GroundSite:
    """A site whose observations are in the data folder."""

    network: str
    name: str
    lon: float
    lat: float


def site_markers(library: Library) -> pd.DataFrame:
    """Markers: name, network, lat, lon, altitude_m (text), data ('series stored' or 'position only')."""
    from data import geography

    known = geography.tccon_sites()
    rows = [
        {
            "name": row["name"],
            "network": "TCCON",
            "lat": row["lat"],
            "lon": row["lon"],
            "altitude_m": _metres(row.get("altitude_m")),
            "data": "position only",
        }
        for row in known.to_dict("records")
    ]
    positions = np.array([[row["lon"], row["lat"]] for row in rows]).reshape(-1, 2)
    for site in _stored(library).to_dict("records"):
        distance = (
            np.hypot(positions[:, 0] - site["lon"], positions[:, 1] - site["lat"])
            if len(positions)
            else np.array([np.inf])
        )
        nearest = int(np.argmin(distance))
        if distance[nearest] < SAME_PLACE_DEG and rows[nearest]["network"] == "TCCON":
            rows[nearest] |= {"lat": site["lat"], "lon": site["lon"], "data": "series stored"}
        else:
            rows.append(
                {
                    "name": site["site"],
                    "network": site["network"],
                    "lat": site["lat"],
                    "lon": site["lon"],
                    "altitude_m": _metres(site["altitude_m"]),
                    "data": "series stored",
                }
            )
    return pd.DataFrame(rows)


def nearest_site(library: Library, lon: float, lat: float, within_deg: float) -> GroundSite | None:
    """The stored site nearest to a place, or None if none is within `within_deg` degrees."""
    sites = _stored(library)
    if sites.empty:
        return None
    east = (sites["lon"].to_numpy() - lon + 180.0) % 360.0 - 180.0
    distance = np.hypot(east * np.cos(np.radians(lat)), sites["lat"].to_numpy() - lat)
    best = int(np.argmin(distance))
    if not distance[best] <= within_deg:
        return None
    row = sites.iloc[best]
    return GroundSite(str(row["network"]), str(row["site"]), float(row["lon"]), float(row["lat"]))


def site_series(library: Library, site: GroundSite) -> tuple[np.ndarray, np.ndarray]:
    """Daily means of a site's observations: times (datetime64) and values, both (n,)."""
    frame = library.sites.series(site.network, site.name)
    if frame.empty:
        return np.array([], dtype="datetime64[ns]"), np.array([])
    days = (
        frame.assign(day=frame["time"].to_numpy().astype("datetime64[D]").astype("datetime64[ns]"))
        .groupby("day")["value"]
        .mean()
    )
    days = days[np.isfinite(days.to_numpy())]
    return days.index.to_numpy(), days.to_numpy(dtype=float)


def _stored(library: Library) -> pd.DataFrame:
    sites = library.sites.sites()
    good = (
        np.isfinite(sites["lat"].to_numpy(dtype=float)) & np.isfinite(sites["lon"].to_numpy(dtype=float))
        if len(sites)
        else []
    )
    return sites[good].reset_index(drop=True) if len(sites) else sites


def _metres(value: object) -> str:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return "unknown"
    return f"{number:.0f}" if np.isfinite(number) else "unknown"
