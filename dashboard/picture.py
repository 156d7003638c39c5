"""Pictures of maps: the map as it is on screen with title, colour bar, citation and provenance inside (`map_png`).

Drawn with matplotlib's Agg canvas and no pyplot, so nothing is shared between sessions; a lock keeps threads apart
where matplotlib's text layout is not safe. Map pixels go into the picture one to one, unsmoothed. The parts that
stills share (`dashboard.still`) are here.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dashboard.mercator import MERCATOR_RADIUS_M, mercator_y
from dashboard.provenance import SIMULATED, Provenance, one_line
from data.palettes import palette as palette_colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 100
"""Dots per inch of layouts: text sizes below are in pixels and turned into points with it."""

INK, FAINT, PAPER, NO_DATA = "#1d2a35", "#5c6b78", "#ffffff", "#e6ebef"
HIGHLIGHT, ALARM = "#ff3d6e", "#b3261e"

FAMILIES = ("Inter", "Source Sans 3", "Helvetica Neue", "Arial", "Liberation Sans")
WIDE_FAMILIES = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans CJK KR",
    "Source Han Sans",
    "PingFang SC",
    "Microsoft YaHei",
)
"""Typefaces in order of preference; those installed are used. DejaVu Sans, which matplotlib carries, has the rest."""

drawing = threading.Lock()
"""Held while matplotlib lays out and draws."""


def rgba(values: np.ndarray, colours: Sequence[str], limits: tuple[float, float], *, log: bool = False) -> np.ndarray:
    """Values as colours: (h, w) -> (h, w, 4) uint8; beyond the limits the end colours, transparent where NaN
    and, on a logarithmic scale, where not above zero.
    """
    if log:
        values = np.log10(np.where(values > 0, values, np.nan))  # zero has no place on a logarithmic scale
        limits = float(np.log10(limits[0])), float(np.log10(limits[1]))
    table = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] + [255] for colour in colours], dtype=np.uint8)
    low, high = limits
    scaled = (np.asarray(values, dtype=np.float64) - low) * (len(colours) / (high - low))
    missing = np.isnan(scaled)
    index = np.clip(np.where(missing, 0, scaled), 0, len(colours) - 1).astype(np.intp)
    picture = table[index]
    picture[missing] = 0
    return picture


def map_png(
    values: np.ndarray,
    extent: tuple[float, float, float, float],
    provenance: Provenance,
    *,
    palette: str,
    limits: tuple[float, float],
    units: str,
    projection: Literal["lonlat", "mercator"] = "lonlat",
    label: str = "",
    coastlines: bool = True,
    borders: bool = False,
    points: np.ndarray | None = None,
    outlines: Sequence[np.ndarray] = (),
    log: bool = False,
) -> bytes:
    """The map on screen as PNG, with title, axes, colour bar and citation around it and the provenance in text chunks.

    Parameters
    ----------
    values : (height, width) in `units`, row 0 = south, NaN where missing; or (height, width, 4) uint8 colours.
    extent : (x0, x1, y0, y1) of the outer pixel edges: degrees for "lonlat", metres for "mercator"; x may pass +-180
        degrees.
    provenance : title, citation and the rest; simulated data get a red SIMULATED mark.
    palette, limits : colours of the values and of the colour bar.
    units : at the colour bar.
    label : what the colours mean ("XCO₂"), at the colour bar.
    coastlines, borders : draw these outlines.
    points : (height, width) like `values`, or (height, width, 4) uint8 colours, drawn above the map (soundings).
    outlines : further lines (n, 2) in degrees, drawn bright (the chosen region).
    log : colours follow the logarithm of the values; limits are positive.

    Raises
    ------
    ValueError : an empty picture, limits that do not rise.
    """
    height, width = values.shape[:2]
    x0, x1, y0, y1 = extent
    if min(height, width) < 1 or not (x0 < x1 and y0 < y1) or not limits[0] < limits[1]:
        raise ValueError(f"expected a picture with rising edges and limits, found {values.shape}, {extent}, {limits}.")
    colours = palette_colours(palette)
    image = values.astype(np.uint8, copy=False) if values.ndim == 3 else rgba(values, colours, limits, log=log)
    if points is not None:
        dots = points if points.ndim == 3 else rgba(points, colours, limits, log=log)
        image = np.where(dots[..., 3:] > 0, dots, image)
    enlarge = max(1, -(-480 // width))  # room for a title even above a tiny map
    image = np.repeat(np.repeat(image, enlarge, axis=0), enlarge, axis=1)
    height, width = image.shape[:2]
    left, right, above, below = 62, 32, 66, 132
    with drawing:
        figure = new_figure(left + width + right, above + height + below)
        background = np.broadcast_to(np.array([0xE6, 0xEB, 0xEF, 255], dtype=np.uint8), image.shape)
        figure.figimage(over(image, background)[::-1], left, below, origin="upper", zorder=-1)
        axes = figure.add_axes(
            (
                left / figure_width(figure),
                below / figure_height(figure),
                width / figure_width(figure),
                height / figure_height(figure),
            ),
            facecolor="none",
        )
        axes.set(xlim=(x0, x1), ylim=(y0, y1), autoscale_on=False)
        _degree_axes(axes, extent, projection)
        degrees = x1 - x0 if projection == "lonlat" else np.degrees((x1 - x0) / MERCATOR_RADIUS_M)
        for lines, style in outline_styles(coastlines, borders, fine=degrees < 200):
            add_lines(axes, list(_placed(lines, extent, projection)), **style)
        add_lines(axes, list(_placed(outlines, extent, projection)), 2.0, colour=HIGHLIGHT)
        heading(figure, provenance, left, right, size=19)
        bar = axes_at(figure, left + width // 4, 74, width - 2 * (width // 4), 13)
        colour_bar(
            figure, bar, colours, limits, f"{label} ({units})" if label and units else label or units, size=12, log=log
        )
        footer(figure, provenance, left, right, size=10.5)
        return encoded(figure, provenance)


def new_figure(width: int, height: int) -> Figure:
    """An empty figure of so many pixels on an Agg canvas."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    return figure


