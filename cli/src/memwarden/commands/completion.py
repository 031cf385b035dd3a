"""`memwarden completion SHELL`: what a shell must know to complete the command line.

The words come from the same parser that reads the command line. Behind `--` the shell completes the user's own
command.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final


class Completion:
    name = "completion"
    summary = "print what a shell needs to complete memwarden's words"
    examples = """\
examples:
  bash:  memwarden completion bash > ~/.local/share/bash-completion/completions/memwarden
  zsh:   memwarden completion zsh > "${fpath[1]}/_memwarden"
  fish:  memwarden completion fish > ~/.config/fish/completions/memwarden.fish
"""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("shell", choices=tuple(SHELLS), help="whose language to speak")

    def run(self, arguments: argparse.Namespace) -> int:
        print(SHELLS[arguments.shell](words()), end="", flush=True)
        return 0


@dataclass(frozen=True, slots=True)
class Option:
    """One option, or an argument without a name (`names` is empty)."""

    names: tuple[str, ...]
    help: str
    metavar: str
    """What its value is called; "" for a flag."""
    choices: tuple[str, ...]
    repeatable: bool
    optional: bool
    """Of an argument without a name: may be left out."""


@dataclass(frozen=True, slots=True)
class Verb:
    name: str
    summary: str
    options: tuple[Option, ...]
    examples: str


def words() -> tuple[Verb, ...]:
    """All verbs with all their options."""
    from memwarden.commands import COMMANDS
    from memwarden.main import build_parser

    parser = build_parser({verb.name for verb in COMMANDS})
    # argparse has no public way to ask for what was added; this one is as old as argparse (shtab, sphinx-argparse).
    [verbs] = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    by_name: Mapping[str, argparse.ArgumentParser] = verbs.choices
    return tuple(
        Verb(verb.name, verb.summary, tuple(_options(by_name[verb.name])), verb.examples) for verb in COMMANDS
    )


def _options(parser: argparse.ArgumentParser) -> Iterable[Option]:
    for action in parser._actions:
        if action.help == argparse.SUPPRESS:
            continue
        choices = tuple(str(choice) for choice in action.choices or ())
        text = (action.help or "") % {**vars(action), "prog": parser.prog}
        value = (
            action.metavar if isinstance(action.metavar, str) else "|".join(choices) or action.dest.upper()
        )
        yield Option(
            names=tuple(action.option_strings),
            help=text,
            metavar="" if action.nargs == 0 else value,
            choices=choices,
            repeatable=isinstance(action, argparse._AppendAction),
            optional=action.nargs == argparse.OPTIONAL,
        )


def bash(verbs: tuple[Verb, ...]) -> str:
    cases = []
    for verb in verbs:
        values = [
            f"      {'|'.join(option.names)}) {_bash_value(option)}; return ;;"
            for option in verb.options
            if option.names and option.metavar
        ]
        names = [name for option in verb.options for name in option.names]
        plain = [choice for option in verb.options if not option.names for choice in option.choices]
        cases += [
            f"    {verb.name})",
            '      case "$previous" in',
            *values,
            "      esac",
            f"      COMPREPLY=($(compgen -W '{' '.join(names + plain)}' -- \"$current\"))",
            "      [[ $current == -* || ${#COMPREPLY[@]} -gt 0 ]] || compopt -o default 2>/dev/null ;;",
        ]
    return "\n".join(
        [
            "# bash completion for memwarden; made by: memwarden completion bash",
            "_memwarden() {",
            '  local current=${COMP_WORDS[COMP_CWORD]} previous="" word at',
            "  COMPREPLY=()",
            "  ((COMP_CWORD)) && previous=${COMP_WORDS[COMP_CWORD-1]}",
            "  for ((at = 2; at < COMP_CWORD; at++)); do",
            "    if [[ ${COMP_WORDS[at]} == -- ]]; then",
            "      if declare -F _command_offset >/dev/null; then _command_offset $((at + 1)); return; fi",
            '      if [[ $previous == -- ]]; then COMPREPLY=($(compgen -c -- "$current"))',
            "      else compopt -o default 2>/dev/null; fi",
            "      return",
            "    fi",
            "  done",
            "  if ((COMP_CWORD == 1)); then",
            f"    COMPREPLY=($(compgen -W '{' '.join(verb.name for verb in verbs)} --help --version' -- \"$current\"))",
            "    return",
            "  fi",
            '  case "${COMP_WORDS[1]}" in',
            *cases,
            "  esac",
            "}",
            "complete -F _memwarden memwarden",
            "",
        ]
    )


def _bash_value(option: Option) -> str:
    if option.choices:
        return f"COMPREPLY=($(compgen -W '{' '.join(option.choices)}' -- \"$current\"))"
    return "compopt -o default 2>/dev/null" if _is_path(option) else ":"


def zsh(verbs: tuple[Verb, ...]) -> str:
    told = [f"    {_quoted(verb.name + ':' + verb.summary)}" for verb in verbs]
    cases = []
    for verb in verbs:
        specs = [f"        {_quoted(spec)} \\" for option in verb.options for spec in _zsh_specs(option)]
        rest = "'*:: :_normal'" if verb.name == "run" else "&& return"
        cases += [f"    {verb.name})", "      _arguments -S \\", *specs, f"        {rest} ;;"]
    return "\n".join(
        [
            "#compdef memwarden",
            "# zsh completion for memwarden; made by: memwarden completion zsh",
            "_memwarden() {",
            "  local -a verbs",
            "  verbs=(",
            *told,
            "  )",
            "  if ((CURRENT == 2)); then _describe verb verbs; return; fi",
            "  shift words; ((CURRENT--))",
            '  case "$words[1]" in',
            *cases,
            "  esac",
            "}",
            '_memwarden "$@"',
            "",
        ]
    )


def _zsh_specs(option: Option) -> Iterable[str]:
    text = option.help.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
    action = f"({' '.join(option.choices)})" if option.choices else "_files" if _is_path(option) else " "
    value = f":{option.metavar}:{action}" if option.metavar else ""
    if not option.names:
        yield f":{option.metavar}:{action}"
    for name in option.names:
        yield f"{'*' if option.repeatable else ''}{name}[{text}]{value}"


def fish(verbs: tuple[Verb, ...]) -> str:
    lines = [
        "# fish completion for memwarden; made by: memwarden completion fish",
        "complete -c memwarden -f",
        "complete -c memwarden -n __fish_use_subcommand -l version -d 'the version'",
        "function __memwarden_command",
        "  set -l words (commandline -opc)",
        "  set -e words[1..(contains -i -- -- $words)]",
        '  complete -C (string join " " -- $words (commandline -ct))',
        "end",
        "complete -c memwarden -n 'contains -- -- (commandline -opc)' -F -a '(__memwarden_command)'",
    ]
    for verb in verbs:
        lines.append(
            f"complete -c memwarden -n __fish_use_subcommand -a {verb.name} -d {_fish_quoted(verb.summary)}"
        )
        when = f"-n '__fish_seen_subcommand_from {verb.name}; and not contains -- -- (commandline -opc)'"
        lines += [" ".join(["complete -c memwarden", when, *_fish_words(option)]) for option in verb.options]
    return "\n".join([*lines, ""])


def _fish_words(option: Option) -> Iterable[str]:
    for name in option.names:
        yield f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
    if option.metavar:
        named = "-x" if option.names else ""
        if option.choices:
            yield f"{named} -a '{' '.join(option.choices)}'".strip()
        else:
            yield ("-rF" if option.names else "-F") if _is_path(option) else named
    yield f"-d {_fish_quoted(option.help)}"


def _is_path(option: Option) -> bool:
    return option.metavar in ("FILE", "FOLDER", "OTHER", "PATH")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


SHELLS: Final[Mapping[str, Callable[[tuple[Verb, ...]], str]]] = {"bash": bash, "zsh": zsh, "fish": fish}
