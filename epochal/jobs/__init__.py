"""The three jobs: pull, train, retrain. The only composers of store, runtimes, strategies and notices."""
