"""`python -m servicecatalog` starts the demo API server."""

from servicecatalog.cli import main

if __name__ == "__main__":
    main()
