"""Where the data of a classic netCDF file must end, from its header.

The netCDF library reads zeros for the part of a classic file that was cut off, without a word; so its length is
compared with what its header promises before anything is read. Format: NetCDF User's Guide, "The NetCDF Classic Format
Specification" (CDF-1, CDF-2, CDF-5).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import BinaryIO

_ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}
"""External type -> bytes."""


@dataclass
class _Header:
    """A cursor over the header; counts are 4 bytes, 8 in CDF-5, and file offsets 4 bytes in CDF-1, else 8."""

    stream: BinaryIO
    version: int

    def number(self, size: int) -> int:
        raw = self.stream.read(size)
        if len(raw) < size:
            raise ValueError("the header ends too early")
        return int(struct.unpack(">i" if size == 4 else ">q", raw)[0])

    def count(self) -> int:
        return self.number(8 if self.version == 5 else 4)

    def skip(self, size: int) -> None:
        self.stream.seek(-(-size // 4) * 4, 1)

    def length_of_list(self) -> int:
        self.number(4)  # tag: dimensions, variables, attributes, or absent
        return self.count()

    def skip_name(self) -> None:
        self.skip(self.count())

    def skip_attributes(self) -> None:
        for _ in range(self.length_of_list()):
            self.skip_name()
            item = _ITEM_BYTES[self.number(4)]
            self.skip(item * self.count())


def data_end(stream: BinaryIO) -> int:
    """Bytes that a classic netCDF file has at least, if nothing is missing.

    Parameters
    ----------
    stream : the file, at its start.

    Raises
    ------
    ValueError, KeyError, IndexError : not such a file, or a damaged header.
    """
    magic = stream.read(4)
    if len(magic) < 4 or magic[:3] != b"CDF" or magic[3] not in (1, 2, 5):
        raise ValueError("not a classic netCDF file")
    header = _Header(stream, magic[3])
    records = max(header.count(), 0)  # -1 in a file that was being written as a stream
    sizes = []
    for _ in range(header.length_of_list()):
        header.skip_name()
        sizes.append(header.count())
    header.skip_attributes()
    fixed_end, in_record = 0, []
    for _ in range(header.length_of_list()):
        header.skip_name()
        shape = [sizes[header.count()] for _ in range(header.count())]
        header.skip_attributes()
        item = _ITEM_BYTES[header.number(4)]
        header.count()  # size as stored: wrong for large variables, so it is not used
        begin = header.number(4 if header.version == 1 else 8)
        if shape and shape[0] == 0:  # the record dimension has length 0 in the header
            in_record.append((begin, item * math.prod(shape[1:])))
        else:
            fixed_end = max(fixed_end, begin + item * math.prod(shape))
    if not in_record or records == 0:
        return fixed_end
    padded = [-(-size // 4) * 4 for _, size in in_record]
    step = sum(padded) if len(in_record) > 1 else in_record[0][1]  # a lone record variable is not padded
    return max(fixed_end, *(begin + (records - 1) * step + size for begin, size in in_record))
