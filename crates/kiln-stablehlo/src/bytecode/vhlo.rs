//! Attributes and types of the `vhlo` dialect, as StableHLO's.
//!
//! Source of the codes: `VhloBytecode.cpp` and `VhloEnums.td` of StableHLO 1.20.

use super::cursor::{Cursor, Read};
use super::tables::File;
use super::values::{self, Scalar, double, element_count, known_float};
use crate::ast::{Attr, Element, Literal, Type};
use kiln_ir::DType;

/// Names of the values of an enumeration; the first is of this number.
fn word(c: &mut Cursor<'_>, first: u64, names: &[&str]) -> Read<Attr> {
    let value = c.varint()?;
    let name = value.checked_sub(first).and_then(|i| names.get(usize::try_from(i).ok()?));
    match name {
        Some(name) => Ok(Attr::Word((*name).to_owned())),
        None => c.fail(format!("value {value} of an enumeration that ends with {}", names.last().unwrap_or(&""))),
    }
}

impl<'b> File<'b> {
    /// An attribute after its code.
    pub(super) fn vhlo_attr(&mut self, c: &mut Cursor<'b>, depth: usize) -> Read<Attr> {
        Ok(match c.varint()? {
            1 => Attr::List(self.attr_list(c, depth)?),
            2 => match c.varint()? {
                0 => Attr::Bool(false),
                1 => Attr::Bool(true),
                other => return c.fail(format!("a bool of value {other}")),
            },
            3 => word(c, 0, &["EQ", "NE", "GE", "GT", "LE", "LT"])?,
            4 => word(c, 0, &["NOTYPE", "FLOAT", "TOTALORDER", "SIGNED", "UNSIGNED"])?,
            5 => word(
                c,
                0,
                &[
                    "API_VERSION_UNSPECIFIED",
                    "API_VERSION_ORIGINAL",
                    "API_VERSION_STATUS_RETURNING",
                    "API_VERSION_STATUS_RETURNING_UNIFIED",
                    "API_VERSION_TYPED_FFI",
                ],
            )?,
            6 => Attr::Dict(self.dictionary(c, depth)?),
            7 => word(c, 0, &["FFT", "IFFT", "RFFT", "IRFFT"])?,
            8 => {
                let ty = self.next_type(c, depth)?;
                known_float(c, &ty)?
            }
            9 => self.integer_attr(c, depth)?,
            // Aliases, meshes and the like say where results go, not what they are.
            10 => {
                signed_list(c)?;
                c.signed()?;
                signed_list(c)?;
                Attr::Word("output_operand_alias".into())
            }
            11 => word(c, 0, &["DEFAULT", "HIGH", "HIGHEST"])?,
            12 => word(c, 0, &["DEFAULT", "THREE_FRY", "PHILOX"])?,
            13 => word(c, 1, &["UNIFORM", "NORMAL"])?,
            14 => Attr::Str(self.next_text(c)?),
            15 => self.tensor_attr(c, depth)?,
            16 => word(c, 0, &["TRANSPOSE_INVALID", "NO_TRANSPOSE", "TRANSPOSE", "ADJOINT"])?,
            17 => Attr::Type(self.next_type(c, depth)?),
            18 => {
                signed_list(c)?;
                Attr::Word("bounds".into())
            }
            19 => word(c, 0, &["DEFAULT", "HIGHEST", "TOLERANCE"])?,
            20 => {
                double(c)?;
                double(c)?;
                c.signed()?;
                self.next_attr(c, depth)?;
                Attr::Word("result_accuracy".into())
            }
            21 => {
                c.signed()?;
                c.signed()?;
                Attr::Word("sub_axis_info".into())
            }
            22 => {
                let name = self.next_attr(c, depth)?;
                if c.varint()? != 0 {
                    self.next_attr(c, depth)?;
                }
                name
            }
            23 => {
                let mesh = self.next_attr(c, depth)?;
                self.next_attr(c, depth)?;
                mesh
            }
            24 => {
                let name = self.next_attr(c, depth)?;
                c.signed()?;
                name
            }
            25 => {
                let axes = self.next_attr(c, depth)?;
                if let (index, true) = c.flagged()? {
                    self.attr(index, c, depth)?;
                }
                axes
            }
            code => return c.fail(format!("unknown attribute {code} of `vhlo`")),
        })
    }

    fn integer_attr(&mut self, c: &mut Cursor<'b>, depth: usize) -> Read<Attr> {
        let ty = self.next_type(c, depth)?;
        match Scalar::of(&ty) {
            Some(Scalar::Int { bits, signed }) => Ok(Attr::Int(values::integer(c, bits, signed)?)),
            Some(Scalar::Bool | Scalar::Float { .. }) | None => c.fail(format!("an integer of type {ty:?}")),
        }
    }

    fn tensor_attr(&mut self, c: &mut Cursor<'b>, depth: usize) -> Read<Attr> {
        let ty = self.next_type(c, depth)?;
        let Some(count) = element_count(&ty) else {
            return c.fail("a literal without a size");
        };
        let mut bytes = self.next_bytes(c)?;
        if let Type::Tensor { element: Element::Known(DType::Bool), .. } = &ty {
            // A byte for a bit.
            self.charge(bytes.len().saturating_mul(8), c)?;
            bytes = values::unpacked_bools(bytes, count);
        }
        Ok(Attr::Dense(Literal::Bytes(bytes), ty))
    }

