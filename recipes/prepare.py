"""Prepare a corpus: its manifest, its facts and its splits. The same as ``emovec prepare``.

    python recipes/prepare.py ravdess --data_folder=/data/RAVDESS

Reads   the corpus as published (layouts: emovec/corpora/*.py)
Writes  <output>/manifest.csv, corpus.json, measurements.csv, splits/<protocol>.csv
"""

import sys

from emovec.cli import main

if __name__ == "__main__":
    main(["prepare", *sys.argv[1:]])
