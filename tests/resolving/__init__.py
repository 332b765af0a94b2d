"""Whether statemount can be installed beside others, by the package index: ``python -m tests.resolving``."""
