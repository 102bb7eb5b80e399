"""Whole weeks in virtual time: the product's own rung ``sim``, with what the tests plant in its worlds."""
