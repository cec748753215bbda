"""Tests of epochal.gateway, over real HTTP on loopback."""
