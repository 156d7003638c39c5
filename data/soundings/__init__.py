"""The archive of satellite soundings. `SoundingArchive` is the whole interface; the modules:

* `archive`: the archive as its users see it; `query`: what is asked of it, through DuckDB;
* `table`: soundings as Arrow columns and GeoParquet; `granule`: the file they came from;
* `contents`: what the manifest says; `merge`: what an append changes.
"""

from data.soundings.archive import InstrumentSummary, SoundingArchive
from data.storage import AppendResult

__all__ = ["AppendResult", "InstrumentSummary", "SoundingArchive"]
