"""A real Kubernetes cluster for tests: `up`, `down`, `status`, `kubectl`, on the command line and from
Python.

There are three ways to it (`ways.choose`): a cluster that the user has (KUBECONFIG), kind where Docker is,
and a node of our own, made as root from Go modules and Debian packages. Tests see no difference but one: into
the network of the last they can go themselves.

This package needs the standard library alone, so that a cluster can be had before anything is installed. Why
it is built like this: docs/design/20261121-test-cluster.md; how it is used: docs/operations/test-cluster.md.
"""

from .errors import ClusterError, CommandFailed, NotReady, Unsuitable
from .settings import Settings, load
from .ways import Cluster, Status, choose

__all__ = [
    "Cluster",
    "ClusterError",
    "CommandFailed",
    "NotReady",
    "Settings",
    "Status",
    "Unsuitable",
    "choose",
    "load",
]
