"""The chain with Jenkins: create and check its jobs, start their builds and follow them."""
