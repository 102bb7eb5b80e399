"""What the parts cost, side by side in one run: ``nox -s bench``, or ``python -m bench``. Figures: ``README.md``."""
