"""Studies over many runs: calibration, sweeps of rates, which hooks go together."""
