"""Certificates of our own, where cert-manager is not wanted: one authority, one leaf for all servers, one writer."""
