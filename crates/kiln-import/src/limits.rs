//! Bounds on what an untrusted program may ask for.

/// Most elements of a value, and the largest number that sizes, paddings, strides and the like may be.
pub const MAX_ELEMENTS: i64 = 1 << 40;

/// True for sizes of no more elements than the bound, an empty dimension counted as one element.
pub fn bounded(mut sizes: impl Iterator<Item = Option<i64>>) -> bool {
    let product = sizes.try_fold(1i64, |a, n| match n {
        Some(n) if (0..=MAX_ELEMENTS).contains(&n) => a.checked_mul(n.max(1)).filter(|p| *p <= MAX_ELEMENTS),
        Some(_) => None,
        None => Some(a),
    });
    product.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_bounded() {
        assert!(bounded([Some(1 << 20), Some(1 << 20), None].into_iter()));
        assert!(!bounded([Some(1 << 20), Some(1 << 21)].into_iter()));
        assert!(!bounded([Some(0), Some(1 << 41)].into_iter()));
        assert!(!bounded([Some(-1)].into_iter()));
    }
}
