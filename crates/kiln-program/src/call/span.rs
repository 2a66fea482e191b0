//! Which elements a strided access touches: the arithmetic behind the bounds checks, without overflow.

/// Products and sums of the sizes in a parameter set must stay below this, so that the kernels' index arithmetic in
/// `isize` cannot overflow.
const LIMIT: i128 = 1 << 60;

/// Number of elements from the first to one past the last that `sum(index_d * stride_d)` reaches for
/// `index_d < extent_d`; 0 when there is no index at all.
///
/// # Errors
/// When an index is negative or too large to compute with.
pub(super) fn span(name: &str, dims: &[(usize, isize)]) -> Result<usize, String> {
    let mut last: i128 = 0;
    for &(extent, stride) in dims {
        if extent as u128 > LIMIT as u128 || (stride as i128).abs() > LIMIT {
            return Err(format!("{name}: extent {extent} with stride {stride} is too large"));
        }
    }
    if dims.iter().any(|&(extent, _)| extent == 0) {
        return Ok(0);
    }
    for &(extent, stride) in dims {
        if extent > 1 && stride < 0 {
            return Err(format!("{name}: stride {stride} reaches before the start of the operand"));
        }
        // At most 2^60 * 2^60 plus 2^60: no overflow.
        last += if extent > 1 { (extent as i128 - 1) * stride as i128 } else { 0 };
        if last >= LIMIT {
            return Err(format!("{name}: the last element is too far from the first"));
        }
    }
    Ok(last as usize + 1)
}

/// Checks that different indices reach different elements, as an output needs: sorted by stride, every dimension
/// steps over all that the smaller ones reach. (Sufficient; orders that interleave are refused too.)
///
/// # Errors
/// Names the offending dimension.
pub(super) fn check_distinct(name: &str, dims: &[(usize, isize)]) -> Result<(), String> {
    if dims.iter().any(|&(extent, _)| extent == 0) {
        return Ok(());
    }
    let mut sorted: Vec<(usize, isize)> = dims.iter().copied().filter(|&(extent, _)| extent > 1).collect();
    sorted.sort_by_key(|&(_, stride)| stride);
    let mut reach: i128 = 0;
    for (extent, stride) in sorted {
        if stride as i128 <= reach {
            return Err(format!("{name}: elements overlap (extent {extent} with stride {stride})"));
        }
        reach = reach.saturating_add((extent as i128 - 1).saturating_mul(stride as i128));
    }
    Ok(())
}

/// Bytes of an operand that spans `elements` elements of `size` bytes.
///
/// # Errors
/// When there are too many.
pub(super) fn byte_size(name: &str, elements: usize, size: usize) -> Result<usize, String> {
    checked_product(name, &[elements, size])
}

/// The product of sizes, refused when too large for index arithmetic.
///
/// # Errors
/// When the product exceeds the limit.
pub(super) fn checked_product(name: &str, factors: &[usize]) -> Result<usize, String> {
    let mut product: i128 = 1;
    if factors.contains(&0) {
        return Ok(0);
    }
    for &factor in factors {
        product = product.saturating_mul(factor as i128);
        if product > LIMIT {
            return Err(format!("{name}: {factors:?} is too large"));
        }
    }
    Ok(product as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn span_counts_the_last_element() {
        assert_eq!(span("a", &[(3, 4), (4, 1)]), Ok(12));
        assert_eq!(span("a", &[(3, 0), (4, 1)]), Ok(4));
        assert_eq!(span("a", &[(0, 9), (4, 1)]), Ok(0));
        assert_eq!(span("a", &[(1, -5)]), Ok(1));
        assert!(span("a", &[(2, -1)]).is_err());
        assert!(span("a", &[(usize::MAX, 1)]).is_err());
        assert!(span("a", &[(1 << 40, 1 << 40)]).is_err());
        assert!(span("a", &[(2, isize::MIN)]).is_err());
    }

    #[test]
    fn distinct_refuses_overlap() {
        assert!(check_distinct("c", &[(3, 4), (4, 1)]).is_ok());
        assert!(check_distinct("c", &[(3, 3), (4, 1)]).is_err());
        assert!(check_distinct("c", &[(3, 0)]).is_err());
        assert!(check_distinct("c", &[(1, 0), (5, 2)]).is_ok());
        assert!(check_distinct("c", &[(0, 0), (5, 0)]).is_ok());
        assert!(check_distinct("c", &[(2, 1), (2, 1)]).is_err());
    }

    #[test]
    fn products_are_limited() {
        assert_eq!(checked_product("x", &[3, 4]), Ok(12));
        assert_eq!(checked_product("x", &[usize::MAX, usize::MAX, 0]), Ok(0));
        assert!(checked_product("x", &[1 << 31, 1 << 31]).is_err());
    }
}
