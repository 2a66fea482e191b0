//! Operators that apply a nested function to elements.

mod common;

use common::t;
use kiln_ir::{Complex, DType, Tensor, text};
use std::cmp::Ordering;

/// Runs a function given as text.
fn eval(source: &str, inputs: &[Tensor]) -> Vec<Tensor> {
    let f = text::parse(source).unwrap_or_else(|e| panic!("{e}"));
    kiln_interp::eval(&f, inputs).unwrap_or_else(|e| panic!("{e}"))
}

/// Numbers from -50 to 49 with repetitions.
fn numbers(n: usize) -> Vec<i32> {
    (0..n as i32).map(|i| (i * 7919 + 13) % 100 - 50).collect()
}

#[test]
fn sort_is_stable_along_any_dimension() {
    let (x, tags): (Vec<i32>, Vec<i32>) = (numbers(60), (0..60).collect());
    for (dim, direction) in [(0, "LT"), (1, "GT"), (2, "LE"), (1, "NE")] {
        let source = format!(
            "func @f(%x: i32[3, 4, 5], %i: i32[3, 4, 5]) -> (i32[3, 4, 5], i32[3, 4, 5]) {{
               %0:2 = sort %x, %i, dim = {dim}, comparator = (%a: i32[], %b: i32[], %c: i32[], %d: i32[]) -> (bool[]) {{
                 %0 = compare %a, %b, direction = {direction} : bool[]
                 return %0
               }} : (i32[3, 4, 5], i32[3, 4, 5])
               return %0#0, %0#1
             }}"
        );
        let got = eval(&source, &[t(&[3, 4, 5], &x), t(&[3, 4, 5], &tags)]);
        let (values, order) = (got[0].to_vec::<i32>().unwrap(), got[1].to_vec::<i32>().unwrap());
        for (v, &tag) in values.iter().zip(&order) {
            assert_eq!(*v, x[tag as usize], "the operands move together");
        }
        let step = [20, 5, 1][dim];
        let count = [3, 4, 5][dim];
        for line in (0..60).filter(|i| i / step % count == 0) {
            let mut want: Vec<i32> = (0..count).map(|k| (line + k * step) as i32).collect();
            let key = |i: &i32| x[*i as usize];
            match direction {
                "LT" => want.sort_by_key(key),
                "GT" => want.sort_by_key(|i| -key(i)),
                // Not strict orders: equal elements change places, and so does everything under NE.
                "LE" => {
                    want.reverse();
                    want.sort_by_key(key);
                }
                _ => continue,
            }
            let got: Vec<i32> = (0..count).map(|k| order[line + k * step]).collect();
            assert_eq!(got, want, "dim {dim} {direction}");
        }
    }
}

#[test]
fn sort_takes_any_type_and_captures() {
    let source = |ty: &str| {
        format!(
            "func @f(%x: {ty}[6], %s: f32[]) -> ({ty}[6]) {{
               %0 = sort %x, %s, dim = 0, stable, comparator = (%a: {ty}[], %b: {ty}[], %s: f32[]) -> (bool[]) {{
                 %0 = compare %a, %b, direction = LT : bool[]
                 %1 = compare %b, %a, direction = LT : bool[]
                 %2 = constant 0.0 : f32[]
                 %3 = compare %s, %2, direction = LT : bool[]
                 %4 = select %3, %1, %0 : bool[]
                 return %4
               }} : {ty}[6]
               return %0
             }}"
        )
    };
    let c = |re, im| Complex::new(re, im);
    let x = [c(1.0f32, 2.0), c(1.0, -1.0), c(0.0, 5.0), c(7.0, 0.0), c(-1.0, 0.0), c(1.0, 2.0)];
    let up = eval(&source("c64"), &[t(&[6], &x), Tensor::scalar(1.0f32)]).remove(0);
    // As XLA sorts them.
    assert_eq!(
        up.as_slice::<Complex<f32>>().unwrap(),
        [c(-1.0, 0.0), c(0.0, 5.0), c(1.0, -1.0), c(1.0, 2.0), c(1.0, 2.0), c(7.0, 0.0)]
    );
    let small = Tensor::from_bytes(DType::F8E5M2, [6], &[0x3c, 0x7c, 0x80, 0xfc, 0x42, 0x01]).unwrap();
    let down = eval(&source("f8E5M2"), &[small, Tensor::scalar(-1.0f32)]).remove(0);
    assert_eq!(down.bytes(), [0x7c, 0x42, 0x3c, 0x01, 0x80, 0xfc]);
    let bits = Tensor::from_bytes(DType::I4, [6], &[3, 0xf8, 0, 7, 0xff, 1]).unwrap();
    let up = eval(&source("i4"), &[bits, Tensor::scalar(1.0f32)]).remove(0);
    assert_eq!(up.bytes(), [0xf8, 0xff, 0, 1, 3, 7]);
}

