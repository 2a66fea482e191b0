//! Integers of 2 and 4 bits, stored as i8 or u8 that hold the value.

use super::build::{Build, Built};
use kiln_ir::{BinaryOp, DType, UnaryOp, Value};

impl Build {
    /// The low bits of a stored value, read as an element of `dtype`.
    pub fn wrap(&mut self, x: Value, dtype: DType) -> Built {
        let unused = 8 - dtype.bits();
        if dtype.is_signed_int() {
            let x = self.convert(x, DType::I8)?;
            let high = self.shl(x, unused)?;
            self.sar(high, unused)
        } else {
            let x = self.convert(x, DType::U8)?;
            self.mask(x, (1 << dtype.bits()) - 1)
        }
    }

    /// The bits of an element without copies of the sign, in the type it is stored in.
    fn unextended(&mut self, x: Value, dtype: DType) -> Built {
        if dtype.is_signed_int() { self.mask(x, (1 << dtype.bits()) - 1) } else { Ok(x) }
    }

    pub fn narrow_unary(&mut self, op: UnaryOp, x: Value, dtype: DType) -> Built {
        let result = match op {
            UnaryOp::CountLeadingZeros => {
                let x = self.unextended(x, dtype)?;
                let zeros = self.un(op, x)?;
                let unused = self.bits(zeros, (8 - dtype.bits()).into())?;
                self.sub(zeros, unused)?
            }
            UnaryOp::Popcnt => {
                let x = self.unextended(x, dtype)?;
                self.un(op, x)?
            }
            UnaryOp::Sign => return self.un(op, x),
            _ => self.un(op, x)?,
        };
        self.wrap(result, dtype)
    }

    pub fn narrow_binary(&mut self, op: BinaryOp, x: Value, y: Value, dtype: DType) -> Built {
        match op {
            // What the operands' range is closed under.
            BinaryOp::And
            | BinaryOp::Or
            | BinaryOp::Xor
            | BinaryOp::Maximum
            | BinaryOp::Minimum
            | BinaryOp::Remainder => self.bin(op, x, y),
            BinaryOp::ShiftRightLogical => {
                let x = self.unextended(x, dtype)?;
                let shifted = self.bin(op, x, y)?;
                self.wrap(shifted, dtype)
            }
            BinaryOp::ShiftRightArithmetic if dtype.is_unsigned_int() => {
                // The highest bit of the element counts as its sign: it goes to the sign of i8 and back.
                let unused = 8 - dtype.bits();
                let high = self.shl(x, unused)?;
                let high = self.bitcast(high, DType::I8)?;
                let extended = self.sar(high, unused)?;
                let by = self.bitcast(y, DType::I8)?;
                let shifted = self.bin(op, extended, by)?;
                let shifted = self.bitcast(shifted, DType::U8)?;
                self.wrap(shifted, dtype)
            }
            BinaryOp::ShiftRightArithmetic => self.bin(op, x, y),
            _ => {
                let result = self.bin(op, x, y)?;
                self.wrap(result, dtype)
            }
        }
    }

    /// A float, truncated and saturated at the ends of a narrow type; NaN is 0.
    pub fn saturate(&mut self, x: Value, dtype: DType) -> Built {
        let (storage, low, high) = match (dtype.bits(), dtype.is_signed_int()) {
            (bits, true) => (DType::I8, -f64::from(1 << (bits - 1)), f64::from((1 << (bits - 1)) - 1)),
            (bits, false) => (DType::U8, 0.0, f64::from((1 << bits) - 1)),
        };
        let x = self.convert(x, storage)?;
        let (low, high) = (self.num(x, low)?, self.num(x, high)?);
        let x = self.bin(BinaryOp::Maximum, x, low)?;
        self.bin(BinaryOp::Minimum, x, high)
    }
}
