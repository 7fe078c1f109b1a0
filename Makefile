# Two commands do everything: `make demo` shows it, `make test` proves it. Both stand on `make setup`.
.PHONY: setup demo test test-long bench release clean
SHELL := /bin/sh

setup:
	@sh scripts/setup.sh

demo: setup
	@sh scripts/demo.sh

test: setup
	@sh scripts/test.sh

test-long: setup
	npm run --silent test:long

bench: setup
	bin/luminaguard bench --write BENCHMARKS.md

# the packages that are published: this one, and its base image for this kind of processor
release: setup
	@node scripts/release.mjs release

clean:
	rm -rf dist coverage release packages node_modules
