import numpy as np

from mv3d.geometry.damping import minimise


class Rosenbrock:
    """r = (10 (y - x^2), 1 - x): curved enough that undamped steps overshoot."""

    def __init__(self, x: np.ndarray) -> None:
        self.x, self.next = x, x

    @staticmethod
    def _terms(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]]), np.array([[-20 * x[0], 10.0], [-1.0, 0.0]])

    def linearise(self) -> float:
        r, _ = self._terms(self.x)
        return float(r @ r)

    def try_step(self, damping: float) -> float | None:
        r, J = self._terms(self.x)
        H = J.T @ J
        self.next = self.x - np.linalg.solve(H + damping * np.diag(np.diag(H)), J.T @ r)
        r, _ = self._terms(self.next)
        return float(r @ r)

    def accept(self) -> None:
        self.x = self.next


def test_finds_the_minimum_of_a_curved_valley() -> None:
    problem = Rosenbrock(np.array([-1.2, 1.0]))
    outcome = minimise(problem, tolerance=1e-14)
    assert outcome.converged
    np.testing.assert_allclose(problem.x, 1.0, atol=1e-6)


def test_says_when_it_ran_out_of_steps() -> None:
    outcome = minimise(Rosenbrock(np.array([-1.2, 1.0])), max_iterations=2, tolerance=0.0)
    assert not outcome.converged
    assert "2 steps" in outcome.status


class Stuck(Rosenbrock):
    def try_step(self, damping: float) -> float | None:
        return None


def test_gives_up_where_no_step_can_be_made() -> None:
    outcome = minimise(Stuck(np.zeros(2)))
    assert not outcome.converged
    assert outcome.iterations == 0
