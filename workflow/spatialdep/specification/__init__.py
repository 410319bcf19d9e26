"""What a run is, and how a configuration names runs."""
