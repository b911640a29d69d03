"""What the comparison runs on: texts of several scripts, pictures without symmetries."""

import numpy as np

TEXTS = (
    "What is the sum of the interior angles of a hexagon?",
    "다음 중 이차방정식 $x^2 - 5x + 6 = 0$의 두 근의 합은?",
    "Photosynthesis converts light energy into chemical energy.",
    "함수 $f(x)=\\sin x$의 최댓값을 구하시오.",
    "a",
    "   앞뒤   공백이    많은 문장   ",
    "A photo of two CATS, lying on a pink couch; 42 apples.",
    "光合作用把光能变成化学能。",
)

# Neighbours, and a pair of the longest two.
PAIRS = [*zip(TEXTS, (*TEXTS[1:], TEXTS[0]), strict=True), (TEXTS[0], TEXTS[6])]


def picture(height: int, width: int, seed: int) -> np.ndarray:
    """uint8 [height, width, 3]: a slope in each colour under noise."""
    random = np.random.default_rng(seed)
    rows = np.linspace(0, 1, height)[:, None, None]
    columns = np.linspace(0, 1, width)[None, :, None]
    slope = rows * [200, 40, 90] + columns * [20, 180, 60]
    return np.clip(slope + random.normal(0, 25, (height, width, 3)), 0, 255).astype(np.uint8)
