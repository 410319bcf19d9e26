"""Removes spatial information from the last layers of ConvNets and reports what is lost."""

__version__ = "0.1.0"
