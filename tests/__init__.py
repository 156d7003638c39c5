"""Tests; the folders mirror the packages. A package itself, so that no other `tests` on the path can take its place."""
