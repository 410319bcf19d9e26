"""Where images come from, how they are checked, and the form they are read in."""
