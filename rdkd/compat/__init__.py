"""Making other packages work, and nothing else."""
