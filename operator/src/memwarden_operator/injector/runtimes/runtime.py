"""What the injector must know of a runtime."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Join:
    """A variable with a list, to which an entry is added; what the user has there stays."""

    variable: str
    entry: str
    separator: str = ":"
    first: bool = True
    """Ours before the user's; else after."""
    expands: bool = True
    """Where the value may come from `envFrom`, `$(NAME)` is joined: the kubelet puts it in, and where there is none
    the runtime makes nothing of the word."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """How its probe gets into a program."""

    name: str
    """As users write it."""
    by_variables: tuple[Join, ...]
    """Without the loader: what is joined in the pod's spec."""
    by_loader: tuple[tuple[str, str], ...]
    """With the loader: variables of our own, which tell it what to join in the process."""
    other_profilers: frozenset[str]
    """Programs, as the first words of a command, that take the allocator for themselves."""
