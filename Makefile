# What people type. CMake and Ninja do the building; the scripts say what each target means.
BUILD := build/release

.PHONY: help build run test bench clean stop
help:
	@echo "make run     install what is needed, build, mount a volume at ./mnt and fill it"
	@echo "make stop    end what make run started"
	@echo "make test    install what is needed, build, run every check"
	@echo "make bench   install what is needed, build, measure (docs/benchmarks.md)"
	@echo "make build   build only"
	@echo "make clean   remove the build"

build:
	@scripts/setup
	@cmake --preset release >/dev/null
	@ninja -C $(BUILD) --quiet

run:
	@scripts/setup
	@cmake --preset release >/dev/null
	@ninja -C $(BUILD) firn
	@scripts/demo

stop:
	@$(BUILD)/bin/firn umount mnt

test:
	@scripts/setup --tests
	@scripts/check

bench: build
	@scripts/setup --tests
	@bench/run

clean:
	rm -rf build
