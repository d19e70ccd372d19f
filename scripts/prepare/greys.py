"""Grey values that no mammogram has at a lesion."""

from __future__ import annotations

import numpy as np

from custom.transforms import mask_box

# 16-bit values that are saved as 8 bits wrap around, so that neighbours differ by nearly all of the range, or stop at
# 255. Of 326 lesions of CBIS-DDSM none has such neighbours, and none more than a sixth of its box at one value; of
# their 12-bit forms, wrapped, each has at least 0.4 % of such neighbours.
WHITE = 255
STEP, MOST_STEPS = 200, 0.002
MOST_WHITE = 0.5


def grey_fault(image: np.ndarray, mask: np.ndarray) -> str:
    """Why the grey values of a mammogram in the box of a lesion cannot be right; empty if they can.

    Args:
        image: `(X, Y)`.
        mask: bool `(X, Y)`, not empty.
    """
    box = mask_box(mask[None])
    assert box is not None
    x0, y0, x1, y1 = map(int, box)
    values = image[x0:x1, y0:y1]
    if values.min() == values.max():
        return f"the image has the one value {values.max():g} in the whole box of the lesion"
    if image.max() > WHITE:
        return ""
    steps = max(float((np.abs(np.diff(values, axis=axis)) > STEP).mean()) for axis in (0, 1) if values.shape[axis] > 1)
    white = float((values == WHITE).mean())
    if steps > MOST_STEPS or white > MOST_WHITE:
        return (
            f"in the box of the lesion {steps:.1%} of neighbouring pixels differ by more than {STEP} grey values and "
            f"{white:.0%} are {WHITE}: more than 8 bits were saved as 8; export the image again"
        )
    return ""
