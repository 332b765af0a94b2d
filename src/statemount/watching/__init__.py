"""Watching scopes: their logs are followed, once for everybody in this process who wants to know."""
