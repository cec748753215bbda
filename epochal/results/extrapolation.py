"""Extrapolate learning curves with families of saturating functions, weighted by how well they fit the known epochs.

The families come from Domhan, Springenberg and Hutter, "Speeding up automatic hyperparameter optimization of deep
neural networks by extrapolation of learning curves" (IJCAI 2015); only those that rise and level off are used. Viering
and Loog, "The shape of learning curves: a review" (2021), compare such families. Weights and uncertainties are computed
by Laplace's method (MacKay, "Information theory, inference, and learning algorithms", chapters 27 and 28), whereas
Domhan et al. use Markov chain Monte Carlo.

Import this module only to forecast a curve, because it imports SciPy, which takes half a second.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

Vector = NDArray[np.float64]

_MIN_NOISE = 0.004
_MAX_CORRELATION = 0.8
_MAX_STEPS = 60
_PRIOR_LEVEL_AND_DROP = 0.5
"""The standard deviation of the nearly uninformative priors for level and drop."""

# How far a curve may depart from the families' mean per doubling of the epochs. Chosen with benchmarks/forecast.py.
_DRIFT = 0.3
"""How far a curve may depart from the mean forecast, as a fraction of the accuracy gained in the last doubling of epochs."""
_LATE_START = 0.15
"""Like ``_DRIFT``, but for a model that has not begun to learn, and as a fraction of the remaining error."""
_LATE_START_DECAY = 2
"""The exponent that determines how fast ``_LATE_START`` loses weight as the model learns."""
_MAX_SURGE = 0.5
"""The most that ``_surplus_slope`` can add to the standard deviation, as a fraction of the remaining error."""
_MIN_RECENT = 5
_MIN_LEARNT = 0.1
"""A model has begun to learn once this fraction of its initial error is gone."""


@dataclass(frozen=True)
class Extrapolation:
    """The accuracies (0 to 1) predicted for later epochs, and the precision of these predictions.

    ``deviations``: the standard deviations of the accuracies that would be measured after these epochs.
    ``is_learning``: whether the model has begun to learn. If not, it is impossible to predict when it will.
    """

    accuracies: list[float]
    deviations: list[float]
    is_learning: bool


@dataclass(frozen=True)
class _Family:
    """Curves of the form ``level - drop * shape(epochs, ...)``. The shape falls towards 0; its parameters are positive.

    ``priors``: for each parameter of the shape, the prior mean and standard deviation of its logarithm. The mean of
    a rate depends on the curve, so it is given as None, which stands for ``log(4 / last known epoch)``.
    """

    shape: Callable[..., Vector]
    priors: tuple[tuple[float | None, float], ...] = ()

    def accuracy(self, parameters: Vector, epochs: Vector) -> Vector:
        """Return the accuracy after each of ``epochs``.

        ``parameters``: level, drop, and the logarithms of the shape's parameters.
        """
        level, drop = parameters[:2]
        return np.asarray(level - drop * self.shape(epochs, *np.exp(parameters[2:])))


_FAMILIES = (
    _Family(lambda epochs, power: epochs**-power, ((-0.4, 1.0),)),  # pow3
    _Family(lambda epochs, rate, power: (1 + rate * epochs) ** -power, ((None, 2.0), (0.0, 1.0))),  # pow4
    _Family(lambda epochs, rate: np.exp(-rate * epochs), ((None, 2.0),)),  # exponential
    _Family(lambda epochs, rate, power: np.exp(-((rate * epochs) ** power)), ((None, 2.0), (0.0, 0.5))),  # Weibull
    _Family(lambda epochs, rate, power: 1 / (1 + (rate * epochs) ** power), ((None, 2.0), (0.3, 0.5))),  # MMF
    _Family(lambda epochs: 1 / np.log(epochs + np.e - 1)),  # ilog2
)


@dataclass(frozen=True)
class _Fit:
    """A family with its best-fitting parameters for a curve.

    ``deviations``: the standard deviations of the parameters' priors. ``residuals``: the weighted residuals of the
    curve, in standard deviations of the noise, followed by one residual per parameter, in standard deviations of its
    prior. ``slopes``: the Jacobian of the residuals with respect to the parameters.
    """

    family: _Family
    parameters: Vector
    deviations: Vector
    residuals: Vector
    slopes: Vector

    @property
    def error(self) -> float:
        """The sum of the squares of the curve's residuals, excluding the residuals of the priors."""
        return float(np.sum(self.residuals[: -len(self.parameters)] ** 2))

    def precision(self, trust: float) -> Vector:
        """Return the inverse covariance matrix of the parameters.

        ``trust``: the weight of each squared residual of the curve.
        """
        count = len(self.parameters)
        curve_slopes, prior_slopes = self.slopes[:-count], self.slopes[-count:]
        return np.asarray(trust * curve_slopes.T @ curve_slopes + prior_slopes.T @ prior_slopes)

    def evidence(self, trust: float) -> float:
        """Return the logarithm of the curve's probability under the family, up to a constant that all families share.

        ``trust``: see ``precision``.
        """
        prior_error = float(np.sum(self.residuals[-len(self.parameters) :] ** 2))
        volume = np.linalg.slogdet(self.precision(trust))[1] / 2 + np.sum(np.log(self.deviations))
        return float(-(trust * self.error + prior_error) / 2 - volume)

    def variance(self, trust: float, epochs: Vector) -> Vector:
        """For each of ``epochs``, return the variance of the accuracy due to uncertainty in the parameters."""
        step = 1e-5
        steps = step * np.eye(len(self.parameters))
        moved = [self.family.accuracy(self.parameters + each, epochs) for each in steps]
        slopes = (np.array(moved) - self.family.accuracy(self.parameters, epochs)) / step
        return np.asarray(np.sum(slopes * np.linalg.solve(self.precision(trust), slopes), axis=0))


