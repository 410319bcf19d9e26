"""Channels of a narrower or wider network."""


def scaled(channels: int, width: float) -> int:
    """Return ``channels · width``, rounded, at least 1."""
    return max(1, round(channels * width))
