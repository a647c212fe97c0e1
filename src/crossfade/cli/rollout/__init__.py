"""``crossfade rollout``: a plan carried out, watched, steered, and told of months later."""
