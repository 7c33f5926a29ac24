# `make` lists what there is. ARGS go to the command behind the target: make test ARGS='./store -run Claim'.
.PHONY: help run test generate lint fresh bench playground console pictures vulncheck

help:
	@awk -F': *## ' '/^[a-z]+:.*##/ { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start the server
	@go run . $(ARGS)

test: ## run all tests, after installing what they need (Debian, as root) or naming it
	@scripts/test $(ARGS)

generate: ## make the GraphQL code anew from schema.graphqls
	@go tool gqlgen generate

lint: ## gofmt, go vet, staticcheck
	@scripts/lint

fresh: ## fail when something generated is not what its sources give
	@scripts/fresh

bench: ## measure the whole way of an alert
	@go run ./bench $(ARGS)

vulncheck: ## look for known vulnerabilities in what the server uses (asks the internet)
	@go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./...

playground: ## build the playground that is embedded into the server
	@cd playground/web && npm ci --no-audit --no-fund && npm run build

console: ## build the console that is embedded into the server
	@cd console/web && npm ci --no-audit --no-fund && npm run build

pictures: ## make the pictures in docs/images anew: make pictures ARGS=chats
	@scripts/pictures $(ARGS)
