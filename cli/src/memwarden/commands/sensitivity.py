"""The judge's one dial as an option."""

import argparse

from memwarden_core.settings import JudgeSettings, Sensitivity


def add_sensitivity(parser: argparse.ArgumentParser, usual: str | None = None) -> None:
    """`usual` is what stands where nothing is said; None: what was recorded is judged as it was watched."""
    parser.add_argument(
        "--sensitivity",
        choices=tuple(map(str, Sensitivity)),
        default=usual,
        help=f"how soon and how boldly a leak is called (default: {usual or 'as it was watched'})",
    )


def judge_settings(arguments: argparse.Namespace) -> JudgeSettings | None:
    """None where nothing was said."""
    wanted: str | None = arguments.sensitivity
    return None if wanted is None else JudgeSettings.of(Sensitivity(wanted))
