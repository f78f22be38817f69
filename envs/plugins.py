"""Third-party environments: found through the entry-point group `dynlive_rl.envs`."""

from importlib.metadata import entry_points

GROUP = "dynlive_rl.envs"


def load_plugins() -> list[str]:
    """Import every installed plugin, so that the environments it registers can be made by their ids.

    Returns
    -------
    list of str
        One sentence for each plugin that could not be loaded; whatever it raised stops nobody else.
    """
    failures = []
    for entry_point in entry_points(group=GROUP):
        try:
            entry_point.load()
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            failures.append(f"the plugin {entry_point.name!r} ({entry_point.value}) cannot be loaded: {reason}")
    return failures
