// Reductions: pretty and generic, standard and arbitrary regions.
func.func @sum_pretty() {
  %x = stablehlo.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %r = stablehlo.reduce(%x init: %z) applies stablehlo.add across dimensions = [1] : (tensor<2x3xf32>, tensor<f32>) -> tensor<2xf32>
  check.expect_almost_eq_const %r, dense<[6.0, 15.0]> : tensor<2xf32>
  return
}
// -----
func.func @maximum_with_reducer_block() {
  %x = stablehlo.constant dense<[[1, 7, 3], [4, -5, 6]]> : tensor<2x3xi32>
  %z = stablehlo.constant dense<-2147483648> : tensor<i32>
  %r = stablehlo.reduce(%x init: %z) across dimensions = [0, 1] : (tensor<2x3xi32>, tensor<i32>) -> tensor<i32>
   reducer(%a: tensor<i32>, %b: tensor<i32>) {
    %m = stablehlo.maximum %b, %a : tensor<i32>
    stablehlo.return %m : tensor<i32>
  }
  check.expect_eq_const %r, dense<7> : tensor<i32>
  return
}
// -----
func.func @argmax_first_of_equals() {
  %x = stablehlo.constant dense<[[3, 9, 9, 1, 0], [5, 5, 5, 5, 5], [-1, -2, -3, -4, 8]]> : tensor<3x5xi32>
  %i = stablehlo.iota dim = 1 : tensor<3x5xi32>
  %low = stablehlo.constant dense<-2147483648> : tensor<i32>
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %r:2 = stablehlo.reduce(%x init: %low), (%i init: %zero) across dimensions = [1] : (tensor<3x5xi32>, tensor<3x5xi32>, tensor<i32>, tensor<i32>) -> (tensor<3xi32>, tensor<3xi32>)
   reducer(%a: tensor<i32>, %c: tensor<i32>) (%b: tensor<i32>, %d: tensor<i32>) {
    %gt = stablehlo.compare GT, %a, %c, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %eq = stablehlo.compare EQ, %a, %c, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %lt = stablehlo.compare LT, %b, %d, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %tie = stablehlo.and %eq, %lt : tensor<i1>
    %first = stablehlo.or %gt, %tie : tensor<i1>
    %v = stablehlo.select %gt, %a, %c : tensor<i1>, tensor<i32>
    %p = stablehlo.select %first, %b, %d : tensor<i1>, tensor<i32>
    stablehlo.return %v, %p : tensor<i32>, tensor<i32>
  }
  check.expect_eq_const %r#0, dense<[9, 5, 8]> : tensor<3xi32>
  check.expect_eq_const %r#1, dense<[1, 0, 4]> : tensor<3xi32>
  return
}
// -----
func.func @associative_but_not_commutative() {
  // The last element that is not zero, over both dimensions in row-major order.
  %x = stablehlo.constant dense<[[1, 0, 3], [4, 0, 0]]> : tensor<2x3xi32>
  %z = stablehlo.constant dense<0> : tensor<i32>
  %r = "stablehlo.reduce"(%x, %z) <{dimensions = array<i64: 0, 1>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %none = stablehlo.constant dense<0> : tensor<i32>
    %is = stablehlo.compare NE, %b, %none : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %s = stablehlo.select %is, %b, %a : tensor<i1>, tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<2x3xi32>, tensor<i32>) -> tensor<i32>
  check.expect_eq_const %r, dense<4> : tensor<i32>
  return
}
// -----
func.func @promoted_to_the_region_type() {
  %x = stablehlo.constant dense<[100, 100, 100]> : tensor<3xi8>
  %z = stablehlo.constant dense<0> : tensor<i8>
  %r = "stablehlo.reduce"(%x, %z) <{dimensions = array<i64: 0>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %s = stablehlo.add %a, %b : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<3xi8>, tensor<i8>) -> tensor<i32>
  check.expect_eq_const %r, dense<300> : tensor<i32>
  return
}
// -----
func.func @nothing_to_reduce() {
  %x = stablehlo.constant dense<> : tensor<0x2xi32>
  %z = stablehlo.constant dense<5> : tensor<i32>
  %r = "stablehlo.reduce"(%x, %z) <{dimensions = array<i64: 0>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %two = stablehlo.constant dense<2> : tensor<i32>
    %s = stablehlo.add %a, %b : tensor<i32>
    %t = stablehlo.maximum %s, %two : tensor<i32>
    stablehlo.return %t : tensor<i32>
  }) : (tensor<0x2xi32>, tensor<i32>) -> tensor<2xi32>
  check.expect_eq_const %r, dense<[5, 5]> : tensor<2xi32>
  return
}
// -----
func.func @windows_with_any_region() {
  // The larger absolute value in windows of two, one place of padding before.
  %x = stablehlo.constant dense<[1, -4, 3, -2]> : tensor<4xi32>
  %z = stablehlo.constant dense<0> : tensor<i32>
  %r = "stablehlo.reduce_window"(%x, %z) <{window_dimensions = array<i64: 2>, padding = dense<[[1, 0]]> : tensor<1x2xi64>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %p = stablehlo.abs %a : tensor<i32>
    %q = stablehlo.abs %b : tensor<i32>
    %ge = stablehlo.compare GE, %p, %q : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %s = stablehlo.select %ge, %a, %b : tensor<i1>, tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<4xi32>, tensor<i32>) -> tensor<4xi32>
  check.expect_eq_const %r, dense<[1, -4, -4, 3]> : tensor<4xi32>
  return
}
// -----
func.func @windows_strided_and_dilated() {
  %x = stablehlo.constant dense<[1, 2, 3, 4, 5, 6, 7]> : tensor<7xi32>
  %z = stablehlo.constant dense<0> : tensor<i32>
  %r = "stablehlo.reduce_window"(%x, %z) <{window_dimensions = array<i64: 3>, window_strides = array<i64: 2>, window_dilations = array<i64: 2>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %n = stablehlo.negate %b : tensor<i32>
    %m = stablehlo.negate %n : tensor<i32>
    %s = stablehlo.add %a, %m : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<7xi32>, tensor<i32>) -> tensor<2xi32>
  check.expect_eq_const %r, dense<[9, 15]> : tensor<2xi32>
  return
}
// -----
func.func @select_the_last_of_equals() {
  %x = stablehlo.constant dense<[2, 2, 1, 3, 3, 0]> : tensor<6xi32>
  %s = stablehlo.constant dense<[10, 20, 30]> : tensor<3xi32>
  %z = stablehlo.constant dense<0> : tensor<i32>
  %r = "stablehlo.select_and_scatter"(%x, %s, %z) <{window_dimensions = array<i64: 2>, window_strides = array<i64: 2>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %c = stablehlo.compare GT, %a, %b : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  }, {
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %c = stablehlo.add %a, %b : tensor<i32>
    stablehlo.return %c : tensor<i32>
  }) : (tensor<6xi32>, tensor<3xi32>, tensor<i32>) -> tensor<6xi32>
  check.expect_eq_const %r, dense<[0, 10, 0, 20, 30, 0]> : tensor<6xi32>
  return
}
// -----
func.func @map_of_two() {
  %x = stablehlo.constant dense<[[1, 2], [3, 4]]> : tensor<2x2xi32>
  %r = "stablehlo.map"(%x, %x) <{dimensions = array<i64: 0, 1>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %c = stablehlo.constant dense<10> : tensor<i32>
    %m = stablehlo.multiply %a, %c : tensor<i32>
    %s = stablehlo.add %m, %b : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<2x2xi32>, tensor<2x2xi32>) -> tensor<2x2xi32>
  check.expect_eq_const %r, dense<[[11, 22], [33, 44]]> : tensor<2x2xi32>
  return
}
