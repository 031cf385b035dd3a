"""Writes the configuration of switches out of an inventory in YAML, which is read again each 35 s."""

import random
import time

import yaml
from traffic.shape import arrivals, seed

SWITCHES = 420
RELOAD_SECONDS = 35.0
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def inventory(revision):
    """The inventory's text, as it is in the repository at a revision."""
    draw, lines = random.Random(revision), []
    for switch in range(SWITCHES + draw.randint(-20, 20)):
        lines += [f"sw{switch}:", f"  site: site-{switch % 31}", f"  revision: {revision}", "  ports:"]
        for port in range(draw.choice([12, 24, 24])):
            lines.append(
                f"    - {{name: ge-0/0/{port}, vlan: {draw.randrange(4096)}, mtu: 9000,"
                f" to: 'patch {draw.getrandbits(40):010x}'}}"
            )
    return "\n".join(lines)


class Configs:
    """The inventory as it was last read, and what was written out of it since."""

    def __init__(self):
        self.revision, self.switches, self.written, self.hits = 0, {}, {}, 0
        self.read()

    def read(self):
        self.revision += 1
        self.switches = yaml.load(inventory(self.revision), LOADER)
        self.written = {}
        self.at = time.monotonic()

    def config(self, name):
        if time.monotonic() - self.at > RELOAD_SECONDS:
            self.read()
        if name in self.written:
            self.hits += 1
        elif name in self.switches:
            switch = self.switches[name]
            lines = [f"hostname {name}", f"location {switch['site']}", f"! revision {switch['revision']}"]
            for port in switch["ports"]:
                lines += [f"interface {port['name']}", f" description {port['to']}", f" mtu {port['mtu']}"]
                lines += [f" switchport access vlan {port['vlan']}", " spanning-tree portfast", "!"]
                lines += [
                    f" storm-control {kind} level 5.00" for kind in ("broadcast", "multicast", "unicast")
                ]
            self.written[name] = "\n".join(lines)
        return self.written.get(name)


def main():
    draw, configs, characters = random.Random(seed()), Configs(), 0
    for _ in arrivals(22):
        text = configs.config(f"sw{min(int(draw.expovariate(1 / 200)), SWITCHES)}")
        characters += len(text or "")


if __name__ == "__main__":
    main()
