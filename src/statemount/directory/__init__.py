"""Which task instances and assets exist, and which asset a task instance may touch."""
