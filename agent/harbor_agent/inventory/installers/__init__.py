"""Node lists of Kubernetes installers: KubeKey, RKE and Kubespray's bastion are understood, others refused by name."""
