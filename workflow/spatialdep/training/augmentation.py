"""Random crops and flips of a whole batch at once, on the device that holds the images."""

import torch
from torch import Tensor
from torch.nn.functional import pad

PADDING = 4


def draw_crop_flip(images: int, generator: torch.Generator) -> Tensor:
    """Draw what happens to each of ``images`` images in an epoch.

    Returns
    -------
    Tensor
        int64 ``(images, 3)``: row and column of the crop in the padded image, and 1 for a flip.
    """
    corners = torch.randint(2 * PADDING + 1, (images, 2), generator=generator)
    flips = torch.randint(2, (images, 1), generator=generator)
    return torch.cat([corners, flips], dim=1)


def crop_flip(images: Tensor, draws: Tensor) -> Tensor:
    """Crop each image after padding it by 4 black pixels on each side, and flip half of them.

    The distribution is that of torchvision's ``RandomCrop(S, padding=4)`` on the stored image,
    followed by ``RandomHorizontalFlip()``: the padding is black, not the mean colour.

    Parameters
    ----------
    images
        uint8 ``(N, S, S, C)``.
    draws
        From :func:`draw_crop_flip`, ``(N, 3)``, on the images' device.

    Returns
    -------
    Tensor
        uint8 ``(N, S, S, C)``.
    """
    count, size = images.shape[:2]
    padded = pad(images, (0, 0, PADDING, PADDING, PADDING, PADDING))
    top, left, flip = draws.unsqueeze(2).unbind(1)
    along = torch.arange(size, device=images.device)
    rows = top + along
    columns = left + torch.where(flip == 1, size - 1 - along, along)
    image = torch.arange(count, device=images.device)
    return padded[image[:, None, None], rows[:, :, None], columns[:, None, :]]
