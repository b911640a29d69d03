"""P11: what batching costs one client that is alone.

p50 of a statement of 16 tokens with `itembank_embed.batching` on / off. At most 1.02: nobody waits
for others who might come.

Method: one connection, prepared, the cache off; blocks of STATEMENTS with batching on and off in
turn, ROUNDS times, the same texts in each; the ratio of the two p50s of a round, medians over the
rounds.

Variables: ROUNDS (9), STATEMENTS (200), MODEL.
"""

import os
import statistics
from itertools import cycle, islice

from engine_process import MODEL, connect, set_batching
from measure import heading, in_turn, load, ratios, row, seconds
from workloads import texts

ROUNDS = int(os.environ.get("ROUNDS", "9"))
STATEMENTS = int(os.environ.get("STATEMENTS", "200"))
WARM = 20  # statements after a reload that do not count
QUERY = "SELECT vector_dims(embed(%s, %s))"


def main() -> None:
    shorts = list(islice(cycle(texts("short")), STATEMENTS + WARM))
    with connect() as admin, connect() as client:
        client.execute(QUERY, (MODEL, "warm"), prepare=True)

        def block(on: bool) -> float:
            set_batching(admin, on)
            took = [
                seconds(lambda t=text: client.execute(QUERY, (MODEL, t), prepare=True))
                for text in shorts
            ]
            return 1000 * statistics.median(took[WARM:])

        found = in_turn({"on": lambda: block(True), "off": lambda: block(False)}, ROUNDS)
        set_batching(admin, True)
    print(f"{MODEL}, one client, {ROUNDS} rounds of {STATEMENTS} statements, {load()}")
    heading()
    row("    p50 in ms, batching on", found["on"])
    row("    p50 in ms, batching off", found["off"])
    row("P11 batching on / off", ratios(found["on"], found["off"]), most=1.02)


if __name__ == "__main__":
    main()
