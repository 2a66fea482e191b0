//! How far results and expectations are apart.

use crate::elements::{Elements, epsilon, index_of};
use kiln::ir::Tensor;

/// What is allowed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Allowed {
    /// Element for element; any NaN equals any NaN, and -0 equals 0.
    Exact,
    /// `|got - want| <= absolute + relative * |want|`, for complex numbers too.
    Near {
        /// Absolute part.
        absolute: f64,
        /// Relative part.
        relative: f64,
    },
    /// Units in the last place, of each part of a complex number.
    Ulps(u64),
    /// `|got - want|` at most `ulps` units of the last place of `|want|`, or `scale` units of the last place of the largest
    /// finite `|want|` of the tensor.
    Contract {
        /// Units of the element itself.
        ulps: u32,
        /// Units of the largest element.
        scale: u32,
    },
}

impl Allowed {
    fn text(self) -> String {
        match self {
            Allowed::Exact => "equality".to_owned(),
            Allowed::Near { absolute, relative: 0.0 } => format!("{absolute:e}"),
            Allowed::Near { absolute, relative } => format!("{absolute:e} + {relative:e} * |want|"),
            Allowed::Ulps(n) => format!("{n} ulp"),
            Allowed::Contract { ulps, scale } => format!("{ulps} ulp, or {scale} ulp of the largest"),
        }
    }
}

/// The largest distances between the elements of two tensors.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Distance {
    /// `|got - want|`; infinite where one is NaN or infinite and the other is not.
    pub error: f64,
    /// Units in the last place of the type (of integers: the difference).
    pub ulps: u64,
}

impl Distance {
    /// The larger of both, each.
    pub fn max(self, other: Distance) -> Distance {
        Distance { error: self.error.max(other.error), ulps: self.ulps.max(other.ulps) }
    }
}

/// Two numbers are the same for any check: equal, or both NaN.
fn same(got: f64, want: f64) -> bool {
    got == want || got.is_nan() && want.is_nan()
}

/// Two tensors of one type.
struct Pair<'t> {
    got: Elements<'t>,
    want: Elements<'t>,
    float: bool,
    epsilon: f64,
}

impl Pair<'_> {
    fn parts(&self, element: usize) -> std::ops::Range<usize> {
        element * self.got.parts..(element + 1) * self.got.parts
    }

    fn same(&self, part: usize) -> bool {
        if self.float {
            same(self.got.value(part), self.want.value(part))
        } else {
            self.got.ordinal(part) == self.want.ordinal(part)
        }
    }

    fn distance(&self, part: usize) -> Distance {
        if self.same(part) {
            return Distance::default();
        }
        let (x, y) = (self.got.value(part), self.want.value(part));
        let ulps = self.got.ordinal(part).abs_diff(self.want.ordinal(part));
        match x.is_finite() && y.is_finite() {
            true => Distance { error: (x - y).abs(), ulps: u64::try_from(ulps).unwrap_or(u64::MAX) },
            false => Distance { error: f64::INFINITY, ulps: u64::MAX },
        }
    }

    /// The absolute value of an element, and the distance of both; parts that are not finite are compared by themselves.
    fn modulus(&self, element: usize) -> (f64, f64) {
        let sum = |f: &dyn Fn(usize) -> f64| self.parts(element).map(f).fold(0.0, |a: f64, x| a.hypot(x));
        let finite = |i: usize| if self.want.value(i).is_finite() { self.want.value(i) } else { 0.0 };
        (sum(&finite), sum(&|i| self.distance(i).error))
    }

    fn agrees(&self, element: usize, allowed: Allowed, largest: f64) -> bool {
        if self.parts(element).all(|i| self.same(i)) {
            return true;
        }
        let distance = self.parts(element).map(|i| self.distance(i)).fold(Distance::default(), Distance::max);
        if !self.float || !distance.error.is_finite() {
            return false;
        }
        match allowed {
            Allowed::Exact => false,
            Allowed::Ulps(n) => distance.ulps <= n,
            // As the check dialect has it: real and imaginary part by themselves.
            Allowed::Near { absolute, relative: 0.0 } => distance.error <= absolute,
            Allowed::Near { absolute, relative } => {
                let (want, error) = self.modulus(element);
                error <= absolute + relative * want
            }
            Allowed::Contract { ulps, scale } => {
                let (want, error) = self.modulus(element);
                distance.ulps <= u64::from(ulps)
                    || error <= f64::from(ulps) * self.epsilon * want
                    || error <= f64::from(scale) * self.epsilon * largest
            }
        }
    }
}

