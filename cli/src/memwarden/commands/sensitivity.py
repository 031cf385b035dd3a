"""The judge's one dial as an option."""

import argparse

from memwarden_core.settings import JudgeSettings, Sensitivity


def add_sensitivity(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sensitivity",
        choices=tuple(map(str, Sensitivity)),
        default=str(Sensitivity.NORMAL),
        help="how soon and how boldly a leak is called (default: %(default)s)",
    )


def judge_settings(arguments: argparse.Namespace) -> JudgeSettings:
    return JudgeSettings.of(Sensitivity(arguments.sensitivity))
