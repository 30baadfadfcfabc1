"""Dissatisfaction that is said politely, found by the company's own phrases. Rules, because a
person must be able to foresee them.
"""

from shared.adapters.message_words import find_phrase, folded_words
from shared.adapters.urgency_rules import spoken
from shared.domain.classification import Evidence
from shared.domain.understanding import WeakSignals


def find_weak_signals(text: str, policy: WeakSignals, *, language: str) -> tuple[Evidence, ...]:
    """One piece of evidence for each signal, its `reason` the signal's name, in the policy's
    order.
    """
    folded = folded_words(text)
    found = []
    for name, signal in policy.signals.items():
        words = find_phrase(spoken(signal.phrases, language), folded)
        if words is None or find_phrase(spoken(signal.unless, language), folded):
            continue
        found.append(Evidence(aspect="weak_signal", words=(words,), reason=name))
    return tuple(found)
