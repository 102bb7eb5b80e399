"""The stepwise stop of the mirror, run as the document writes it: what each step leaves for a roll back to lose."""
