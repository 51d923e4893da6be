"""The settings of one control plane, checked once: sections, and how they are read from a file."""
