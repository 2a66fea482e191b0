//! How values stand in a section: numbers and strings as bincode's standard encoding has them, lists, and records that carry
//! their length so that readers step over fields they do not know.

use bincode::config::Configuration;

/// Records inside of records: a reader's stack is bounded whatever the file says. Steps may be nested 256 deep.
const MAX_NESTING: u32 = 300;

const CONFIG: Configuration = bincode::config::standard();

/// Why bytes are not what they should be, with the field's place.
pub(crate) type Damage = String;

/// Bytes of a section being written.
#[derive(Default)]
pub(crate) struct Out {
    pub(crate) bytes: Vec<u8>,
    /// What stands behind the fields of each record: nothing, but in tests that play a newer minor version.
    pub(crate) unknown: &'static [u8],
}

impl Out {
    fn put(&mut self, value: impl bincode::Encode) {
        bincode::encode_into_std_write(value, &mut self.bytes, CONFIG).expect("a vector takes any bytes");
    }

    /// Writes a record of the fields that `fields` writes.
    pub(crate) fn record(&mut self, fields: impl FnOnce(&mut Out)) {
        let outside = std::mem::take(&mut self.bytes);
        fields(self);
        self.bytes.extend_from_slice(self.unknown);
        let record = std::mem::replace(&mut self.bytes, outside);
        self.put(record.as_slice());
    }
}

/// What is left to read of a record or section.
pub(crate) struct Rest<'f> {
    bytes: &'f [u8],
    nesting: u32,
}

impl<'f> Rest<'f> {
    pub(crate) fn new(bytes: &'f [u8]) -> Rest<'f> {
        Rest { bytes, nesting: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn take<T: bincode::BorrowDecode<'f, ()>>(&mut self) -> Result<T, Damage> {
        let (value, used) =
            bincode::borrow_decode_from_slice(self.bytes, CONFIG).map_err(|_| "it ends early or is malformed")?;
        self.bytes = &self.bytes[used..];
        Ok(value)
    }

    /// The fields of the record that comes next; what follows fields that are known is ignored.
    pub(crate) fn record(&mut self) -> Result<Rest<'f>, Damage> {
        let nesting = self.nesting + 1;
        if nesting > MAX_NESTING {
            return Err(format!("it is nested more than {MAX_NESTING} deep"));
        }
        Ok(Rest { bytes: self.take()?, nesting })
    }
}

/// A value with a form in the file.
pub(crate) trait Wire<'f>: Sized {
    fn put(&self, out: &mut Out);
    fn take(rest: &mut Rest<'f>) -> Result<Self, Damage>;
}

macro_rules! plain {
    ($($t:ty),*) => {$(
        impl<'f> Wire<'f> for $t {
            fn put(&self, out: &mut Out) {
                out.put(*self);
            }
            fn take(rest: &mut Rest<'f>) -> Result<Self, Damage> {
                rest.take()
            }
        }
    )*};
}
plain!(bool, u32, u64, i64, f64, &'f str, &'f [u8]);

/// Types of memory with the types that stand for them in the file.
macro_rules! converted {
    ($($t:ty as $file:ty),*) => {$(
        impl<'f> Wire<'f> for $t {
            fn put(&self, out: &mut Out) {
                out.put(*self as $file);
            }
            fn take(rest: &mut Rest<'f>) -> Result<Self, Damage> {
                let number: $file = rest.take()?;
                <$t>::try_from(number).map_err(|_| format!("{number} is too large for this machine"))
            }
        }
    )*};
}
converted!(usize as u64, isize as i64);

impl<'f> Wire<'f> for String {
    fn put(&self, out: &mut Out) {
        out.put(self.as_str());
    }
    fn take(rest: &mut Rest<'f>) -> Result<Self, Damage> {
        <&str>::take(rest).map(str::to_owned)
    }
}

/// A list. Each element takes at least a byte, so a count is never more than the bytes that are left; memory grows with what has
/// been read, not with what was claimed.
impl<'f, T: Wire<'f>> Wire<'f> for Vec<T> {
    fn put(&self, out: &mut Out) {
        out.put(self.len() as u64);
        self.iter().for_each(|item| item.put(out));
    }
    fn take(rest: &mut Rest<'f>) -> Result<Self, Damage> {
        let claimed: u64 = rest.take()?;
        let count = usize::try_from(claimed).ok().filter(|&n| n <= rest.bytes.len());
        let count = count.ok_or_else(|| format!("a list of {claimed} items in {} bytes", rest.bytes.len()))?;
        let mut list = Vec::new();
        for i in 0..count {
            let item = T::take(rest).map_err(|why| place(&format!("[{i}]"), &why))?;
            list.try_reserve(1).map_err(|_| format!("no memory for {count} items"))?;
            list.push(item);
        }
        Ok(list)
    }
}

