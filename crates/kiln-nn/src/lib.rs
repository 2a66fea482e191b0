//! Layers, losses, optimizers and initializers in terms of the builder.
