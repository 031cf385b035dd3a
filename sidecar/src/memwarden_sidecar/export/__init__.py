"""Export: values become OTLP, OTLP becomes batches, batches reach the collector, sooner or later, once."""
