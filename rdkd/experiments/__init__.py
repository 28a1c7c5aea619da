"""Runs of many trainings, and measurements."""
