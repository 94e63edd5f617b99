#!/bin/sh
# Makes the Go code for the .proto files here again. Needs protoc, protoc-gen-go and protoc-gen-go-grpc on the PATH; building serai does not.
set -eu
cd "$(dirname "$0")"
protoc -I . --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative \
	hclspec/hclspec.proto shared/shared.proto base/base.proto driver/driver.proto ability/ability.proto
