"""Import files of any supported kind into the user's data folder. The modules:

* `importer`: one import from start to end; `walk`: which files the paths mean;
* `cubes`: maps become cubes; `occupied`: the part of a sparse store that holds anything;
* `record`: what became of each file.
"""

from data.importing.importer import import_paths
from data.importing.record import ImportRecord
from data.importing.walk import files_to_import

__all__ = ["ImportRecord", "files_to_import", "import_paths"]
