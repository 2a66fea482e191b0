//! What is known of the words of attributes.

use super::{BinaryOp, Reducer, RngAlgorithm};

impl Reducer {
    /// The binary operator that combines two values.
    pub const fn binary(self) -> BinaryOp {
        match self {
            Reducer::Add => BinaryOp::Add,
            Reducer::Multiply => BinaryOp::Multiply,
            Reducer::Minimum => BinaryOp::Minimum,
            Reducer::Maximum => BinaryOp::Maximum,
            Reducer::And => BinaryOp::And,
            Reducer::Or => BinaryOp::Or,
            Reducer::Xor => BinaryOp::Xor,
        }
    }
}

impl RngAlgorithm {
    /// How many u64 a state may have: threefry takes key and counter; philox a counter of one or two words.
    pub const fn state_sizes(self) -> &'static [i64] {
        match self {
            RngAlgorithm::ThreeFry => &[2],
            RngAlgorithm::Philox => &[2, 3],
        }
    }
}
