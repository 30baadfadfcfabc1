"""The second target of the same template: a laptop. `python -m infra.local` runs it."""
