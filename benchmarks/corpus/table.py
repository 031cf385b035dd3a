"""`python -m corpus.table`: write the table of families into README.md."""

from collections import defaultdict

from corpus.labels import CORPUS, Program, fleets, programs

BEGIN, END = "<!-- table -->\n", "<!-- /table -->"


def table() -> str:
    """Programs by family, and how many runs they have."""
    families: dict[tuple[bool, str], list[Program]] = defaultdict(list)
    for program in programs():
        families[not program.leak, program.family].append(program)
    lines = ["", "| | family | programs | train, test |", "|---|---|---|---|"]
    for (healthy, family), members in sorted(families.items()):
        names = ", ".join(
            f"[{each.name}]({each.origin})" if "://" in each.origin else each.name for each in members
        )
        train = sum(each.split == "train" for each in members)
        word = "healthy" if healthy else "leak"
        lines.append(f"| {word} | {family} | {names} | {train}, {len(members) - train} |")
    all_of_them = programs()
    leaks = sum(program.leak for program in all_of_them)
    runs = sum(len(program.loads) for program in all_of_them)
    replicas = sum(len(fleet.replicas) for fleet in fleets())
    lines += [
        "",
        f"{len(all_of_them)} programs ({leaks} leak, {len(all_of_them) - leaks} are healthy) with {runs} runs, and "
        f"{len(fleets())} fleets with {replicas} replicas.",
        "",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    path = CORPUS / "README.md"
    before, rest = path.read_text().split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    path.write_text(before + BEGIN + table() + END + after)


if __name__ == "__main__":
    main()