#[test]
fn empty_and_long_sorts() {
    let source = |n: usize| {
        format!(
            "func @f(%x: f32[{n}]) -> (f32[{n}]) {{
               %0 = sort %x, dim = 0, comparator = (%a: f32[], %b: f32[]) -> (bool[]) {{
                 %0 = compare %a, %b, direction = LT : bool[]
                 return %0
               }} : f32[{n}]
               return %0
             }}"
        )
    };
    for n in [0, 1, 2, 3, 1000] {
        let mut x: Vec<f32> = numbers(n).into_iter().map(|i| i as f32).collect();
        let got = eval(&source(n), &[t(&[n], &x)]).remove(0);
        x.sort_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
        assert_eq!(got.as_slice::<f32>().unwrap(), x);
    }
}

const ARGMAX: &str = "(%v: i32[], %i: i32[], %w: i32[], %j: i32[]) -> (i32[], i32[]) {
    %0 = compare %v, %w, direction = GE : bool[]
    %1 = select %0, %v, %w : i32[]
    %2 = select %0, %i, %j : i32[]
    return %1, %2
  }";

#[test]
fn generic_reduce_folds_several_operands_in_order() {
    let x = numbers(24);
    let source = format!(
        "func @f(%x: i32[2, 3, 4], %i: i32[2, 3, 4], %v: i32[], %k: i32[]) -> (i32[3], i32[3]) {{
           %0:2 = generic_reduce %x, %i, %v, %k, axes = [0, 2], body = {ARGMAX} : (i32[3], i32[3])
           return %0#0, %0#1
         }}"
    );
    let inputs = [
        t(&[2, 3, 4], &x),
        t(&[2, 3, 4], &(0..24).collect::<Vec<i32>>()),
        Tensor::scalar(i32::MIN),
        Tensor::scalar(-1),
    ];
    let got = eval(&source, &inputs);
    for row in 0..3 {
        let at = (0..24).filter(|i| i / 4 % 3 == row);
        let best = at.fold(None, |b: Option<usize>, i| b.filter(|&b| x[b] >= x[i]).or(Some(i))).unwrap();
        assert_eq!(got[0].as_slice::<i32>().unwrap()[row], x[best]);
        assert_eq!(got[1].as_slice::<i32>().unwrap()[row], best as i32);
    }
    // Horner's rule shows order and captures: ((0 * 10 + a) * 10 + b) * 10 + c.
    let digits = eval(
        "func @f(%x: f32[2, 3], %z: f32[], %ten: f32[]) -> (f32[2]) {
           %0 = generic_reduce %x, %z, %ten, axes = [1], body = (%a: f32[], %e: f32[], %t: f32[]) -> (f32[]) {
             %0 = multiply %a, %t : f32[]
             %1 = add %0, %e : f32[]
             return %1
           } : f32[2]
           return %0
         }",
        &[t(&[2, 3], &[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0]), Tensor::scalar(0.0f32), Tensor::scalar(10.0f32)],
    );
    assert_eq!(digits[0].as_slice::<f32>().unwrap(), [123.0, 456.0]);
}

#[test]
fn generic_forms_agree_with_the_named_ones() {
    let x: Vec<f32> = numbers(5 * 6).into_iter().map(|i| i as f32).collect();
    let window = "window = [{size = 2, stride = 2, pad = [1, 0]}, {size = 3, pad = [1, 2], base_dilation = 2, window_dilation = 2}]";
    let body = "(%a: f32[], %b: f32[]) -> (f32[]) { %0 = add %a, %b : f32[] return %0 }";
    let source = format!(
        "func @f(%x: f32[5, 6], %v: f32[]) -> (f32[3, 10], f32[3, 10]) {{
           %0 = reduce_window %x, %v, reducer = add, {window} : f32[3, 10]
           %1 = generic_reduce_window %x, %v, {window}, body = {body} : f32[3, 10]
           return %0, %1
         }}"
    );
    let got = eval(&source, &[t(&[5, 6], &x), Tensor::scalar(3.0f32)]);
    assert_eq!(got[0], got[1]);
    let source = format!(
        "func @f(%x: f32[5, 6], %s: f32[2, 5], %v: f32[]) -> (f32[5, 6], f32[5, 6]) {{
           %0 = select_and_scatter %x, %s, %v, select = GE, scatter = add, window = [{{size = 3, stride = 2}}, {{size = 2}}] : f32[5, 6]
           %1 = generic_select_and_scatter %x, %s, %v, window = [{{size = 3, stride = 2}}, {{size = 2}}],
             select = (%a: f32[], %b: f32[]) -> (bool[]) {{ %0 = compare %a, %b, direction = GE : bool[] return %0 }},
             scatter = {body} : f32[5, 6]
           return %0, %1
         }}"
    );
    let sources: Vec<f32> = (1..=10).map(|i| i as f32).collect();
    let got = eval(&source, &[t(&[5, 6], &x), t(&[2, 5], &sources), Tensor::scalar(0.5f32)]);
    assert_eq!(got[0], got[1]);
    let dims = "update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1";
    let source = format!(
        "func @f(%x: f32[5, 6], %i: i32[4, 1], %u: f32[4, 6]) -> (f32[5, 6], f32[5, 6]) {{
           %0 = scatter %x, %i, %u, update = add, {dims} : f32[5, 6]
           %1 = generic_scatter %x, %i, %u, {dims}, body = {body} : f32[5, 6]
           return %0, %1
         }}"
    );
    let updates: Vec<f32> = (0..24).map(|i| i as f32 / 4.0).collect();
    let got = eval(&source, &[t(&[5, 6], &x), t(&[4, 1], &[3i32, 9, 3, 0]), t(&[4, 6], &updates)]);
    assert_eq!(got[0], got[1]);
}