/// Puts a field before the reason: `entries[2].dims: it ends early`.
pub(crate) fn place(field: &str, why: &str) -> Damage {
    let joint = if why.starts_with('[') || why.starts_with('.') { "" } else { ": " };
    format!(".{field}{joint}{why}").replace(".[", "[")
}

/// Declares how a structure stands in the file: as a record of these fields in this order, each with its type there.
///
/// A minor version may append fields, never change what stands: `since 1 { trips: u64 }`. They have their type's default (0,
/// empty) in files of older versions; readers of older versions ignore them.
macro_rules! form {
    (
        $name:ty { $($field:ident: $ty:ty),* $(,)? }
        $(since $minor:literal { $($added:ident: $added_ty:ty),* $(,)? })*
    ) => {
        impl<'f> $crate::wire::codec::Wire<'f> for $name {
            fn put(&self, out: &mut $crate::wire::codec::Out) {
                out.record(|out| {
                    $(<$ty as $crate::wire::codec::Wire<'f>>::put(&self.$field, out);)*
                    $($(<$added_ty as $crate::wire::codec::Wire<'f>>::put(&self.$added, out);)*)*
                });
            }
            fn take(
                rest: &mut $crate::wire::codec::Rest<'f>,
            ) -> Result<Self, $crate::wire::codec::Damage> {
                let mut fields = rest.record()?;
                Ok(Self {
                    $($field: $crate::wire::codec::field::<$ty>(stringify!($field), &mut fields)?,)*
                    $($($added: $crate::wire::codec::added::<$added_ty>(stringify!($added), &mut fields)?,)*)*
                })
            }
        }
    };
}
pub(crate) use form;

/// Declares the names that stand for the variants of an enumeration in the file.
macro_rules! named {
    ($name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        impl<'f> $crate::wire::codec::Wire<'f> for $name {
            fn put(&self, out: &mut $crate::wire::codec::Out) {
                match self { $($name::$variant => $text,)* }.put(out);
            }
            fn take(
                rest: &mut $crate::wire::codec::Rest<'f>,
            ) -> Result<Self, $crate::wire::codec::Damage> {
                match <&str as $crate::wire::codec::Wire<'f>>::take(rest)? {
                    $($text => Ok($name::$variant),)*
                    other => Err(format!("{other:?} is not known here")),
                }
            }
        }
    };
}
pub(crate) use named;

/// [`form`] of a structure that exists for the file only.
macro_rules! record {
    ($(#[$meta:meta])* $name:ident $(<$life:lifetime>)? { $($field:ident: $ty:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) struct $name $(<$life>)? { $(pub(crate) $field: $ty,)* }
        $crate::wire::codec::form!($name $(<$life>)? { $($field: $ty),* });
    };
}
pub(crate) use record;

/// A field that every version has.
pub(crate) fn field<'f, T: Wire<'f>>(name: &str, fields: &mut Rest<'f>) -> Result<T, Damage> {
    T::take(fields).map_err(|why| place(name, &why))
}

/// A field that older minor versions lack.
#[cfg_attr(not(test), expect(dead_code, reason = "version 2.0 has no added field yet"))]
pub(crate) fn added<'f, T: Wire<'f> + Default>(name: &str, fields: &mut Rest<'f>) -> Result<T, Damage> {
    if fields.is_empty() { Ok(T::default()) } else { field(name, fields) }
}

/// The bytes of a section that is one value.
pub(crate) fn encode<'f>(value: &impl Wire<'f>, unknown: &'static [u8]) -> Vec<u8> {
    let mut out = Out { bytes: Vec::new(), unknown };
    value.put(&mut out);
    out.bytes
}

/// The value that a section is; bytes behind it are an error.
pub(crate) fn decode<'f, T: Wire<'f>>(bytes: &'f [u8]) -> Result<T, Damage> {
    let mut rest = Rest::new(bytes);
    let value = T::take(&mut rest).map_err(|why| why.trim_start_matches('.').to_owned())?;
    if rest.is_empty() { Ok(value) } else { Err(format!("{} bytes are left over", rest.bytes.len())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    record!(Old<'f> { name: &'f str, sizes: Vec<u64>, inner: Vec<Inner> });
    record!(Inner { a: i64 });

    #[derive(Clone, Debug, PartialEq)]
    struct New {
        name: String,
        sizes: Vec<usize>,
        inner: Vec<NewInner>,
        trips: u64,
        notes: Vec<String>,
    }
    #[derive(Clone, Debug, PartialEq)]
    struct NewInner {
        a: isize,
        b: bool,
        c: f64,
    }
    form!(New { name: String, sizes: Vec<usize>, inner: Vec<NewInner> } since 1 { trips: u64, notes: Vec<String> });
    form!(NewInner { a: isize } since 1 { b: bool } since 2 { c: f64 });

    #[test]
    fn encodings_are_as_specified() {
        let value = Old { name: "n", sizes: vec![250, 251, 1 << 16, 1 << 32], inner: vec![Inner { a: -3 }] };
        let bytes = encode(&value, &[]);
        let expected = [
            &[24, 1, b'n', 4, 250][..],
            &[251, 251, 0],
            &[252, 0, 0, 1, 0],
            &[253, 0, 0, 0, 0, 1, 0, 0, 0],
            &[1, 1, 5],
        ]
        .concat();
        assert_eq!(bytes, expected);
        assert_eq!(decode(&bytes), Ok(value));
        let mut out = Out::default();
        true.put(&mut out);
        1.0f64.put(&mut out);
        (-128i64).put(&mut out);
        assert_eq!(out.bytes, [1, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 251, 255, 0]);
    }

    #[test]
    fn versions_read_each_other() {
        let old = Old { name: "n", sizes: vec![7], inner: vec![Inner { a: 1 }, Inner { a: 2 }] };
        let inner = |a| NewInner { a, b: false, c: 0.0 };
        let as_new = New { name: "n".into(), sizes: vec![7], inner: vec![inner(1), inner(2)], trips: 0, notes: vec![] };
        assert_eq!(decode(&encode(&old, &[])), Ok(as_new.clone()));
        let new = New { trips: 5, notes: vec!["x".into()], ..as_new };
        assert_eq!(decode(&encode(&new, &[])), Ok(old.clone()));
        assert_eq!(decode(&encode(&old, &[9; 300])), Ok(old), "what a version behind knows is ignored");
    }

    #[test]
    fn claims_are_not_believed() {
        let claims = |bytes: &[u8]| decode::<Old>(bytes).expect_err("damaged");
        let huge = [9, 1, b'n', 253, 255, 255, 255, 255, 255, 255];
        assert!(claims(&huge).starts_with("sizes: "), "{}", claims(&huge));
        assert_eq!(claims(&[4, 1, b'n', 200, 1]), "sizes: a list of 200 items in 1 bytes");
        assert_eq!(claims(&[200, 1]), "it ends early or is malformed");
        assert_eq!(claims(&[253, 255, 255, 255, 255, 255, 255, 255, 255]), "it ends early or is malformed");
        let item = claims(&[7, 1, b'n', 0, 2, 1, 2, 5]);
        assert!(item.starts_with("inner[1]: "), "{item}");
    }
}
