"""The doors for OTLP over HTTP: what is read, what is refused, and how that is said."""