#[test]
fn generic_scatter_updates_several_operands_in_order() {
    // (old, count) -> (10 old + update, count + step)
    let got = eval(
        "func @f(%x: i32[3], %n: i8[3], %i: i64[4, 1], %u: i32[4], %s: i8[4], %ten: i32[]) -> (i32[3], i8[3]) {
           %0:2 = generic_scatter %x, %n, %i, %u, %s, %ten, update_window_dims = [], inserted_window_dims = [0],
             scatter_dims_to_operand_dims = [0], index_vector_dim = 1,
             body = (%a: i32[], %b: i8[], %c: i32[], %d: i8[], %t: i32[]) -> (i32[], i8[]) {
               %0 = multiply %a, %t : i32[]
               %1 = add %0, %c : i32[]
               %2 = add %b, %d : i8[]
               return %1, %2
             } : (i32[3], i8[3])
           return %0#0, %0#1
         }",
        &[
            t(&[3], &[1i32, 2, 3]),
            t(&[3], &[0i8, 0, 0]),
            t(&[4, 1], &[2i64, 0, 2, -1]),
            t(&[4], &[4i32, 5, 6, 7]),
            t(&[4], &[1i8, 1, 1, 1]),
            Tensor::scalar(10i32),
        ],
    );
    assert_eq!(got[0].as_slice::<i32>().unwrap(), [15, 2, 346]);
    assert_eq!(got[1].as_slice::<i8>().unwrap(), [1, 0, 2]);
}

#[test]
fn astronomical_sizes_without_elements() {
    let got = eval(
        "func @f(%x: f32[0, 1000000000000], %v: f32[]) -> (f32[0]) {
           %0 = generic_reduce %x, %v, axes = [1], body = (%a: f32[], %b: f32[]) -> (f32[]) {
             %0 = add %a, %b : f32[]
             return %0
           } : f32[0]
           return %0
         }",
        &[t::<f32>(&[0, 1_000_000_000_000], &[]), Tensor::scalar(0.0f32)],
    );
    assert_eq!(got[0].shape(), [0]);
    // Nothing to fold gives the initial values.
    let got = eval(
        "func @f(%x: f32[2, 0], %v: f32[]) -> (f32[2]) {
           %0 = generic_reduce %x, %v, axes = [1], body = (%a: f32[], %b: f32[]) -> (f32[]) {
             %0 = add %a, %b : f32[]
             return %0
           } : f32[2]
           return %0
         }",
        &[t::<f32>(&[2, 0], &[]), Tensor::scalar(4.0f32)],
    );
    assert_eq!(got[0].as_slice::<f32>().unwrap(), [4.0, 4.0]);
}

#[test]
fn limits_and_faults_inside_are_told() {
    let source = "func @f(%x: i32[3]) -> (i32[3]) {
        %0 = sort %x, dim = 0, comparator = (%a: i32[], %b: i32[]) -> (bool[]) {
          %0 = while %a, cond = (%a: i32[]) -> (bool[]) {
            %0 = compare %a, %a, direction = EQ : bool[]
            return %0
          }, body = (%a: i32[]) -> (i32[]) { return %a } : i32[]
          %1 = compare %0, %b, direction = LT : bool[]
          return %1
        } : i32[3]
        return %0
      }";
    let f = text::parse(source).unwrap_or_else(|e| panic!("{e}"));
    let options = kiln_interp::EvalOptions { max_iterations: Some(10), ..Default::default() };
    let result = kiln_interp::eval_with(&f, &[t(&[3], &[1i32, 2, 3])], &options, &mut ());
    assert!(matches!(result, Err(kiln_interp::EvalError::IterationLimit { limit: 10, .. })), "{result:?}");
}
