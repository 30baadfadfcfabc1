"""`python -m infra.training` rebuilds the embedded model and prints how it does on texts it has
never seen.

`--evaluate` only evaluates the model that is there.
"""

import sys
from datetime import date
from time import perf_counter

from infra.training import evaluation
from infra.training.grammar import corpus_hash, examples
from infra.training.trainer import train, write
from shared.adapters.embedded_classifier import MODEL

WRITTEN = date(2026, 11, 22)
"""When the corpus was last changed; part of the model's version. Not today's date: the same corpus
is the same model.
"""
SENTIMENTS = ("negative", "neutral", "positive")


def main() -> None:
    if "--evaluate" not in sys.argv:
        started = perf_counter()
        found = examples()
        print(f"{len(found)} examples, training …", flush=True)
        intents = tuple(sorted({one.intent for one in found if one.intent}))
        model = train(found, {"intent": intents, "sentiment": SENTIMENTS})
        hashed = corpus_hash()
        write(model, MODEL, version=f"embedded-{WRITTEN}-{hashed}", corpus_hash=hashed)
        print(f"{MODEL.name}: {MODEL.stat().st_size:,} bytes in {perf_counter() - started:.0f} s")
    print(evaluation.report())


if __name__ == "__main__":
    main()
