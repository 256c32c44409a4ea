"""What produces the result cards: one module a card, `python -m benchmarks.NAME`; `make bench` runs all."""
