"""What a proof is: its status, what it rests on, and the counter-example of a refutation."""

from dataclasses import dataclass

from convsym.notation import latex


@dataclass(frozen=True)
class Obligation:
    """One statement that had to hold: its name, its status (proved, refuted or unknown) and the time it took."""

    name: str
    status: str
    seconds: float


@dataclass(frozen=True)
class Counterexample:
    """Concrete integers for which a claim is wrong.

    Attributes
    ----------
    sizes : dict
        Shape of every array of the formula.
    params : dict
        Integer parameters.
    index : tuple of int
        Where the claim's value is wrong.
    expected, claimed : int
        The true value there and the claim's, on the arrays that `fill` states.
    fill : str
        How the arrays are filled.
    """

    sizes: dict
    params: dict
    index: tuple
    expected: int
    claimed: int
    fill: str

    def __str__(self):
        shapes = ", ".join(f"{name} {shape}" for name, shape in self.sizes.items())
        params = ", ".join(f"{name}={value}" for name, value in self.params.items())
        return (
            f"sizes {shapes}; {params + '; ' if params else ''}at index {self.index} the true value is "
            f"{self.expected}, the claim gives {self.claimed} ({self.fill})"
        )


@dataclass(frozen=True)
class Proof:
    """A verdict and what it rests on.

    Attributes
    ----------
    statement : str
        What was judged.
    status : str
        "proved" for all sizes and parameters, "refuted" by a counter-example, or "unknown".
    obligations : tuple of Obligation
    reason : str
        Why, in a sentence.
    seconds : float
    counterexample : Counterexample or None
    geometries : int
        Number of small geometries on which exact integers agreed, whatever the prover says.
    """

    statement: str
    status: str
    obligations: tuple
    reason: str
    seconds: float
    counterexample: Counterexample | None = None
    geometries: int = 0

    def __bool__(self):
        return self.status == "proved"

    def __str__(self):
        lines = [f"{self.status}: {self.statement}", f"  {self.reason}"]
        lines.append(f"  exact integers agree on {self.geometries} small geometries")
        lines += [f"  {o.status:8} {o.name} ({1000 * o.seconds:.0f} ms)" for o in self.obligations]
        return "\n".join(lines)


@latex.register
def _(obj: Proof):
    return (
        rf"\text{{{obj.status}: }}\;\texttt{{{obj.statement.replace('_', chr(92) + '_').replace('%', chr(92) + '%')}}}"
    )
