"""The version of everything a result depends on."""
