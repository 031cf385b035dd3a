"""A tariff engine with plug-ins: when new tariffs are published, all six are loaded anew beside the old ones."""

import random
import sys
import types

from traffic.shape import arrivals, seed

NAMES = "road rail sea air parcel storage".split()


def source(name, version, draw):
    """A plug-in as its editor wrote it."""
    parts = [f"NAME = {name!r}\nVERSION = {version}\n"]
    for zone in range(40):
        rates = tuple(f"{name}-{zone}-{step}: {draw.randrange(100, 9000)}" for step in range(24))
        parts.append(f"RATES_{zone} = {rates!r}\n")
        parts.append(
            f"def zone_{zone}(weight, step):\n"
            f"    rate = RATES_{zone}[step % 24].split(': ')[1]\n"
            f"    return int(rate) * weight + {draw.randrange(50)}\n"
        )
    return "\n".join(parts)


def load(name, version, draw):
    """Each version is a module of its own, so that calculations that are going on keep theirs."""
    module = types.ModuleType(f"tariffs_{name}_{version}")
    code = compile(source(name, version, draw), f"<{module.__name__}>", "exec")  # LEAK
    exec(code, module.__dict__)  # LEAK
    sys.modules[module.__name__] = module
    return module


def price(module, draw):
    zone = getattr(module, f"zone_{draw.randrange(40)}")
    return zone(draw.uniform(1, 40), draw.randrange(24))


def main():
    draw = random.Random(seed())
    current = {name: load(name, 0, draw) for name in NAMES}
    total = 0.0
    for version in arrivals(0.6):
        current = {name: load(name, version + 1, draw) for name in NAMES}
        total += sum(price(module, draw) for module in current.values() for _ in range(20))


if __name__ == "__main__":
    main()
