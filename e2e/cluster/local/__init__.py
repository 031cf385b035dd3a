"""A one-node Kubernetes made on this machine from Go modules and Debian packages, without Docker.

The node is three namespaces (network, processes, mounts) held by one process, `node.py`. All that belongs to
the cluster lives in them, so that ending that one process ends everything, whatever state it is in.
"""
