"""A JSON Patch that adds to a pod (RFC 6902): lists are looked through by name, what is there stays where it is."""

from collections.abc import Mapping, Sequence
from typing import Any

Operation = dict[str, Any]


def pointer(*parts: str | int) -> str:
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


class Patch:
    """Operations in the order in which they apply. `keep`: what is there by name is good as it is."""

    def __init__(self, *, keep: bool = False) -> None:
        self.operations: list[Operation] = []
        self._keep = keep

    def set_entries(self, path: str, present: Mapping[str, str] | None, wanted: Mapping[str, str]) -> None:
        """Entries of a map; others stay."""
        if not present:
            self.operations.append({"op": "add", "path": path, "value": dict(wanted)})
            return
        for key, value in wanted.items():
            if present.get(key) != value:
                self.operations.append({"op": "add", "path": path + pointer(key), "value": value})

    def set_list(
        self, path: str, present: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]]
    ) -> None:
        """A whole list; what is only added at its end is only that."""
        if not present:
            self.operations.append({"op": "add", "path": path, "value": list(wanted)})
        elif list(wanted[: len(present)]) == list(present):
            more = wanted[len(present) :]
            self.operations += [{"op": "add", "path": f"{path}/-", "value": item} for item in more]
        else:
            self.operations.append({"op": "replace", "path": path, "value": list(wanted)})

    def set_items(
        self,
        path: str,
        present: Sequence[Mapping[str, Any]] | None,
        wanted: Sequence[Operation],
        *,
        key: str = "name",
        always: bool = False,
    ) -> None:
        """Items of a list, known by a key; new ones at the end. Of two with one key the later counts.

        `always`: what differs is replaced also where what is there is to be kept.
        """
        if not wanted:
            return
        if not present:
            self.operations.append({"op": "add", "path": path, "value": list(wanted)})
            return
        places = {item.get(key): place for place, item in enumerate(present)}
        for item in wanted:
            place = places.get(item[key])
            if place is None:
                self.operations.append({"op": "add", "path": f"{path}/-", "value": item})
            elif present[place] != item and (always or not self._keep):
                self.operations.append({"op": "replace", "path": path + pointer(place), "value": item})
