"""Test passes and what is measured in them."""
