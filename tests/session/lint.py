"""What lint is: programs of the locked environment, in order. Standard library only: ``noxfile.py`` reads it."""

LINT = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("mypy",),
    ("lint-imports",),
    ("deptry", "."),
    # What the tests import is declared, too; that they import what is for tests alone is right here.
    ("deptry", "tests", ".ci/night", "--exclude", "^$", "--ignore", "DEP002,DEP004"),
    ("python", "-m", "tests.shape"),
    ("python", "-m", "tests.session.workflows"),
)
