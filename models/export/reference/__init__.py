"""What a host does around the graphs, in a few lines of Python: the definition, not the product."""
