"""The apps that ours is measured beside."""
