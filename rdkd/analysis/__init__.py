"""Looking into trained detectors."""
