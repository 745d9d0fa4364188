"""The files of a release, besides their checksums."""

# What a target of the Makefile makes, whose path is the last word that it prints; {} is the version. Quick ones first;
# after `standalone` come those that are made of its folder.
FILES = {
    "wheel": "harbor_node_agent-{}-py3-none-any.whl",
    "sdist": "harbor_node_agent-{}.tar.gz",
    "collection": "harbor_agent-nodes-{}.tar.gz",
    "chart": "harbor-agent-{}.tgz",
    "bundle": "bundle-harbor-node-agent-{}-cp*-linux_*.tar.gz",
    "standalone": "harbor-node-agent-{}-linux-*.tar.xz",
    "sbom": "harbor-node-agent-{}.cdx.json",
    "image": "harbor-node-agent-{}-linux-*-image.tar",
}
