# Every target works from a fresh clone: what it needs is installed first, once.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
STACK ?= local
PYTHON ?= python3
RUN := .venv/bin/python -m local

.PHONY: help up down preview drift report rehearse pr comment drill test check e2e cluster cluster-down tools images charts catalog env bench bench-status reference docs policy-pack schema lock clean
.DEFAULT_GOAL := help

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/ready: requirements.lock pyproject.toml local/bootstrap
	@local/bootstrap $(PYTHON)

up: .venv/ready ## Set up, start the embedded cluster if the stack wants it, pulumi up, summary [STACK=local] [REFRESH=1]
	@$(RUN) up --stack $(STACK) $(if $(REFRESH),--refresh)

down: .venv/ready ## Destroy the stack and stop the embedded cluster [STACK=local]
	@$(RUN) down --stack $(STACK)

preview: .venv/ready ## What `up` would change [STACK=local]
	@$(RUN) preview --stack $(STACK)

drift: .venv/ready ## What was changed outside the stack, and what mends it; code 4: must be fixed [STACK=local] [JSON=1]
	@$(RUN) drift --stack $(STACK) $(if $(JSON),--json)

report: .venv/ready ## What `up` would change, hit and cost, as Markdown [STACK=local] [OUT=FILE]
	@$(RUN) report --stack $(STACK) $(if $(OUT),--out "$(OUT)")

test: check e2e ## Set up and run every test, real engine and real cluster included

check: .venv/ready ## The fast part: lint, formatting, types, layers, unit, program, sdk and case tests
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy --no-error-summary
	@.venv/bin/lint-imports --no-cache 2>&1 | tail -n 3
	@.venv/bin/pytest -q -m "not e2e" --numprocesses auto

e2e: .venv/ready ## Tests on the real engine and the embedded cluster
	@$(RUN) ready
	@.venv/bin/pytest -v -m e2e --durations 25

cluster: .venv/ready ## Start the embedded cluster alone
	@$(RUN) cluster

cluster-down: .venv/ready ## Stop the embedded cluster and everything on it
	@$(RUN) cluster-down

tools: .venv/ready ## Build or find every tool
	@$(RUN) tools

images: .venv/ready ## Build every container image and load it into the embedded cluster
	@$(RUN) images

charts: .venv/ready ## Materialise the pinned charts and check their digests [PIN=published]
	@$(RUN) charts $(if $(PIN),--pin $(PIN))

catalog: .venv/ready ## Write the instance catalogue from moto's record of EC2 [LIVE=us-west-2: ask AWS there]
	@$(RUN) catalog $(if $(LIVE),--live $(LIVE))

env: .venv/ready ## Print exports for an own shell: eval "$(make env)" [STACK=local]
	@$(RUN) env --stack $(STACK)

rehearse: .venv/ready ## Rehearse an AWS environment: double of AWS, real engine and cluster; one JSON line last [STACK=dev]
	@.venv/bin/python -m rehearsal --stack $(if $(filter local,$(STACK)),dev,$(STACK))

pr: .venv/ready ## A pull request's pipeline: check, rehearse changed environments, report; one JSON line last [BASE=main] [OUT=build/pr]
	@.venv/bin/python -m rehearsal.pull_request --base "$(or $(BASE),main)" --out "$(or $(OUT),build/pr)" $(if $(SKIP_CHECK),--skip-check)

comment: ## Post REPORT=FILE on the pull request of the workflow run that GitHub tells of; in a workflow only
	@$(PYTHON) -m rehearsal.comment "$(REPORT)"

drill: .venv/ready ## Hurt gangs in every known way on the stack local and see them return [DRILLS="hang rank-killed"] [TIMES=1] [AT_ONCE=2]
	@$(RUN) up
	@.venv/bin/python -m drill $(DRILLS) --times $(or $(TIMES),1) $(if $(AT_ONCE),--at-once $(AT_ONCE))

bench: .venv/ready ## Measure start, up, no-op and previews, also of prod and as it grows; one JSON line last
	@.venv/bin/python -m rehearsal.bench

reference: .venv/ready ## Write docs/reference from settings, commands, exit codes and outputs
	@.venv/bin/python -m local.reference

docs: .venv/ready ## Check the documentation: links, anchors, commands, options, and that the reference is up to date
	@.venv/bin/python -m local.pages

bench-status: .venv/ready ## Measure `muster status` with 200 jobs on 1,000 simulated nodes; one JSON line last
	@.venv/bin/python -m local.bench_status

policy-pack: policies/.venv/ready ## Set up the policies as a Pulumi policy pack: pulumi preview --policy-pack policies

policies/.venv/ready: policies/requirements.lock policies/bootstrap
	@policies/bootstrap $(PYTHON)

schema: .venv/ready ## Write the JSON Schema of stack files
	@.venv/bin/muster schema > infra/muster/stack.schema.json

lock: .venv/ready ## Pin the Python packages again, with hashes
	@local/lock

clean: .venv/ready ## Stop everything and remove caches and virtual environment
	@$(RUN) clean
	@rm -rf .venv policies/.venv charts
