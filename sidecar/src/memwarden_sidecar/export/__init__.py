"""The export: values become OTLP, OTLP becomes batches, batches reach the collector, once, sooner or later."""
