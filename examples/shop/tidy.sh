# Rewrites the price list, adds a check to the CI and removes a file that nobody needs.
set -eu
sed -i 's/price_cents/priceCents/g' src/prices.js
mkdir -p .github/workflows
printf 'on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps: [{ run: node src/prices.js }]\n' > .github/workflows/test.yml
rm src/old-prices.js
echo "renamed price_cents in $(grep -c priceCents src/prices.js) lines"
