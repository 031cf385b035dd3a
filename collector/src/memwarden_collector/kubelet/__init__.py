"""Containers without a sidecar: what the kubelets tell of them, stored as if a sidecar had sent it."""
