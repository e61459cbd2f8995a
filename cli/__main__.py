"""`python -m cli`, for where no `p2pnoise` script is installed."""

from .main import main

if __name__ == "__main__":
    main()
