"""Where a component's numbers come from: a file a component, its real source beside its mock."""
