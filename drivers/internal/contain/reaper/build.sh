#!/bin/sh
# Compiles src/reaper.c into what is embedded.
set -e
cd "$(dirname "$0")"
gcc -Os -Wall -Werror -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-pie -no-pie -fcf-protection=none \
	-Wl,-z,noexecstack,-z,separate-code,-z,max-page-size=4096,--build-id=none,-s -o reaper_amd64 src/reaper.c
