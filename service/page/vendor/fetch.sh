#!/usr/bin/env bash
# Fetches the page's one library from the npm registry, by version and checksum, and keeps the file that is served and its
# licence. Run it to raise the version; users and builds never need it.
set -euo pipefail
cd "$(dirname "$0")"
version=7.9.0
sha256=f2094bbf6141b359722c4fe454eb6c4b0f0e42cc10cc7af921fc158fceb86539
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
npm pack --silent --pack-destination "$scratch" "d3@$version"
tar -xzf "$scratch/d3-$version.tgz" -C "$scratch"
cp "$scratch/package/dist/d3.min.js" d3.min.js
cp "$scratch/package/LICENSE" d3.LICENSE
echo "$sha256  d3.min.js" | sha256sum --check --quiet
