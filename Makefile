# make test          every check and every test; what this machine cannot run is skipped, with the reason
# make field         the tests that rebuild what went wrong in the field, and a table of them
# make demo          the tool at work on freshly booted nodes (as root), else on sample file system trees
# make lab-packages  Debian packages for booted nodes (as root); make test never installs any
# make bench         the benchmarks
# make power-cuts    50 power cuts during restarts on booted nodes (as root); CUTS=12 for fewer
# make soak          200 random kills on booted nodes (as root); the printed seed makes them again: make soak SEED=7
# make python-3.13   .venv-3.13, for the tests of what Python 3.13 does differently; PYTHON_3_13=… names it
# make bundle        dist/bundle-…: all that is needed to install without a network, for this Python and machine
# make standalone    dist/harbor-node-agent-…: a folder with its own Python for machines of this kind, and a .tar.xz of it
# make image         dist/harbor-node-agent-…-image.tar, for docker build and podman build; HARBOR_AGENT_STANDALONE=… uses that folder
# make collection    dist/harbor_agent-nodes-….tar.gz: the collection for Ansible
# make wheel, sdist  dist/harbor_node_agent-….whl and .tar.gz, for pip, pipx and uv
# make picture       docs/images/plan.svg, the picture of the README, from a real plan
# make man           dist/man: the manual pages, one for each command
# make chart         dist/harbor-agent-….tgz: the Helm chart
# make sbom          dist/harbor-node-agent-….cdx.json: the parts of the standalone build; HARBOR_AGENT_STANDALONE=… uses that folder
# make version       the version in every file, and its section in CHANGELOG.md: make version VERSION=0.2.0
# make release       dist/release-…: all of the files above and their checksums, from a tree without changes
# make helm          .helm/helm, for the tests of the chart
# make grafana-schema  .grafana/node_modules, for the test of the dashboard
# make axe           .axe/axe.min.js, for the tests of reports in HTML
# make groovy        .groovy, for the test of the Jenkinsfile
# make clean         remove the virtual environment and caches

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
STANDALONE = "$${HARBOR_AGENT_STANDALONE:-$$($(MAKE) --silent standalone | tail -n 2 | sed -n 1p)}"
COLLECTION := playbooks/collections/ansible_collections/harbor_agent/nodes
ANSIBLE := PATH="$(CURDIR)/$(BIN):$$PATH" ANSIBLE_COLLECTIONS_PATH=$(CURDIR)/playbooks/collections

.PHONY: man picture test field demo bench power-cuts soak lab-packages python-3.13 texts version release wheel sdist bundle standalone sbom image collection chart helm axe grafana-schema groovy clean

test: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	PYTHONPATH=agent $(BIN)/lint-imports
	$(ANSIBLE) $(BIN)/ansible-lint --offline -q --profile production playbooks
	$(ANSIBLE) $(BIN)/antsibull-docs lint-collection-docs --plugin-docs $(COLLECTION)
	$(BIN)/pytest -n 2 --dist loadscope --no-loadscope-reorder --instafail

field: $(INSTALLED)
	$(BIN)/pytest -q -m field

demo:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		tests/lab/packages.sh || echo 'demo: the lab packages could not be installed' >&2; \
	fi
	@$(MAKE) --no-print-directory $(INSTALLED)
	@$(BIN)/python -m tests.lab.demo

bench: $(INSTALLED)
	for benchmark in $(basename $(notdir $(wildcard benchmarks/*.py))); do $(BIN)/python -m benchmarks.$$benchmark || exit 1; done

power-cuts: $(INSTALLED)
	$(BIN)/python -m tests.faults.power_cuts $(or $(CUTS),50) $(SEED)

soak: $(INSTALLED)
	$(BIN)/python -m tests.faults.soak $(or $(KILLS),200) $(SEED)

lab-packages:
	tests/lab/packages.sh

python-3.13:
	$(or $(PYTHON_3_13),python3.13) -m venv .venv-3.13
	.venv-3.13/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'

picture: $(INSTALLED)
	@$(BIN)/python -m tests.lab.picture

texts: $(INSTALLED)
	@$(BIN)/python .ci/texts/update.py

version: $(INSTALLED)
	@$(BIN)/python .ci/release/raise_version.py "$(VERSION)"

release: $(INSTALLED)
	@$(BIN)/python .ci/release/build.py

wheel sdist: $(INSTALLED)
	$(BIN)/hatchling build --directory dist --target $@ 2>&1

bundle: $(INSTALLED)
	$(BIN)/python .ci/bundle/build.py

standalone: $(INSTALLED)
	$(BIN)/python .ci/standalone/build.py

image: $(INSTALLED)
	@$(BIN)/python .ci/image/build.py $(STANDALONE)

sbom: $(INSTALLED)
	@$(BIN)/python .ci/release/sbom.py $(STANDALONE)

collection: $(INSTALLED)
	@mkdir -p dist
	$(BIN)/ansible-galaxy collection build --force --output-path dist $(COLLECTION)

man: $(INSTALLED)
	@$(BIN)/python .ci/man/pages.py dist/man

chart: helm
	@mkdir -p dist
	.helm/helm package charts/harbor-agent --destination dist

helm: $(INSTALLED)
	@$(BIN)/python .ci/fetch/helm.py

grafana-schema:
	@.ci/grafana/fetch.sh

axe: $(INSTALLED)
	@$(BIN)/python .ci/fetch/axe.py

groovy: $(INSTALLED)
	@[ -d .groovy ] || $(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --target .groovy \
		'dekobon-tree-sitter-groovy==0.3.0' 'tree-sitter>=0.25,<0.27'

clean:
	rm -rf $(VENV) .venv-3.13 build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# The environment is made anew when the project's dependencies change.
$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.x")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments: apt-get install python3-venv" >&2; exit 1; }
	@echo 'creating $(VENV)'
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
