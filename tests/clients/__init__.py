"""Clients that stock generators make of our OpenAPI documents, and schemathesis: ``python -m tests.clients``."""
