"""From raw images to resources, and from resources to measures: plan, graph, run."""