    /// A type after its code.
    pub(super) fn vhlo_type(&mut self, c: &mut Cursor<'b>, depth: usize) -> Read<Type> {
        let name = match c.varint()? {
            0 => "i1",
            1 => {
                let element = self.next_type(c, depth)?;
                let name = values::complex(&element);
                self.charge(name.len(), c)?;
                return Ok(Type::Other(name));
            }
            2 => "bf16",
            3 => "f16",
            4 => "f32",
            5 => "f64",
            6 => "f8E4M3FN",
            7 => "f8E5M2",
            8 => return Ok(Type::Function(self.type_list(c, depth)?, self.type_list(c, depth)?)),
            9 => "index",
            10 => "i4",
            11 => "i8",
            12 => "i16",
            13 => "i32",
            14 => "i64",
            15 => "ui4",
            16 => "ui8",
            17 => "ui16",
            18 => "ui32",
            19 => "ui64",
            20 => return self.ranked(c, depth),
            21 => {
                self.next_attr(c, depth)?;
                return self.ranked(c, depth);
            }
            22 => "!stablehlo.token",
            23 => return Ok(Type::Tuple(self.type_list(c, depth)?)),
            24 => return self.quantized(c, depth),
            25 => {
                let element = self.next_type(c, depth)?;
                return Ok(values::unranked(&element));
            }
            26 => "!shape.witness",
            27 => "f8E4M3FNUZ",
            28 => "f8E5M2FNUZ",
            29 => "f8E4M3B11FNUZ",
            30 => return self.quantized_per_axis(c, depth),
            31 => "i2",
            32 => "ui2",
            33 => "none",
            34 => "tf32",
            35 => "f8E4M3",
            36 => "f8E3M4",
            37 => "f4E2M1FN",
            38 => "f6E2M3FN",
            39 => "f6E3M2FN",
            40 => "f8E8M0FNU",
            41 => {
                self.ranked(c, depth)?;
                "memref"
            }
            42 => {
                self.type_list(c, depth)?;
                "!stablehlo.future"
            }
            code => return c.fail(format!("unknown type {code} of `vhlo`")),
        };
        Ok(Type::Other(name.to_owned()))
    }

    fn quantized(&mut self, c: &mut Cursor<'b>, depth: usize) -> Read<Type> {
        let (signed, storage, expressed) = self.quantized_head(c, depth)?;
        let (scale, zero) = (double(c)?, c.signed()?);
        let range = storage_range(c, signed, &storage)?;
        self.quantized_name(c, format!("!quant.uniform<{storage}{range}:{expressed}, {}>", scaled(scale, zero)))
    }

    fn quantized_per_axis(&mut self, c: &mut Cursor<'b>, depth: usize) -> Read<Type> {
        let (signed, storage, expressed) = self.quantized_head(c, depth)?;
        let axis = c.varint()?;
        let range = storage_range(c, signed, &storage)?;
        let scales = (0..c.count()?).map(|_| double(c)).collect::<Read<Vec<_>>>()?;
        let zeros = signed_list(c)?;
        if zeros.len() != scales.len() {
            return c.fail(format!("{} scales with {} zero points", scales.len(), zeros.len()));
        }
        let list: Vec<String> = scales.into_iter().zip(zeros).map(|(s, z)| scaled(s, z)).collect();
        let list = list.join(", ");
        self.quantized_name(c, format!("!quant.uniform<{storage}{range}:{expressed}:{axis}, {{{list}}}>"))
    }

    /// Whether the storage is signed, its type and the type that it stands for.
    fn quantized_head(&mut self, c: &mut Cursor<'b>, depth: usize) -> Read<(bool, String, String)> {
        let signed = c.varint()? & 1 == 1;
        let (storage, expressed) = (self.next_type(c, depth)?, self.next_type(c, depth)?);
        let (Type::Other(storage), Type::Other(expressed)) = (storage, expressed) else {
            return c.fail("a quantized type of other than scalars");
        };
        let digits = storage.trim_start_matches(['u', 's', 'i']).to_owned();
        Ok((signed, format!("{}{digits}", if signed { 'i' } else { 'u' }), expressed))
    }

    fn quantized_name(&mut self, c: &Cursor<'b>, name: String) -> Read<Type> {
        self.charge(name.len(), c)?;
        Ok(Type::Other(name))
    }
}

/// `<min:max>`, or nothing where it is the whole range of the storage.
fn storage_range(c: &mut Cursor<'_>, signed: bool, storage: &str) -> Read<String> {
    let (min, max) = (c.signed()?, c.signed()?);
    let bits: u32 = storage[1..].parse().unwrap_or(8);
    let whole = match (signed, bits) {
        (true, 1..=63) => (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1),
        (false, 1..=62) => (0, (1i64 << bits) - 1),
        _ => return Ok(format!("<{min}:{max}>")),
    };
    Ok(if (min, max) == whole { String::new() } else { format!("<{min}:{max}>") })
}

fn scaled(scale: f64, zero: i64) -> String {
    if zero == 0 { format!("{scale:?}") } else { format!("{scale:?}:{zero}") }
}

fn signed_list(c: &mut Cursor<'_>) -> Read<Vec<i64>> {
    (0..c.count()?).map(|_| c.signed()).collect()
}
