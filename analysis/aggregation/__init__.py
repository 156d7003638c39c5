"""Aggregation: any variable of the archive by time, region, instrument, mode and quality into maps, series and tables.

* `regions`: which soundings and cells belong to a region; `value_counts`: medians and percentiles of any number of soundings.
* `sums`: what a piece of the archive gives, and periods from pieces; `area_means`: means of cells that weigh their areas.
* `results`: series and tables as files that say what they are.
"""
