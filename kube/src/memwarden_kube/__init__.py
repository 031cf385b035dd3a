"""The only door to the Kubernetes API: apply, status, evict, events, reviews of tokens and rights, the kubelet."""
