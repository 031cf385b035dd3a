"""HeapSnapshots: of which pod one is taken (`target`), what its status says (`status`), the loop that sees it through.

The collector has the sidecar take it and keeps it, by the object's uid. Which pod was chosen stands in the status
before the collector is asked: a controller that is made anew goes on from there, and nothing is taken twice.
"""
