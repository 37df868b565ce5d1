"""Simulator of the Contrail config API: state in memory, answers as the real server was recorded to give them."""
