//! Accuracy of functions that are made of several operators: `composed.toml`.

use crate::Accuracy;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// What is promised of one function.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Composed {
    /// Units in the last place in f32.
    f32: u32,
    /// Units in the last place in f64.
    f64: u32,
    /// The unit is never smaller than that of 1.
    #[serde(default)]
    pub absolute: bool,
}

impl Composed {
    /// The accuracy promised for a dtype; `None` for all but floats.
    pub fn accuracy(&self, dtype: &str) -> Option<Accuracy> {
        match dtype {
            "f32" => Some(Accuracy::Ulp(self.f32)),
            "f64" => Some(Accuracy::Ulp(self.f64)),
            "f16" | "bf16" => Some(Accuracy::ViaF32),
            _ => None,
        }
    }
}

/// All functions by name.
///
/// # Panics
/// Never: the table is part of the crate, and a test reads it.
pub fn all() -> &'static BTreeMap<String, Composed> {
    static TABLE: OnceLock<BTreeMap<String, Composed>> = OnceLock::new();
    TABLE.get_or_init(|| toml::from_str(include_str!("../composed.toml")).expect("the table of this crate is valid"))
}

/// The function of a name.
pub fn composed(name: &str) -> Option<&'static Composed> {
    all().get(name)
}
