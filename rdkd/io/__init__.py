"""Files: checkpoints, configs, writing whole files."""
