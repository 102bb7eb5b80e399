"""The rung ``kube``: any cluster of a kubeconfig, in a namespace of its own, through a loopback port-forward."""
