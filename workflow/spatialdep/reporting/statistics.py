"""Means, intervals and tests over seeds and test images.

Two things are random when networks are compared on a test set: the seed (initial weights, order of
the images, augmentation, shuffles) and which images happen to be in the test set. Seeds and images
are crossed, since every run is tested on the same images.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

CONFIDENCE = 0.95
REPLICATES = 2000


@dataclass(frozen=True)
class Estimate:
    """A mean with its uncertainty; one seed gives no uncertainty, only NaN.

    Attributes
    ----------
    mean, sd
        Over seeds, in the unit of the values.
    error
        Standard error of the mean.
    seed_share
        Which part of the squared error comes from the seeds; the rest comes from the test images.
    seeds
        How many there were.
    """

    mean: float
    sd: float
    error: float
    seed_share: float
    seeds: int

    @property
    def known(self) -> bool:
        """Whether there is an uncertainty, so that something can be concluded."""
        return bool(np.isfinite(self.error))

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Return the two-sided interval; NaN twice where there is one seed only.

        Its quantile lies between Student's for the seeds and the normal one for the images, of
        which there are thousands, by their shares (Cochran and Cox 1950). With seeds alone it is
        Student's interval.
        """
        if not self.known:
            return np.nan, np.nan
        level = (1 + confidence) / 2
        quantile = self.seed_share * stats.t.ppf(level, self.seeds - 1) + (
            1 - self.seed_share
        ) * stats.norm.ppf(level)
        return float(self.mean - quantile * self.error), float(self.mean + quantile * self.error)


def over_seeds(values: ArrayLike) -> Estimate:
    """Estimate the mean over seeds of one setting from one value a seed, (S,)."""
    array = np.asarray(values, dtype=np.float64)
    if len(array) < 2:
        return Estimate(float(array.mean()), np.nan, np.nan, 1.0, len(array))
    return Estimate(
        float(array.mean()), float(array.std(ddof=1)), float(stats.sem(array)), 1.0, len(array)
    )


def over_seeds_and_images(
    differences: NDArray[np.floating], *, replicates: int = REPLICATES, seed: int = 0
) -> Estimate:
    """Estimate a mean difference over seeds and test images by a hierarchical bootstrap.

    The standard deviation of the replicates of :func:`bootstrap` is the standard error.

    Parameters
    ----------
    differences
        Per seed and test image, (S, N): 0, 1, -1, or their mean over passes.
    replicates
        Number of bootstrap replicates.
    seed
        Makes the bootstrap repeatable.

    Returns
    -------
    Estimate
        In the unit of ``differences``.
    """
    simple = over_seeds(differences.mean(axis=1, dtype=np.float64))
    if not simple.known:
        return simple
    # The replicates' own noise must not make the error smaller than the seeds alone make it.
    error = max(float(bootstrap(differences, replicates, seed).std(ddof=1)), simple.error)
    share = (simple.error / error) ** 2 if error > 0 else 1.0
    return Estimate(simple.mean, simple.sd, error, share, simple.seeds)


def bootstrap(
    differences: NDArray[np.floating], replicates: int = REPLICATES, seed: int = 0
) -> NDArray[np.float64]:
    """Return bootstrap replicates of the mean of ``differences`` (S, N), S >= 2; (replicates,).

    Each replicate draws, independently and with replacement, seeds and images: as both are
    crossed, it adds the mean of the drawn seeds' means and the mean of the drawn images' effects.
    Two corrections make its variance unbiased: of S seeds S - 1 are drawn (Rao and Wu 1988; drawing
    S gives a variance a third too small for three seeds), and the images' effects are shrunk to
    their estimated variance (Carpenter, Goldstein and Rasbash 2003; the part of them which is noise
    of single runs is in the seeds' means already).
    """
    seeds, images = differences.shape
    values = np.asarray(differences, dtype=np.float64)
    seed_means, image_means, mean = values.mean(axis=1), values.mean(axis=0), values.mean()
    noise = values - seed_means[:, None] - image_means + mean
    noise_variance = (noise**2).sum() / ((seeds - 1) * (images - 1))
    variance = image_means.var(ddof=1)
    share = max(0.0, 1 - noise_variance / seeds / variance) if variance > 0 else 0.0
    image_effects = np.sqrt(share) * (image_means - mean)

    generator = np.random.default_rng(seed)
    drawn_seeds = generator.integers(seeds, size=(replicates, seeds - 1))
    drawn_images = np.array(
        [image_effects[generator.integers(images, size=images)].mean() for _ in range(replicates)]
    )
    means: NDArray[np.float64] = seed_means[drawn_seeds].mean(axis=1) + drawn_images
    return means


def within(estimate: Estimate, low: float, high: float, confidence: float = CONFIDENCE) -> bool:
    """Whether the mean is shown to lie in (low, high): two one-sided tests (Schuirmann 1987).

    Each is at level 1 - confidence, so both hold together where the interval of confidence
    2 · confidence - 1 lies inside. Too few data show nothing; neither does a lack of significance.
    """
    lower, upper = estimate.interval(2 * confidence - 1)
    return low < lower and upper < high


def outside(estimate: Estimate, low: float, high: float, confidence: float = CONFIDENCE) -> bool:
    """Whether the mean is shown to lie outside [low, high], at level 1 - confidence."""
    lower, upper = estimate.interval(2 * confidence - 1)
    return upper < low or high < lower
