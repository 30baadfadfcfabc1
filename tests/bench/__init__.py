"""What the house costs and how fast it is, measured: `make bench`. See docs/benchmarks.md."""
