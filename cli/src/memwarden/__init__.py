"""The command `memwarden`: finds the process that leaks memory, and the line."""

__version__ = "0.1.0"
