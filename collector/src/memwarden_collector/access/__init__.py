"""Who may what: callers and their rights, by an embedded token or by the cluster's reviews; TLS of the doors."""
