"""Data sets: drawn scenes and checks before training."""
