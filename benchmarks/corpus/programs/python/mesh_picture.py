"""A picture of a service mesh with networkx: pods are nodes, calls between them are edges; releases replace pods."""

import random

import networkx as nx
from traffic.shape import arrivals, seed

SERVICES = 60
PODS = 10
WAVE = 40
EVENTS_A_RELEASE = 400


class Mesh:
    """Pods and who calls whom."""

    def __init__(self):
        self.graph, self.pods, self.busiest = nx.DiGraph(), {}, None

    def start(self, service, pod, manifest):
        self.pods.setdefault(service, []).append(pod)
        self.graph.add_node(pod, service=service, calls=0, **manifest)  # LEAK

    def stop(self, service):
        """All pods of a service go."""
        for pod in self.pods.pop(service, ()):
            self.graph.remove_edges_from([*self.graph.in_edges(pod), *self.graph.out_edges(pod)])

    def call(self, caller, called, milliseconds):
        if self.graph.has_edge(caller, called):
            edge = self.graph.edges[caller, called]
            edge["count"] += 1
            edge["slowest"] = max(edge["slowest"], milliseconds)
        else:
            self.graph.add_edge(caller, called, count=1, slowest=milliseconds)  # LEAK
        self.graph.nodes[called]["calls"] += 1

    def look(self):
        """Which pod is called by most others."""
        running = [pod for pods in self.pods.values() for pod in pods]
        self.busiest = max(running, key=self.graph.in_degree)


def manifest(service, release, draw):
    """What the cluster says of a pod."""
    return {
        "image": f"registry.example/shop/service-{service}@sha256:{draw.getrandbits(256):064x}",
        "address": f"10.{draw.randrange(256)}.{draw.randrange(256)}.{draw.randrange(256)}",
        "labels": {
            name: f"{name}-{release}-{draw.getrandbits(32):08x}" for name in ("app", "tier", "track", "hash")
        },
        "environment": {f"SETTING_{n}": f"value-{draw.getrandbits(64):016x}" for n in range(24)},
        "mounts": [f"/var/run/secrets/{draw.getrandbits(48):012x}" for _ in range(6)],
    }  # LEAK


def release(mesh, services, number, draw):
    for service in services:
        mesh.stop(service)
        for _ in range(PODS):
            pod = f"service-{service}-{number:x}-{draw.getrandbits(24):06x}"  # LEAK
            mesh.start(service, pod, manifest(service, number, draw))


def main():
    draw, mesh = random.Random(seed()), Mesh()
    release(mesh, range(SERVICES), 0, draw)
    for number in arrivals(40):
        first, second = draw.sample(range(SERVICES), 2)
        mesh.call(draw.choice(mesh.pods[first]), draw.choice(mesh.pods[second]), draw.expovariate(0.05))
        if number % EVENTS_A_RELEASE == EVENTS_A_RELEASE - 1:
            release(mesh, draw.sample(range(SERVICES), WAVE), number, draw)
            mesh.look()


if __name__ == "__main__":
    main()
