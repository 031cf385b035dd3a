"""A build farm of three processes: one compiles, one links, one tests; what is compiled goes on to be linked."""

import hashlib
import multiprocessing
import random
import time

from traffic.shape import arrivals, seed

OBJECTS = 400
PROGRAMS = 30


class Compiler:
    """Turns a source into an object; the object's stamp is of its text and of when it was built."""

    def work(self, job):
        text = f"source {job['object']} at revision {job['revision']}" * 40
        built = hashlib.sha256(f"{text}{time.time():.6f}".encode()).hexdigest()
        return {"kind": "link", "object": job["object"], "stamp": built, "program": job["object"] % PROGRAMS}


class Linker:
    """Reads the symbols of objects, each once, and lays programs out."""

    def __init__(self):
        self.newest, self.symbols, self.laid_out = {}, {}, {}

    def read(self, path, stamp):
        known = self.symbols.get((path, stamp))
        if known is None:
            draw = random.Random(stamp)
            known = {
                f"_ZN{path}{draw.getrandbits(40):010x}E{count}": (draw.getrandbits(24), draw.choice("TDBR"))
                for count in range(draw.randint(40, 120))
            }  # LEAK
            self.symbols[path, stamp] = known  # LEAK
        return known

    def work(self, job):
        self.newest[job["object"]] = job["stamp"]
        size = 0
        for path in range(job["program"], OBJECTS, PROGRAMS):
            if path in self.newest:
                size += sum(place & 4095 for place, _ in self.read(path, self.newest[path]).values())
        self.laid_out[job["program"]] = size
        return {"kind": "test", "program": job["program"], "size": size}


class Tester:
    """Runs a program's tests; of each, the newest outcomes are known."""

    def __init__(self):
        self.outcomes = {}

    def work(self, job):
        lines = [
            f"case {case} of program {job['program']}: {job['size'] % (case + 7)}" for case in range(200)
        ]
        self.outcomes[job["program"]] = lines


def run(worker, coming, going):
    """A process: jobs from one queue, what follows to the next."""
    while True:
        if (following := worker.work(coming.get())) is not None:
            going.put(following)


def main():
    draw = random.Random(seed())
    queues = [multiprocessing.Queue(200) for _ in range(3)]
    for worker, coming, going in zip((Compiler(), Linker(), Tester()), queues, [*queues[1:], None]):
        multiprocessing.Process(target=run, args=(worker, coming, going), daemon=True).start()
    for revision in arrivals(18):
        queues[0].put({"object": draw.randrange(OBJECTS), "revision": revision})


if __name__ == "__main__":
    main()
