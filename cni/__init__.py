"""CNI: the plugin that kubelet's runtime executes, and the node agent that does the work behind it."""
