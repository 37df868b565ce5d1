"""Stand-in for the contrail-vrouter-agent of a node: its port REST API, and a forwarder between announced taps.

What it speaks follows the agent's own sources (src/vnsw/agent/port_ipc); what it forwards with is a Linux bridge
per virtual network and VXLAN between nodes, where the real one has a kernel module and MPLS over UDP.
"""