def figure_width(figure: Figure) -> int:
    """Pixels."""
    return round(figure.get_figwidth() * DPI)


def figure_height(figure: Figure) -> int:
    """Pixels."""
    return round(figure.get_figheight() * DPI)


def axes_at(figure: Figure, x: float, y: float, width: float, height: float) -> Any:
    """Axes at a place in pixels from the lower left corner."""
    across, up = figure_width(figure), figure_height(figure)
    return figure.add_axes((x / across, y / up, width / across, height / up), facecolor="none")


def write(figure: Figure, x: float, y: float, text: str, size: float, **style: Any) -> Any:
    """Text at a place in pixels from the lower left corner; size in pixels; "$" is a dollar, not mathematics."""
    style = {"color": INK, "ha": "left", "va": "baseline", **style}
    place = (x / figure_width(figure), y / figure_height(figure))
    return figure.text(
        *place, drawable(text), fontfamily=list(families()), fontsize=size * 72 / DPI, parse_math=False, **style
    )


def heading(figure: Figure, provenance: Provenance, left: float, right: float, *, size: float) -> None:
    """Title and data set at the top, and the red mark of simulated data on the right."""
    across, top = figure_width(figure), figure_height(figure)
    room = across - left - right
    if provenance.simulated:
        mark = write(
            figure,
            across - right - 0.35 * size,
            top - 1.55 * size,
            f"{SIMULATED} DATA",
            0.62 * size,
            ha="right",
            color="#ffffff",
            fontweight="bold",
            bbox={"facecolor": ALARM, "edgecolor": "none", "boxstyle": "round,pad=0.5"},
        )
        room -= mark.get_window_extent().width + 2.2 * size
    title = fitted(figure, one_line(provenance.title, 600), size, room, lines=1, fontweight="bold")
    write(figure, left, top - 1.6 * size, title[0], size, fontweight="bold")
    below = fitted(figure, one_line(provenance.dataset, 600), 0.68 * size, room, lines=1)
    write(figure, left, top - 2.75 * size, below[0], 0.68 * size, color=FAINT)


