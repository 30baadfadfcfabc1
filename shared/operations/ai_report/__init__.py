"""The report on AI uses: what they decided in a period, how sure they were, where people disagreed,
and what changed since the period before.

It is made of counts of the ledger's records. No model runs, and nothing of a message or a person
It is made of counts of the ledger's records. No model runs, and nothing of a message or a person
"""
