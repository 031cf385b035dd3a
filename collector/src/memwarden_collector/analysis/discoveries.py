"""How certain a leak must be, given how many scopes are watched. Pure; docs: `memwarden_core.discovery`."""

from dataclasses import dataclass, field

from memwarden_core.discovery import false_discovery_bound, needed_alone


@dataclass(slots=True)
class Discoveries:
    """The newest chance of each scope that is judged; forgotten with the scope."""

    rate: float
    """Expected share of false ones among those called leaking."""
    _chances: dict[str, float] = field(default_factory=dict)

    def note(self, scope: str, chance: float) -> None:
        """What its newest verdict says."""
        self._chances[scope] = chance

    def forget_but(self, scopes: set[str]) -> None:
        """Bound what is remembered: the others are silent, or gone."""
        self._chances = {scope: chance for scope, chance in self._chances.items() if scope in scopes}

    def allowed(self, scope: str) -> float:
        """The largest chance with which this scope may be called leaking; 1 where it is the only one."""
        others = len(self._chances) - (scope in self._chances)
        if not others:
            return 1.0
        alone = needed_alone(others + 1, self.rate)
        return max(alone, false_discovery_bound(tuple(self._chances.values()), self.rate))
