"""How kernels are compiled."""

from pathlib import Path

from numba import njit


class _Flags(set[str]):
    """A set with one spelling: Numba keys its cache with it, and a plain set's order changes from process to process."""

    def __repr__(self) -> str:
        return repr(sorted(self))


# Arithmetic is exact (IEEE): whatever the compiler does, in whichever process, gives the same bits.
jit_entry = njit(cache=True, error_model="numpy", nogil=True, no_cfunc_wrapper=True)
# For functions that only other kernels call: no wrapper to call them from Python, which takes long to compile.
jit_internal = njit(cache=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
# For functions called once per neuron: as a call costs more than a short row, they become part of their callers.
jit_inline = njit(error_model="numpy", forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
# For sums, which vectorise only in an order of the compiler's choice. Never the flags that assume there are no NaNs.
# Always inlined: a separately compiled copy might choose another order.
jit_reduction = njit(error_model="numpy", fastmath=_Flags({"reassoc", "contract"}), forceinline=True)


def drop_stale_caches(folder: Path, *others: Path) -> None:
    """Delete the compiled code in a folder that is older than the newest source in it or in other folders.

    Numba looks only at the file in which a function is defined, but a kernel compiles its callees from other modules into
    itself: after an edit there it would go on running the old code.
    """
    newest = max(source.stat().st_mtime for place in (folder, *others) for source in place.glob("*.py"))
    for index in (folder / "__pycache__").glob("*.nbi"):
        try:
            if index.stat().st_mtime < newest:
                index.unlink()
        except OSError:
            pass  # another process was faster, or the installation is read-only and not being edited
