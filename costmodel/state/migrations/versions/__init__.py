"""One file per revision, numbered; each only adds, so that an older process can go on while a newer one has begun."""
