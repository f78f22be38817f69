"""Compiled kernels: plain arrays in, plain arrays out. They know neurons, strengths and credit, and nothing of Python objects.

Read them in this order: `arrays` (what a network is made of), `arithmetic` (activations, random numbers), `update` (how
one neuron learns), `cycle` (one cycle at a time, live), `errors` (what outputs are rewarded with), `recruit` (new neurons)
and `rehearsal` (a batch of remembered experience at a time); then the agent: `policy` (from observations to actions),
`track` (what it keeps track of), `retrace` (what is learned from experience), `actor_critic` and, for live mode,
`live_arrays` (what a live agent is made of), `live_cells` and `live`.
"""

from pathlib import Path


def _drop_stale_caches() -> None:
    """Delete compiled code older than the newest kernel source.

    Numba looks only at the file in which a function is defined, but a kernel compiles its callees from the other
    modules into itself: after an edit there it would go on running the old code.
    """
    here = Path(__file__).parent
    newest = max(source.stat().st_mtime for source in here.glob("*.py"))
    for index in (here / "__pycache__").glob("*.nbi"):
        try:
            if index.stat().st_mtime < newest:
                index.unlink()
        except OSError:
            pass  # another process was faster, or the installation is read-only and not being edited


_drop_stale_caches()
