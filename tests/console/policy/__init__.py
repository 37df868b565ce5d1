"""Tests of `contrail-kube policy`."""
