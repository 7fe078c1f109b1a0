# Two commands do everything: `make demo` shows it, `make test` proves it. Both stand on `make setup`.
.PHONY: setup demo test test-long bench clean
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

clean:
	rm -rf dist coverage node_modules
