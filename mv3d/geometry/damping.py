"""Levenberg-Marquardt: the damping loop, for problems that build and solve their own normal equations."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

# Damping relative to the diagonal. A start within a few percent needs little; bad ones raise it by themselves.
_FIRST_DAMPING, _LEAST_DAMPING, _MOST_DAMPING = 1e-4, 1e-12, 1e8
_EASE, _TIGHTEN = 0.1, 8.0


@runtime_checkable
class Problem(Protocol):
    """What `minimise` needs: it holds a current state and at most one candidate."""

    def linearise(self) -> float:
        """Normal equations at the current state; its cost."""
        ...

    def try_step(self, damping: float) -> float | None:
        """Make the candidate that the damped normal equations give, linearised; its cost, None if there is none."""
        ...

    def accept(self) -> None:
        """The candidate becomes the current state."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a minimisation ended.

    Attributes:
        cost: at the end.
        iterations: accepted steps.
        converged: the last step no longer mattered.
        status: a sentence.
    """

    cost: float
    iterations: int
    converged: bool
    status: str


def minimise(problem: Problem, *, max_iterations: int = 50, tolerance: float = 1e-9) -> Outcome:
    """Minimise from the problem's current state, which ends at the best state found.

    Args:
        problem: holds the state.
        max_iterations: of accepted steps.
        tolerance: relative fall of the cost below which a step no longer matters.
    """
    cost, damping = problem.linearise(), _FIRST_DAMPING
    accepted = 0
    while accepted < max_iterations:
        candidate = problem.try_step(damping)
        if candidate is not None and candidate <= cost:
            problem.accept()
            accepted += 1
            fall, cost = cost - candidate, candidate
            damping = max(damping * _EASE, _LEAST_DAMPING)
            if fall <= tolerance * cost:
                return Outcome(cost, accepted, True, f"converged in {accepted} steps")
            continue
        if candidate is not None and candidate - cost <= tolerance * cost:
            return Outcome(cost, accepted, True, f"converged in {accepted} steps")
        damping *= _TIGHTEN
        if damping > _MOST_DAMPING:
            return Outcome(cost, accepted, False, f"no step lowers the cost after {accepted} steps")
    return Outcome(cost, accepted, False, f"not converged in {max_iterations} steps")
