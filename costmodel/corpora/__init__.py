"""Loaders: a dataset folder -> `Corpus`. One module per data set; the data lie in datasets/, never in a package."""
