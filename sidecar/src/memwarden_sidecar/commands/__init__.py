"""What the collector wants done: fetched by a thread of its own, obeyed by the sidecar's loop, answered."""
