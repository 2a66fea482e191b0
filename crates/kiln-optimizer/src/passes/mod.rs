//! The passes, a file each. [`crate::PASSES`] names them in order.

pub(crate) mod canonicalize;
pub(crate) mod control;
pub(crate) mod conv;
pub(crate) mod cse;
pub(crate) mod dce;
pub(crate) mod dot;
pub(crate) mod fold;
pub(crate) mod inline;
pub(crate) mod legalize;
pub(crate) mod licm;
pub(crate) mod movement;
pub(crate) mod reduce;
pub(crate) mod regions;
pub(crate) mod rng;
pub(crate) mod simplify;
pub(crate) mod sink;
