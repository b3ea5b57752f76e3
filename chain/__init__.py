"""PancapChain: localize, tag, discover, caption; its training and its backends."""
