"""Search for settings over environments, and populations of agents, on Ray. Needs the extra `sweep`."""