def extrapolate(curve: Sequence[tuple[float, float]], later_epochs: Sequence[int]) -> Extrapolation:
    """Return the accuracies expected after ``later_epochs``, all of which must come after the last epoch of the curve.

    ``curve``: at least five (epoch, accuracy) pairs in ascending order of epoch. Epochs are counted from 1. Each
    accuracy (0 to 1) is the accuracy after that epoch.
    """
    epochs, accuracies = np.array(curve).T
    later = np.array(later_epochs, dtype=float)
    weights = np.sqrt(epochs / epochs[-1])  # the end of a curve predicts better than its beginning
    # The noise from epoch to epoch, estimated by second differences, which are close to 0 for a smooth rise.
    noise = max(_MIN_NOISE, float(1.4826 * np.median(np.abs(np.diff(accuracies, 2))) / np.sqrt(6)))
    fits = [_fit_family(family, epochs, accuracies, weights, noise) for family in _FAMILIES]
    deviation, correlation = _residual_noise(min(fits, key=lambda fit: fit.error), weights, noise)
    # Correlated residuals carry less information than the same number of independent residuals.
    trust = (noise / deviation) ** 2 * (1 - correlation) / (1 + correlation)
    # The posterior probability of each family, from equal prior probabilities.
    evidence = np.array([fit.evidence(trust) for fit in fits])
    shares = np.exp(evidence - evidence.max())
    shares /= shares.sum()
    mean, variance = _mix_families(fits, shares, trust, later)
    (begin, middle, end), _ = _mix_families(fits, shares, trust, np.array([epochs[0], epochs[-1] / 2, epochs[-1]]))
    learnt = min(max((end - begin) / max(1 - begin, 1e-9), 0.0), 1.0)  # the fraction of the initial error that is gone
    gain_drift, late_start = _DRIFT * (end - middle), _LATE_START * (1 - end) * (1 - learnt) ** _LATE_START_DECAY
    drift = max(gain_drift, late_start) * np.log2(later / epochs[-1])
    surge = _surplus_slope(fits, shares, trust, epochs, accuracies, noise) * (later - epochs[-1])
    surge = np.minimum(surge, _MAX_SURGE * (1 - end))
    deviations = np.sqrt(variance + deviation**2 + drift**2 + surge**2)
    return Extrapolation(np.clip(mean, 0, 1).tolist(), deviations.tolist(), is_learning=bool(learnt >= _MIN_LEARNT))


def _surplus_slope(
    fits: list[_Fit], shares: Vector, trust: float, epochs: Vector, accuracies: Vector, noise: float
) -> float:
    """Return how much steeper the end of the curve is than the families predict, net of noise, in accuracy per epoch.

    The families cannot follow a curve that rises in two stages, and would treat its second rise as almost impossible.
    """
    count = max(_MIN_RECENT, len(epochs) // 4)
    recent, values = epochs[-count:], accuracies[-count:]
    mean, _ = _mix_families(fits, shares, trust, recent)
    spread = recent - recent.mean()
    error = noise / np.sqrt(np.sum(spread**2))
    return max(0.0, float(np.sum(spread * (values - mean)) / np.sum(spread**2)) - float(error))


def _mix_families(fits: Sequence[_Fit], shares: Vector, trust: float, epochs: Vector) -> tuple[Vector, Vector]:
    """Return the mean and the variance of what the families predict for ``epochs``, weighted by ``shares``."""
    each = np.array([fit.family.accuracy(fit.parameters, epochs) for fit in fits])
    mean = shares @ each
    within = np.array([fit.variance(trust, epochs) for fit in fits])
    return mean, shares @ (within + (each - mean) ** 2)


def _fit_family(family: _Family, epochs: Vector, accuracies: Vector, weights: Vector, noise: float) -> _Fit:
    level, drop, rate = min(1.0, accuracies[-5:].mean() + 0.03), 0.5, np.log(4 / epochs[-1])
    prior_means = np.array([level, drop, *(rate if mean is None else mean for mean, _ in family.priors)])
    deviations = np.array([_PRIOR_LEVEL_AND_DROP] * 2 + [deviation for _, deviation in family.priors])
    lowest, highest = prior_means - 4 * deviations, prior_means + 4 * deviations
    lowest[:2], highest[:2] = 0, (1, 2)

    def residuals(parameters: Vector) -> Vector:
        curve_residuals = (family.accuracy(parameters, epochs) - accuracies) * weights / noise
        return np.concatenate([curve_residuals, (parameters - prior_means) / deviations])

    start = np.clip(prior_means, lowest + 1e-6, highest - 1e-6)
    found = least_squares(residuals, start, bounds=(lowest, highest), max_nfev=_MAX_STEPS)
    return _Fit(family, found.x, deviations, found.fun, found.jac)


def _residual_noise(fit: _Fit, weights: Vector, noise: float) -> tuple[float, float]:
    """Return the standard deviation of a fit's residuals, and the correlation between neighbouring residuals."""
    freedom = max(1.0, float(np.sum(weights**2)) - 3)
    deviation = max(_MIN_NOISE, noise * math.sqrt(fit.error / freedom))
    residuals = fit.residuals[: len(weights)] / weights
    correlation = float(np.sum(residuals[1:] * residuals[:-1]) / max(np.sum(residuals**2), 1e-12))
    return deviation, min(max(correlation, 0.0), _MAX_CORRELATION)
