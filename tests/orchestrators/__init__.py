"""Orchestrators of others, each in an environment of its own, with our app in or beside it."""
