"""Recipes that make the data and models shipped with this repository."""
