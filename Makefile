# make run, make test: each installs what it needs first.
.PHONY: run test build bench setup clean

run: build
	scripts/demo

test: setup
	scripts/s3-server
	scripts/api-tester
	scripts/nfs-tools
	scripts/check

build: setup
	cmake --preset release > /dev/null
	ninja -C build/release --quiet firn

bench:
	scripts/setup --bench
	scripts/s3-server
	scripts/enable-uring
	cmake --preset release > /dev/null
	ninja -C build/release --quiet firn metadata_bench object_bench
	bench/run $(BENCH)

setup:
	scripts/setup

clean:
	rm -rf build
