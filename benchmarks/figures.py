"""One line for people and one JSON object for machines, for every figure."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    """What a benchmark measured.

    Attributes:
        wanted: The goal in words.
        baseline: What was measured beside it in the same run, by name.
    """

    name: str
    value: float
    unit: str
    wanted: str
    met: bool
    baseline: dict[str, float]

    def tell(self) -> None:
        beside = ", ".join(f"{name} {value:.3g}" for name, value in self.baseline.items())
        verdict = "met" if self.met else "NOT met"
        print(f"{self.name}: {self.value:.4g} {self.unit} (wanted {self.wanted}: {verdict}; {beside})")
        print(json.dumps(asdict(self)), flush=True)
