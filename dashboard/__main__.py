"""`python -m dashboard` is the same as `carbonweather`."""

from dashboard.cli import main

if __name__ == "__main__":
    main(prog_name="carbonweather")
