"""The mathematics: functions of tensors that import torch and nothing else."""
