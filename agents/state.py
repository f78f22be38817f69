"""State by name: rows of arrays and fields of records as arrays of their own, and the way up from older files."""

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


def rows(name: str, array: NDArray[Any], names: type[IntEnum], axis: int = 0) -> Arrays:
    """Return views of an array's rows along an axis, as "name.row"; only those that it has."""
    moved = np.moveaxis(array, axis, 0)
    return {f"{name}.{row.name.lower()}": moved[row] for row in names if row < len(moved)}


def record_fields(name: str, record: NDArray[np.void]) -> Arrays:
    """Return views of a record array's fields, as "name.field"."""
    return {f"{name}.{field}": record[field] for field in record.dtype.names or ()}
