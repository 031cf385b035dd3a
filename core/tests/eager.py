"""The judge as `memwarden run` asks it, with high sensitivity.

With less it calls no leak in runs so short, and a test that says what is no leak would pass whatever its gate does.
"""

from functools import partial

import memwarden_core.judge
import memwarden_core.replay
from memwarden_core.settings import JudgeSettings, Sensitivity

EAGER = JudgeSettings.of(Sensitivity.HIGH)
judge = partial(memwarden_core.judge.judge, settings=EAGER)
replay = partial(memwarden_core.replay.replay, settings=EAGER)
