"""The sidecar: reads probes, cgroups and /proc of one scope, and pushes what it finds over OTLP.

It watches from outside. The programs it watches never wait for it, and nothing it does can end them.
"""

__all__: tuple[str, ...] = ()
