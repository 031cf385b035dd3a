"""Where memory that leaks is allocated, as marked in the programs."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from corpus.errors import LabelError

_Node = TypeVar("_Node", bound=ast.stmt)


@dataclass(frozen=True, slots=True)
class Site:
    """Where memory that leaks is allocated: a function of a file, and its marked lines."""

    file: str
    """Name of the file without folders."""
    function: str
    lines: tuple[int, ...]

    def matches(self, file: str, line: int, function: str) -> bool:
        """Whether a frame is this site.

        `function` may be qualified (`Shop.order.<locals>.<listcomp>`, from 3.11 on); before, a comprehension is
        known by its line alone.
        """
        return Path(file).name == self.file and (line in self.lines or self.function in function.split("."))


def marked_lines(path: Path) -> dict[str, list[int]]:
    """Lines of the statements with `# LEAK`, by the innermost function that they are in."""
    text = path.read_text()
    marked = [number for number, line in enumerate(text.splitlines(), 1) if line.rstrip().endswith("# LEAK")]
    if not marked:
        return {}
    nodes = list(ast.walk(ast.parse(text)))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    statements = [node for node in nodes if isinstance(node, ast.stmt) and not hasattr(node, "body")]
    found: dict[str, list[int]] = {}
    for line in marked:
        function = _innermost(functions, line)
        statement = _innermost(statements, line)
        if function is None or statement is None:
            raise LabelError(f"{path.name}: `# LEAK` in line {line} is in no function")
        found.setdefault(function.name, []).extend(
            range(statement.lineno, (statement.end_lineno or line) + 1)
        )
    return found


def _innermost(nodes: Sequence[_Node], line: int) -> _Node | None:
    around = [node for node in nodes if node.lineno <= line <= (node.end_lineno or node.lineno)]
    return max(around, key=lambda node: node.lineno, default=None)
