"""The judge's one dial as an option."""

import argparse
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from memwarden_core.settings import JudgeSettings

LEVELS: Final = ("low", "normal", "high")


def add_sensitivity(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sensitivity",
        choices=LEVELS,
        default="normal",
        help="how soon and how boldly a leak is called (default: %(default)s)",
    )


def judge_settings(arguments: argparse.Namespace) -> "JudgeSettings":
    from memwarden_core.settings import JudgeSettings, Sensitivity

    return JudgeSettings.of(Sensitivity(arguments.sensitivity))
