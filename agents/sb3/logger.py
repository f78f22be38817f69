"""A logger with the interface of stable-baselines3's, for who has none of that: a table on the terminal, and TensorBoard."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np

FLUSH_S = 5  # seconds after which what was written is in the file
KEY_WIDTH = 36  # characters of a key or a value, at most: a table fits into 80 columns


class Writer(Protocol):
    """What a logger writes to; stable-baselines3's output formats (`KVWriter`) are some too."""

    def write(self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0) -> None:
        """Write values by key, but for those whose excluded formats name this one."""

    def close(self) -> None:
        """Close it."""


class Logger:
    """Collects values by key, and writes them all at once.

    An agent takes this one as well as what `stable_baselines3.common.logger.configure` returns.

    Parameters
    ----------
    folder
        Where its files are; None where there are none.
    output_formats
        What it writes to.

    Attributes
    ----------
    name_to_value
        What has been recorded since it was written last.
    """

    def __init__(self, folder: str | None = None, output_formats: list[Writer] | None = None) -> None:
        self.dir = folder
        self.output_formats: list[Writer] = output_formats or []
        self.name_to_value: dict[str, Any] = {}
        self.name_to_count: dict[str, int] = {}
        self.name_to_excluded: dict[str, tuple[str, ...]] = {}

    def record(self, key: str, value: Any, exclude: str | tuple[str, ...] | None = None) -> None:
        """Keep a value, the last of a key, until `dump`; `exclude` names formats that leave it out."""
        self.name_to_value[key] = value
        self.name_to_excluded[key] = exclude if isinstance(exclude, tuple) else (exclude or "",)

    def record_mean(self, key: str, value: float | None, exclude: str | tuple[str, ...] | None = None) -> None:
        """Keep the mean of a key's values until `dump`; None is no value."""
        if value is None:
            return
        count = self.name_to_count.get(key, 0)
        mean = self.name_to_value.get(key, 0.0)
        self.record(key, mean + (value - mean) / (count + 1), exclude)
        self.name_to_count[key] = count + 1

    def dump(self, step: int = 0) -> None:
        """Write what has been recorded, as of an environment step, and forget it."""
        if self.name_to_value:
            for writer in self.output_formats:
                writer.write(self.name_to_value, self.name_to_excluded, step)
        for kept in (self.name_to_value, self.name_to_count, self.name_to_excluded):
            kept.clear()

    def log(self, *args: Any, level: int = 20) -> None:
        """Write words into the outputs that take some, from level 20 (as in `logging`) on."""
        for writer in self.output_formats:
            if level >= 20 and hasattr(writer, "write_sequence"):
                writer.write_sequence([str(arg) for arg in args])

    def debug(self, *args: Any) -> None:
        """Do nothing: details are not written."""

    def info(self, *args: Any) -> None:
        """See `log`."""
        self.log(*args)

    def warn(self, *args: Any) -> None:
        """See `log`."""
        self.log(*args, level=30)

    def error(self, *args: Any) -> None:
        """See `log`."""
        self.log(*args, level=40)

    def get_dir(self) -> str | None:
        """Return the folder."""
        return self.dir

    def close(self) -> None:
        """Close all outputs."""
        for writer in self.output_formats:
            writer.close()


class TableWriter:
    """Writes values as a table, grouped by what stands before the slash, as stable-baselines3's "stdout" does.

    Parameters
    ----------
    file
        Where to. Default: stdout.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file

    def write(self, key_values: Mapping[str, Any], key_excluded: Mapping[str, tuple[str, ...]], step: int = 0) -> None:
        """Write a table; numbers with three digits."""
        rows: list[tuple[str, str]] = []
        group = ""
        for key in sorted(key_values):
            if {"stdout", "log"} & set(key_excluded.get(key, ())):
                continue
            head, slash, name = key.partition("/")
            if slash and head != group:
                group = head
                rows.append((f"{head}/", ""))
            value = key_values[key]
            text = f"{value:<8.3g}" if isinstance(value, float) else str(value)
            rows.append((_cut(f"   {name}" if slash else key), _cut(text)))
        if not rows:
            return
        widths = [max(len(row[k]) for row in rows) for k in (0, 1)]
        line = "-" * (sum(widths) + 7)
        table = "\n".join([line, *(f"| {key:{widths[0]}} | {text:{widths[1]}} |" for key, text in rows), line])
        self._write(table)

    def write_sequence(self, sequence: list[str]) -> None:
        """Write a line of words."""
        self._write(" ".join(sequence))

    def _write(self, text: str) -> None:
        from tqdm import tqdm

        tqdm.write(text, file=self._file or sys.stdout)  # above a progress bar, if there is one

    def close(self) -> None:
        """Do nothing: the file is another's."""


