"""``python -m rdkd``."""
from rdkd.cli.main import main

if __name__ == '__main__':
    main()
