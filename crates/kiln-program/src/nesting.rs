//! Decoding of nested steps without trust in the depth of the nesting: a hostile file must not exhaust the stack.

use crate::check::MAX_DEPTH;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::cell::Cell;

thread_local! {
    /// Lists of steps being decoded around the present one.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// One level, as long as it lives.
struct Level;

impl Drop for Level {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Decodes what is inside of a control flow step, unless that is nested too deep.
pub(crate) fn bounded<'de, T: Deserialize<'de>, D: Deserializer<'de>>(d: D) -> Result<T, D::Error> {
    DEPTH.set(DEPTH.get() + 1);
    let _level = Level;
    if DEPTH.get() > MAX_DEPTH {
        return Err(D::Error::custom(format!("control flow is nested more than {MAX_DEPTH} deep")));
    }
    T::deserialize(d)
}