class TensorBoardWriter:
    """Writes values where TensorBoard reads them. Needs tensorboardX, and no PyTorch.

    Numbers become scalars, text text, arrays histograms; stable-baselines3's `HParam`, `Figure`, `Image` and `Video` what they
    are.

    Parameters
    ----------
    folder
        Where the event file goes.

    Raises
    ------
    ImportError
        If tensorboardX is not installed.
    """

    def __init__(self, folder: str) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise ImportError('TensorBoard needs tensorboardX: pip install "dynlive-rl[tools]"') from None
        self.writer = SummaryWriter(folder, max_queue=100, flush_secs=FLUSH_S)

    def write(self, key_values: Mapping[str, Any], key_excluded: Mapping[str, tuple[str, ...]], step: int = 0) -> None:
        """Write values as of an environment step; they are in the file some seconds later, or once it is closed."""
        from tensorboardX.proto.summary_pb2 import Summary

        scalars: list[Any] = []
        for key, value in key_values.items():
            if "tensorboard" in key_excluded.get(key, ()):
                continue
            if isinstance(value, (bool, int, float, np.number, np.bool_)):
                scalars.append(Summary.Value(**{"tag": key, "simple_value": float(value)}))
            else:
                self._add(key, value, step)
        if scalars:  # in one event: each goes through a queue
            self.writer.file_writer.add_summary(Summary(value=scalars), step)

    def _add(self, key: str, value: Any, step: int) -> None:
        if isinstance(value, str):
            self.writer.add_text(key, value, step)
        elif hasattr(value, "hparam_dict"):
            self._add_hyperparameters(value)
        elif hasattr(value, "figure"):
            self.writer.add_figure(key, value.figure, step, close=value.close)
        elif hasattr(value, "image"):
            self.writer.add_image(key, value.image, step, dataformats=value.dataformats)
        elif hasattr(value, "frames"):
            self.writer.add_video(key, value.frames, step, value.fps)
        else:
            self.writer.add_histogram(key, np.asarray(value), step)

    def _add_hyperparameters(self, value: Any) -> None:
        """Write an `HParam` into this very folder; `add_hparams` would make another."""
        from tensorboardX.summary import hparams

        for summary in hparams(value.hparam_dict, value.metric_dict):
            self.writer.file_writer.add_summary(summary)

    def close(self) -> None:
        """Close the event file."""
        self.writer.close()


def for_run(folder: str | None, name: str, verbose: int, is_new: bool) -> Logger:
    """Return the logger of a run: a table if it is verbose, and TensorBoard where there is a folder.

    Parameters
    ----------
    folder
        Every run has a folder name_1, name_2 … of its own in it.
    name
        See there.
    verbose
        0: no table.
    is_new
        Whether a run begins; otherwise the last one goes on.
    """
    writers: list[Writer] = [TableWriter()] if verbose else []
    if folder is None:
        return Logger(None, writers)
    runs = [path.name.rpartition("_")[2] for path in Path(folder).glob(f"{name}_*")]
    last = max((int(run) for run in runs if run.isdigit()), default=0)
    own = str(Path(folder) / f"{name}_{last + 1 if is_new else max(last, 1)}")
    logger = Logger(own, [*writers, TensorBoardWriter(own)])
    logger.log(f"Logging to {own}")
    return logger


def _cut(text: str) -> str:
    return text if len(text) <= KEY_WIDTH else text[: KEY_WIDTH - 3] + "..."
