"""From an encoded image to pixels: Pillow's, bit for bit, but sooner.

The reference is ``PIL.Image.open(…).convert("RGB")``, as the published Small-ImageNet was made.
Its rules, and the rules added here for images that have no one right reading:

* A grey image's channel is repeated; CMYK is converted by Pillow; transparency and palettes are
  resolved by ``convert``; of several frames the first counts.
* The format is told by the content and not by the name: a PNG called .JPEG is read as a PNG.
* EXIF orientation is ignored: the pixels are taken as they are stored.
* RGB with 16 bits a channel keeps the upper 8. **Refused** are single channels of more than
  8 bits, whose range Pillow would cut off at 255.
* Refused as well: empty, truncated or damaged files, files in other formats than those below, and
  more pixels than Pillow holds to be safe.

Plain JPEGs (YCbCr or grey, without a warning from the decoder) are decoded by simplejpeg, which
binds the same libjpeg-turbo but hands its pixels over without a copy; everything else is Pillow's.
"""

import io
import warnings

import numpy as np
import simplejpeg
from PIL import Image

# No format whose reader starts another program (EPS) or reads another file.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
_DEEP_MODES = ("I", "F")
_MAX_PIXELS = 89_478_485  # Pillow's own default, from which on it warns of a bomb.


class UnreadableError(Exception):
    """An encoded image that the rules above refuse; the message is the reason."""


class Decoder:
    """Decodes one image after another into the same memory; not for several threads."""

    def __init__(self) -> None:
        self._memory = np.empty(0, np.uint8)

    def rgb(self, data: bytes) -> np.ndarray:
        """Decode to uint8 ``(H, W, 3)``, valid until the next call.

        Raises
        ------
        UnreadableError
            If the image is refused.
        """
        pixels = self._plain_jpeg(data, "RGB")
        return np.array(_by_pillow(data)) if pixels is None else pixels

    def small(self, data: bytes, size: int) -> np.ndarray:
        """Decode and resize to uint8 ``(3, size, size)`` with the box filter, without a crop.

        Raises
        ------
        UnreadableError
            If the image is refused.
        """
        pixels = self._plain_jpeg(data, "RGBX")
        if pixels is None:
            image = _by_pillow(data)
        else:
            # Four bytes a pixel are Pillow's own layout, so it looks at this memory as it is.
            shape = (pixels.shape[1], pixels.shape[0])
            image = Image.frombuffer("RGBX", shape, pixels, "raw", "RGBX", 0, 1)
        resized = np.asarray(image.resize((size, size), Image.Resampling.BOX))
        return resized[..., :3].transpose(2, 0, 1)

    def _plain_jpeg(self, data: bytes, layout: str) -> np.ndarray | None:
        """Return uint8 ``(H, W, 3 or 4)`` as ``layout`` says, or None if it is no such JPEG."""
        try:
            height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
            if colours not in ("YCbCr", "Gray") or height * width > _MAX_PIXELS:
                return None
            if self._memory.size < 4 * height * width:
                self._memory = np.empty(4 * height * width, np.uint8)
            pixels: np.ndarray = simplejpeg.decode_jpeg(
                data, colorspace=layout, buffer=self._memory
            )
            return pixels
        except ValueError:
            return None  # Not a JPEG, or the decoder has a warning: Pillow decides.


def _by_pillow(data: bytes) -> Image.Image:
    if not data:
        raise UnreadableError("it is empty")
    try:
        with (
            # Of metadata, which is not asked for; the bomb it warns of is refused below.
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(data), formats=_FORMATS) as image,
        ):
            if image.width * image.height > _MAX_PIXELS:
                raise UnreadableError(f"it has {image.width}×{image.height} pixels")
            if image.mode.split(";")[0] in _DEEP_MODES:
                raise UnreadableError(f"its one channel has more than 8 bits (mode {image.mode})")
            return image.convert("RGB")
    # Pillow's readers raise these, and for damaged files only: it documents OSError, its PNG
    # reader SyntaxError, its bomb check its own.
    except (
        *(OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError),
        *(OverflowError, MemoryError, Image.DecompressionBombError),
    ) as error:
        raise UnreadableError(str(error).split(" <")[0] or type(error).__name__) from error
