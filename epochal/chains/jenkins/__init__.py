"""The Jenkins chain: create and check its jobs, and start and follow their builds."""
