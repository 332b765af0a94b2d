"""The app and its parts in one process, without sockets: ``pytest tests/benchmarks/micro``; needs pytest-benchmark."""
