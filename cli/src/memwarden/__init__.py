"""The command `memwarden`: finds the process that leaks memory, and the line."""

from importlib.metadata import version

__version__ = version("memwarden")
