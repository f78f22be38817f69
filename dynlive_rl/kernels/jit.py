"""How kernels are compiled, or with NUMBA_DISABLE_JIT=1 run as the plain Python that they are written in."""

import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numba import config, njit
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.extending import intrinsic


class _Flags(set[str]):
    """A set with one spelling: Numba keys its cache with it, and a plain set's order changes from process to process."""

    def __repr__(self) -> str:
        return repr(sorted(self))


def cache_folder(source: Path) -> Path | None:
    """Return where Numba keeps what it compiles from a source file, or None where it finds no folder to write to.

    It tries NUMBA_CACHE_DIR, `__pycache__` beside the file and a folder in HOME, and refuses to compile with a cache where it
    can write to none of them.
    """
    # Its locators look at the file and the line of a function.
    function = FunctionType(compile("", source, "exec"), {})
    try:
        return Path(CompileResultCacheImpl(function).locator.get_cache_path())
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        return None


class _Cache(FunctionCache):
    """What was compiled of a function; used all the same where it cannot be written, as on a disk that is full by now."""

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as error:
            _warn_once(f"{error.strerror}")


def cached_jit(**options: Any) -> Callable[[Any], Any]:
    """Return a decorator like `njit(cache=True, **options)` that does without the cache where none can be kept."""

    def decorate(function: Any) -> Any:
        compiled = njit(**options)(function)
        if not config.DISABLE_JIT and _can_cache(Path(function.__code__.co_filename)):
            # As Numba's own `enable_caching` does, which takes no other cache than its own.
            setattr(compiled, "_cache", _Cache(function))  # noqa: B010
        return compiled

    return decorate


@cache
def _can_cache(source: Path) -> bool:
    if cache_folder(source) is None:
        unwritable = f"NUMBA_CACHE_DIR={config.CACHE_DIR}, " if config.CACHE_DIR else ""
        _warn_once(f"{unwritable}the installation and HOME cannot be written to")
        return False
    return True


@cache
def _warn_once(reason: str) -> None:
    warnings.warn(
        f"compiled code cannot be kept, so that every start compiles again: {reason}; "
        "set NUMBA_CACHE_DIR to a folder that can be written to",
        RuntimeWarning,
        stacklevel=2,
    )


class _Part(JITCodeLibrary):
    """Code of a function that only other kernels call: neither optimised nor made executable by itself.

    Numba does both with everything that it compiles, and again with every caller that it is linked into: what stands five
    calls deep would be optimised six times.
    """

    @property
    def codegen(self) -> Any:
        return self

    def set_env(self, name: str, env: Any) -> None:
        """There is nothing to execute that needs an environment."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        self._ensure_finalized()
        return 0


class _PartCompiler(Compiler):
    def define_pipelines(self) -> Any:
        self.state.library = _Part(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        return super().define_pipelines()


SECONDS: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
"""About how long entry points take to compile, of those that take longer than what they were called for."""


def jit_entry(function: Any = None, *, seconds: float = 0.0) -> Any:
    """Compile a function that Python calls; `seconds`: about what it takes, on a processor of 2023."""
    if function is None:
        return lambda function: jit_entry(function, seconds=seconds)
    entry = _entry(function)
    if seconds:
        SECONDS[entry] = seconds
    return entry


# Arithmetic is exact (IEEE): whatever the compiler does, in whichever process, gives the same bits.
_entry = cached_jit(error_model="numpy", nogil=True, no_cfunc_wrapper=True)
_part = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "pipeline_class": _PartCompiler}
# For functions that only other kernels call. Inlined where the compiler finds that it pays: were that not said, Numba would
# take over that a caller has to be inlined, with all that it calls, and large functions would be optimised at every call.
jit_internal = njit(forceinline=False, **_part)
# For functions called once per neuron: as a call costs more than a short row, they become part of their callers.
jit_inline = njit(forceinline=True, **_part)
# For sums, which vectorise only in an order of the compiler's choice. Never the flags that assume there are no NaNs.
# Always inlined, after it was optimised by itself: in the midst of a caller the compiler might choose another order.
jit_reduction = njit(error_model="numpy", fastmath=_Flags({"reassoc", "contract"}), forceinline=True)


def intrinsic_or(plain: Callable[..., Any]) -> Callable[[Any], Any]:
    """Return a decorator like `intrinsic`, with what plain Python does in its place."""
    return lambda function: plain if config.DISABLE_JIT else intrinsic(function)


def record_dtype(fields: list[Any]) -> np.dtype[np.void]:
    """Return the type of records whose fields kernels read and write as attributes, `record.field`."""
    # Compiled calls take longer to recognise the records of NumPy that have attributes.
    return np.dtype((np.record, fields)) if config.DISABLE_JIT else np.dtype(fields)


def drop_stale_caches(folder: Path, *others: Path) -> None:
    """Delete what was compiled from a folder's files before the newest source in it, or in other folders, was written.

    Numba looks only at the file in which a function is defined, but a kernel compiles its callees from other modules into
    itself: after an edit there it would go on running the old code.
    """
    sources = [source for source in folder.glob("*.py") if source.is_file()]  # editors leave links to nothing
    kept = cache_folder(sources[0]) if sources else None
    if kept is None:
        return
    newest = max(_modified(source) for place in (folder, *others) for source in place.glob("*.py"))
    for index in kept.glob("*.nbi"):
        if _modified(index) < newest:
            with suppress(OSError):  # another process was faster, or it is another user's
                index.unlink()


def _modified(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0  # gone meanwhile
