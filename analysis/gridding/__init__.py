"""Gridding: soundings of the archive onto regular cells and into periods, with weights that fit how they are correlated.

* `selection`: which soundings, and what must not be mixed; `reading`: their arrays, piece by piece of the archive.
* `cells`, `periods`: where and when a sounding belongs.
* `overpasses`: sums that can be added in parts; `statistics`: mean, spread and standard error from them.
* `maps`, `tasks`: from sums to maps; `publishing`, `provenance`: the cube that holds them and what it says of itself.
"""
