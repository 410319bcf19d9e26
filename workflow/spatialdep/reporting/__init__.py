"""From the tidy table to statistics, tables, figures and the verdict."""
