"""What every stage is: declared columns in, declared columns out, a reason for every row that fails."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa

from pancap.engine.rows import column_type

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFailure:
    """Why a row goes no further.

    Args:
        reason: short stable code to count by (`truncated`).
        message: one sentence.
    """

    reason: str
    message: str


class Stage(ABC):
    """A step that adds columns to the rows of a batch, for rows without an error.

    The model is loaded in `__init__`, once in a process; `process_batch` is pure and so can be repeated.
    """

    name: ClassVar[str]
    inputs: ClassVar[tuple[str, ...]]
    outputs: ClassVar[tuple[str, ...]]
    recoverable: ClassVar[tuple[type[Exception], ...]] = (ValueError, ArithmeticError, LookupError, RuntimeError)
    """Exceptions that cost one row; any other ends the run."""

    @abstractmethod
    def process_rows(self, rows: Sequence[Row]) -> list[Row | RowFailure]:
        """The output columns of each row, or why it has none; same length, same order."""

    def process_batch(self, table: pa.Table) -> pa.Table:
        """The same rows in the same order with this stage's columns, `error` set where the stage failed."""
        errors: list[str | None] = table["error"].to_pylist()
        healthy = [index for index, error in enumerate(errors) if error is None]
        results = self._process_healthy(table.select(list(self.inputs)).take(pa.array(healthy, pa.int64())).to_pylist())
        columns: dict[str, list[Any]] = {name: [None] * len(table) for name in self.outputs}
        for index, result in zip(healthy, results, strict=True):
            if isinstance(result, RowFailure):
                errors[index] = f"{self.name}/{result.reason}: {result.message}"
                continue
            for name in self.outputs:
                columns[name][index] = result[name]
        for name, values in columns.items():
            table = _set_column(table, name, pa.array(values, type=column_type(name)))
        return _set_column(table, "error", pa.array(errors, type=pa.string()))

    def _process_healthy(self, rows: list[Row]) -> list[Row | RowFailure]:
        """All rows at once; one by one where that fails, so that a bad row costs only itself."""
        try:
            return self.process_rows(rows) if rows else []
        except self.recoverable:
            return [self._process_alone(row) for row in rows]

    def _process_alone(self, row: Row) -> Row | RowFailure:
        try:
            return self.process_rows([row])[0]
        except self.recoverable as error:
            message = str(error).splitlines()[0] if str(error) else "no message"
            return RowFailure(reason=type(error).__name__, message=message)


def check_stages(stages: Sequence[type[Stage]], *, columns: Sequence[str]) -> None:
    """Checks before a run that every stage finds its columns.

    Raises:
        ValueError: a stage reads a column that neither the source nor an earlier stage gives.
    """
    known = set(columns)
    for stage in stages:
        missing = set(stage.inputs) - known
        if missing:
            raise ValueError(f"stage {stage.name} reads {sorted(missing)}, which nothing before it gives")
        known |= set(stage.outputs)


def _set_column(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), name, column)
    return table.append_column(name, column)