def footer(figure: Figure, provenance: Provenance, left: float, right: float, *, size: float) -> None:
    """How to cite, at most two lines, and who drew it, at the bottom."""
    across = figure_width(figure)
    credit = write(figure, across - right, size, provenance.program, size, ha="right", color=FAINT)
    parts = (provenance.citation or provenance.source, provenance.licence)
    text = ". ".join(part for raw in parts if (part := one_line(raw).rstrip(" .")))
    room = across - left - right - credit.get_window_extent().width - 3 * size
    lines = fitted(figure, text, size, room, lines=2)
    for number, line in enumerate(reversed(lines)):
        write(figure, left, size + 1.4 * size * number, line, size, color=FAINT)


def colour_bar(
    figure: Figure,
    axes: Any,
    colours: Sequence[str],
    limits: tuple[float, float],
    label: str,
    *,
    size: float,
    log: bool = False,
) -> None:
    """A horizontal colour bar with pointed ends (values beyond the limits have the end colours)."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, LogNorm, Normalize
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, ScalarFormatter

    norm = LogNorm(*limits) if log else Normalize(*limits)
    mappable = ScalarMappable(norm, ListedColormap(list(colours)))
    bar = figure.colorbar(
        mappable,
        cax=axes,
        orientation="horizontal",
        extend="both",
        extendfrac=0.025,
        format=FuncFormatter(lambda value, _: f"{value:g}") if log else ScalarFormatter(useOffset=False),
    )
    axes.spines["outline"].set_visible(False)
    bar.locator = LogLocator(numticks=8) if log else MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10])
    bar.minorticks_off()
    bar.update_ticks()
    axes.tick_params(length=0.35 * size, width=0.8, color=FAINT, pad=0.25 * size)
    style_ticks(axes, size)
    axes.set_title(
        drawable(label),
        fontfamily=list(families()),
        fontsize=size * 72 / DPI,
        color=INK,
        pad=0.4 * size,
        parse_math=False,
    )


def style_ticks(axes: Any, size: float) -> None:
    """Tick labels in our typeface, size in pixels."""
    for axis in (axes.xaxis, axes.yaxis):
        for text in axis.get_ticklabels():
            text.set(fontfamily=list(families()), fontsize=size * 72 / DPI, color=INK, parse_math=False)
        axis.get_offset_text().set_fontsize(size * 72 / DPI)


def encoded(figure: Figure, provenance: Provenance, *, dpi: float = DPI) -> bytes:
    """The figure as PNG bytes; the provenance in international text chunks, which hold any language."""
    from PIL import Image, PngImagePlugin

    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]  # type: ignore[attr-defined]
    chunks = PngImagePlugin.PngInfo()
    keywords = {"created": "Creation Time", "program": "Software", "licence": "Copyright"}
    for name, text in provenance.entries().items():
        chunks.add_itxt(keywords.get(name, name.capitalize()), text)
    chunks.add_itxt("Simulated", "1" if provenance.simulated else "0")
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG", pnginfo=chunks, dpi=(dpi, dpi), compress_level=5)
    return file.getvalue()


def over(image: np.ndarray, background: np.ndarray) -> np.ndarray:
    """(h, w, 4) uint8 picture laid over an opaque one."""
    alpha = image[..., 3:].astype(np.uint16)
    mixed = (image[..., :3] * alpha + background[..., :3] * (255 - alpha) + 127) // 255
    return np.concatenate([mixed.astype(np.uint8), np.full_like(image[..., 3:], 255)], axis=-1)


@cache
def families() -> tuple[str, ...]:
    """Installed typefaces to look for glyphs in, in order."""
    from matplotlib.font_manager import fontManager

    there = {entry.name for entry in fontManager.ttflist}
    return (
        *(name for name in FAMILIES if name in there),
        "DejaVu Sans",
        *(name for name in WIDE_FAMILIES if name in there),
    )


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset().union(*(get_font(findfont(FontProperties(family=name))).get_charmap() for name in families()))


def drawable(text: str) -> str:
    """The text without characters that no installed typeface has, so that none becomes an empty box."""
    return "".join(character for character in text if ord(character) in _glyphs())


def fitted(figure: Figure, text: str, size: float, room: float, *, lines: int, **style: Any) -> list[str]:
    """The text in at most so many lines of `room` pixels, broken at spaces where there are any, cut with "…"."""
    probe = write(figure, 0, 0, "", size, **style)

    def width(candidate: str) -> float:
        probe.set_text(candidate)
        return float(probe.get_window_extent().width)

    rest = drawable(text).strip()
    broken: list[str] = []
    while rest and len(broken) < lines:
        last = len(broken) == lines - 1
        if width(rest) <= room:
            broken.append(rest)
            break
        low, high = 0, len(rest)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if width(rest[:middle] + ("…" if last else "")) <= room else (low, middle)
        space = rest.rfind(" ", 0, low + 1)
        cut = space if space > low // 2 else max(low, 1)
        broken.append(rest[:cut].rstrip() + ("…" if last else ""))
        rest = rest[cut:].lstrip()
    probe.remove()
    return broken or [""]


def outline_styles(
    coastlines: bool, borders: bool, *, fine: bool
) -> Iterator[tuple[Sequence[np.ndarray], dict[str, Any]]]:
    """The outlines that are wanted, borders first, with how `add_lines` draws them."""
    from data import geography

    resolution: Literal["110m", "50m"] = "50m" if fine else "110m"
    if borders:
        yield geography.borders(resolution), {"thickness": 0.55, "alpha": 0.85}
    if coastlines:
        yield geography.coastlines(resolution), {"thickness": 0.8, "alpha": 0.95}


def _placed(
    lines: Sequence[np.ndarray], extent: tuple[float, float, float, float], projection: str
) -> Iterator[np.ndarray]:
    """Lines in map coordinates, on every turn of the globe that the extent shows."""
    x0, x1, y0, y1 = extent
    turn = 360.0 if projection == "lonlat" else 2 * np.pi * MERCATOR_RADIUS_M
    for line in lines:
        lon, lat = np.asarray(line, dtype=np.float64).T
        x, y = (lon, lat) if projection == "lonlat" else (np.radians(lon) * MERCATOR_RADIUS_M, mercator_y(lat))
        if y.max() < y0 or y.min() > y1:
            continue
        for k in range(int(np.ceil((x0 - x.max()) / turn)), int(np.floor((x1 - x.min()) / turn)) + 1):
            yield np.column_stack([x + k * turn, y])


def add_lines(axes: Any, lines: list[np.ndarray], thickness: float, *, colour: str = INK, alpha: float = 1.0) -> None:
    """Lines in the axes' coordinates with a faint light edge, so that they show on any colour; thickness in pixels."""
    from matplotlib.collections import LineCollection

    for width, shade, strength in ((2.2 * thickness, "#ffffff", 0.4 * alpha), (thickness, colour, alpha)):
        points = width * 72 / DPI
        drawn = LineCollection(lines, colors=shade, linewidths=points, alpha=strength, capstyle="round")
        axes.add_collection(drawn, autolim=False)


