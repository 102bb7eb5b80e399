"""What the parts cost, side by side in one run: ``python -m harness bench``. Figures: ``README.md``."""
