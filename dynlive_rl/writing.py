"""Writing a file whole or not at all, whatever happens meanwhile."""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

LONGEST_STEM = 128  # of a partial file's name, so that the whole is not too long for any file system


def write_whole(path: Path, chunks: Iterable[Any]) -> None:
    """Write chunks of bytes to a file; until all of them are safely there, what was there before stays.

    They go to a file of another name beside it, which is forced to the disk before it takes the file's place. A process that
    is killed meanwhile may leave that file behind: its name ends in `.partial`, and no later one has the same.

    Parameters
    ----------
    path
        The file; replaced if it exists, and missing folders are made. A symbolic link stays, and its target is replaced.
        Devices, pipes and the like are refused: renaming a file to their place would remove them.
    chunks
        What to write, as anything that has a buffer.

    Raises
    ------
    OSError
        If it cannot be written, for example because the disk is full, or is no regular file.
    """
    path = Path(os.path.realpath(path))
    partial = path.with_name(f".{path.name[:LONGEST_STEM]}.{secrets.token_hex(8)}.partial")
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise OSError(errno.EINVAL, "it is no regular file")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Opened this way it gets the permissions of any new file, and is never somebody else's.
            with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666), "wb") as file:
                for chunk in chunks:
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        except BaseException:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise OSError(error.errno, f"cannot write {path}: {error.strerror}") from error


_BINARY = getattr(os, "O_BINARY", 0)  # Windows would write two bytes for each b"\n"


def _sync_folder(folder: Path) -> None:
    """Force a folder's list of names to the disk, where the system can: only then is a renamed file sure to be found."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