def _degree_axes(axes: Any, extent: tuple[float, float, float, float], projection: str) -> None:
    """Ticks at round degrees, whatever the projection."""
    x0, x1, y0, y1 = extent
    lon_scale, south, north = 1.0, y0, y1
    if projection == "mercator":
        lon_scale = np.radians(1) * MERCATOR_RADIUS_M
        south, north = np.degrees(np.arctan(np.sinh(np.array([y0, y1]) / MERCATOR_RADIUS_M)))
    lon, lat = round_degrees(x0 / lon_scale, x1 / lon_scale, 8), round_degrees(south, north, 7)
    axes.set_xticks(lon * lon_scale, [degree_text((tick + 180) % 360 - 180, "EW") for tick in lon])
    axes.set_yticks(lat if projection == "lonlat" else mercator_y(lat), [degree_text(tick, "NS") for tick in lat])
    axes.tick_params(length=4, width=0.8, color=FAINT, pad=3)
    style_ticks(axes, 11)
    for spine in axes.spines.values():
        spine.set(color=FAINT, linewidth=0.8)


def round_degrees(low: float, high: float, most: int) -> np.ndarray:
    """At most so many round angles in a range, degrees."""
    for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 20, 30, 60, 90):
        if (high - low) / step <= most - 1 + 1e-9:
            break
    return step * np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1)


def degree_text(value: float, letters: str) -> str:
    """12.5 -> "12.5°E" with letters "EW", 0 -> "0°"."""
    value = round(float(value), 6) + 0.0
    if value in (0.0, -180.0):
        return f"{abs(value):g}°"
    return f"{abs(value):g}°{letters[0] if value > 0 else letters[1]}"
