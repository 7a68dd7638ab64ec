"""Programs that a test runs in namespaces of their own."""
