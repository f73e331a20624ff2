"""One sampler and one builder per network family."""
