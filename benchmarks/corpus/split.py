"""`python -m corpus.split`: give programs that are in neither part of split.toml their place.

What has a place keeps it for ever, a part of test such as `test_20261122c` too. New ones are taken in the order of a
hash of their group's name (so that nobody chooses), and go to the part that has fewer of their family, then fewer of
all.
"""

import hashlib
import tomllib
from collections import Counter, defaultdict

from corpus.labels import CORPUS, SPLITS, side_of

HEADER = """\
# Which programs a judge may be tuned on (train) and which it is only scored on (test). By program, never by run; a leak
# and its repair stay together. Written by `python -m corpus.split`, which never moves what is here.
# What was scored and then looked at is training from then on: the first test half since 2026-11-21, since 2026-11-22
# all 239 programs that there were in the afternoon. What they scored unseen is in docs/design/20261121-judge.md.
# A part of test has a name of its own, such as test_20261122c: programs that were written at the same time.
"""


def assign(known: dict[str, str], groups: dict[str, list[tuple[str, str]]]) -> dict[str, str]:
    """Name → part for all; `groups` holds (name, family) of programs that stay together."""
    result = dict(known)
    by_family: Counter[tuple[str, str]] = Counter()
    total: Counter[str] = Counter()

    def count(members: list[tuple[str, str]], part: str) -> None:
        for name, family in members:
            side = side_of(result.setdefault(name, part))
            by_family[family, side] += 1
            total[side] += 1

    new = []
    for word, members in groups.items():
        sides = {known[name] for name, _ in members if name in known}
        if sides:
            count(members, sides.pop())
        else:
            new.append((hashlib.sha256(word.encode()).hexdigest(), members))
    for _, members in sorted(new):
        families = [family for _, family in members]
        side = min(
            SPLITS,
            key=lambda side: (sum(by_family[family, side] for family in families), total[side], side),
        )
        count(members, side)
    return result


def main() -> None:
    path = CORPUS / "split.toml"
    table = tomllib.loads(path.read_text()) if path.exists() else {}
    known = {name: part for part, names in table.items() for name in names}
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for programs in tomllib.loads((CORPUS / "labels.toml").read_text()).values():
        for name, label in programs.items():
            groups[label.get("together", name)].append((name, label["family"]))
    fleets = CORPUS / "fleets.toml"
    if fleets.exists():
        for name, label in tomllib.loads(fleets.read_text()).items():
            groups[label["program"]].append((name, "fleet"))
    parts = assign(known, groups)
    text = HEADER
    members = {part: sorted(name for name in parts if parts[name] == part) for part in (*SPLITS, *table)}
    for part, names in members.items():
        text += f"{part} = [\n" + "".join(f'  "{name}",\n' for name in names) + "]\n"
    path.write_text(text)
    print(", ".join(f"{len(names)} {part}" for part, names in members.items()))


if __name__ == "__main__":
    main()
