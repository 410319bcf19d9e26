"""The constants that the networks' input is normalised with, in units of a pixel / 255."""

from dataclasses import dataclass

import numpy as np

Triple = tuple[float, ...]

# torchvision's, used for ImageNet and, by the paper's authors, for Small-ImageNet too.
IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
_IMAGES_AT_ONCE = 1024


@dataclass(frozen=True)
class PixelSums:
    """Exact sums over pixels of uint8 images, a channel each, which add up in any order."""

    count: int = 0
    total: tuple[int, ...] = (0, 0, 0)
    squares: tuple[int, ...] = (0, 0, 0)

    @classmethod
    def of(cls, images: np.ndarray) -> "PixelSums":
        """Sum over uint8 images ``(N, 3, H, W)``."""
        counts = np.zeros((3, 256), np.int64)
        # A histogram keeps the sums in integers, so that they do not depend on their order; in
        # pieces, since numpy counts in eight bytes a pixel.
        for start in range(0, len(images), _IMAGES_AT_ONCE):
            piece = images[start : start + _IMAGES_AT_ONCE]
            for channel in range(3):
                counts[channel] += np.bincount(piece[:, channel].ravel(), minlength=256)
        values = np.arange(256, dtype=np.int64)
        return cls(
            int(counts[0].sum()),
            tuple(int(value) for value in counts @ values),
            tuple(int(value) for value in counts @ values**2),
        )

    def __add__(self, other: "PixelSums") -> "PixelSums":
        return PixelSums(
            self.count + other.count,
            tuple(a + b for a, b in zip(self.total, other.total, strict=True)),
            tuple(a + b for a, b in zip(self.squares, other.squares, strict=True)),
        )

    def mean_and_std(self) -> tuple[Triple, Triple]:
        """Return mean and population standard deviation of a pixel / 255, a channel each."""
        mean = tuple(total / self.count / 255 for total in self.total)
        std = tuple(
            # In integers up to the root: no digits are lost in the difference.
            (self.count * square - total**2) ** 0.5 / self.count / 255
            for total, square in zip(self.total, self.squares, strict=True)
        )
        return mean, std


def channel_statistics(images: np.ndarray) -> tuple[Triple, Triple]:
    """Return mean and std a channel of uint8 images ``(N, 3, H, W)``, as a pixel / 255."""
    return PixelSums.of(images).mean_and_std()
