# A list of plain commands; each can be typed as it stands here.

.PHONY: run test race lint bench ci

run:
	go run . run --config Caddyfile.example

test:
	go test ./...

race:
	MFAGATE_REQUIRE=all go test -race ./...

lint:
	gofmt -l .
	go vet ./...
	go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run

bench:
	go test -run '^$$' -bench . ./...
	go run ./tests/bench

ci:
	bash .ci/run
