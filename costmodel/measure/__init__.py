"""Measures what networks cost on this host: runtimes, a reference workload, campaigns, labels."""
