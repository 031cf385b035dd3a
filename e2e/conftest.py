"""The tests in this folder may use a cluster; see cluster/testing/plugin.py."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.import_plugin("cluster.testing.plugin")
