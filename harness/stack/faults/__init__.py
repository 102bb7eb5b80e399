"""Faults that every environment makes alike: the proxy in front of the pods, locked tables, what is told of them."""