/// Compares two tensors: their distance, and the first element that is not as it should be.
///
/// # Errors
/// When the types differ.
pub fn compare(got: &Tensor, want: &Tensor, allowed: Allowed) -> Result<(Distance, Option<String>), String> {
    if got.ty() != want.ty() {
        return Err(format!("got {}, want {}", got.ty(), want.ty()));
    }
    if got.bytes() == want.bytes() {
        return Ok((Distance::default(), None));
    }
    let dtype = got.dtype();
    let pair = Pair {
        got: Elements::new(got),
        want: Elements::new(want),
        float: dtype.is_float() || dtype.is_complex(),
        epsilon: epsilon(dtype),
    };
    let largest = (0..want.len()).map(|i| pair.modulus(i).0).fold(0.0, f64::max);
    let mut worst = Distance::default();
    let (mut first, mut wrong) = (None, 0usize);
    for i in 0..got.len() {
        let distance = pair.parts(i).map(|p| pair.distance(p)).fold(Distance::default(), Distance::max);
        worst = worst.max(distance);
        if !pair.agrees(i, allowed, largest) {
            wrong += 1;
            first.get_or_insert((i, distance));
        }
    }
    let message = first.map(|(i, distance)| {
        let how_far = match pair.float {
            false => String::new(),
            true if !distance.error.is_finite() => format!(" (allowed: {})", allowed.text()),
            true => format!(" ({:.3e} or {} ulp apart, allowed: {})", distance.error, distance.ulps, allowed.text()),
        };
        let (index, ty) = (index_of(i, got.shape()), got.ty());
        let (x, y) = (pair.got.text(i), pair.want.text(i));
        format!("element {index:?} of {ty}: got {x}, want {y}{how_far}; {wrong} of {} differ", got.len())
    });
    Ok((worst, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln::ir::DType;

    fn f32s(values: &[f32]) -> Tensor {
        Tensor::from_vec([values.len()], values.to_vec()).expect("made")
    }
    fn fails(got: &Tensor, want: &Tensor, allowed: Allowed) -> bool {
        compare(got, want, allowed).expect("same types").1.is_some()
    }

    #[test]
    fn ulps_count_representable_numbers() {
        let up = f32::from_bits(1f32.to_bits() + 3);
        assert!(!fails(&f32s(&[up]), &f32s(&[1.0]), Allowed::Ulps(3)));
        assert!(fails(&f32s(&[up]), &f32s(&[1.0]), Allowed::Ulps(2)));
        // Through zero: the smallest subnormals of both signs are two apart.
        let tiny = f32::from_bits(1);
        assert!(!fails(&f32s(&[tiny]), &f32s(&[-tiny]), Allowed::Ulps(2)));
        assert!(fails(&f32s(&[tiny]), &f32s(&[-tiny]), Allowed::Ulps(1)));
    }

    #[test]
    fn special_values_have_to_be_the_same() {
        let near = Allowed::Near { absolute: 1.0, relative: 1.0 };
        assert!(!fails(&f32s(&[f32::NAN, 0.0]), &f32s(&[-f32::NAN, -0.0]), Allowed::Exact));
        assert!(fails(&f32s(&[1.0]), &f32s(&[f32::INFINITY]), near));
        assert!(fails(&f32s(&[f32::INFINITY]), &f32s(&[1.0]), near));
        assert!(fails(&f32s(&[f32::NAN]), &f32s(&[1.0]), near));
        assert!(fails(&f32s(&[f32::MAX]), &f32s(&[f32::INFINITY]), Allowed::Ulps(3)));
        assert!(fails(&f32s(&[f32::INFINITY]), &f32s(&[f32::NEG_INFINITY]), Allowed::Contract { ulps: 9, scale: 9 }));
    }

    #[test]
    fn complex_numbers_are_near_as_a_whole_and_close_in_each_part() {
        let c = |re: f32, im: f32| {
            Tensor::from_bytes(DType::C64, [1], &[re.to_le_bytes(), im.to_le_bytes()].concat()).expect("made")
        };
        let relative = Allowed::Near { absolute: 0.0, relative: 1e-3 };
        assert!(!fails(&c(1000.0, 0.5), &c(1000.0, 0.0), relative));
        assert!(fails(&c(1000.0, 0.5), &c(1000.0, 0.0), Allowed::Ulps(3)));
        assert!(fails(&c(1000.0, f32::NAN), &c(1000.0, 0.0), relative));
        assert!(!fails(&c(1000.0, f32::NAN), &c(1000.0, f32::NAN), Allowed::Ulps(0)));
    }

    #[test]
    fn the_contract_measures_against_the_largest() {
        let want = f32s(&[1000.0, 0.0]);
        let got = f32s(&[1000.0, 1e-4]);
        assert!(!fails(&got, &want, Allowed::Contract { ulps: 0, scale: 1 }));
        assert!(fails(&got, &want, Allowed::Contract { ulps: 4, scale: 0 }));
    }

    #[test]
    fn integers_are_exact_whatever_is_allowed() {
        let (got, want) = (Tensor::scalar(i64::MAX), Tensor::scalar(i64::MAX - 1));
        assert!(fails(&got, &want, Allowed::Near { absolute: 10.0, relative: 1.0 }));
        let message = compare(&got, &want, Allowed::Exact).expect("same types").1.expect("they differ");
        assert!(message.contains("got 9223372036854775807, want 9223372036854775806"), "{message}");
        assert!(compare(&got, &Tensor::scalar(1i32), Allowed::Exact).is_err());
    }

    #[test]
    fn the_first_difference_is_told_with_its_place() {
        let want = Tensor::from_vec([2, 2], vec![1.0f32, 2.0, 3.0, 4.0]).expect("made");
        let got = Tensor::from_vec([2, 2], vec![1.0f32, 2.0, 3.5, 5.0]).expect("made");
        let (worst, message) = compare(&got, &want, Allowed::Ulps(3)).expect("same types");
        let message = message.expect("they differ");
        assert!(message.starts_with("element [1, 0] of f32[2, 2]: got 3.5, want 3.0"), "{message}");
        assert!(message.ends_with("2 of 4 differ"), "{message}");
        assert_eq!(worst.error, 1.0);
    }
}
