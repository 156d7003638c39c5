"""The science: statistics, the simulated world and its instruments. No user interface, no file formats."""
