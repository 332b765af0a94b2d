"""The app in other people's apps: every framework, and every server below it."""
