//! The reference interpreter: slow, simple, the oracle of every compiled path.
