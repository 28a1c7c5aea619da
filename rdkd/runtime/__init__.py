"""From a config to a run: checks, hooks, processes."""
