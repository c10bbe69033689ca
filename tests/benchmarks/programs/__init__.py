"""Programs that `tests.benchmarks.timing.launch` starts; each reports one line of JSON."""
