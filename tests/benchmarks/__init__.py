"""How fast the app is, beside the server itself and what one would write instead: ``python -m tests.benchmarks``."""
