func.func @sort_pairs_keeps_order_of_equals() {
  %k = stablehlo.constant dense<[[3, 1, 2, 1, 3, 1]]> : tensor<1x6xi32>
  %v = stablehlo.constant dense<[[0, 1, 2, 3, 4, 5]]> : tensor<1x6xi64>
  %r:2 = "stablehlo.sort"(%k, %v) <{dimension = 1 : i64, is_stable = true}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>, %c: tensor<i64>, %d: tensor<i64>):
    %lt = stablehlo.compare LT, %a, %b, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %lt : tensor<i1>
  }) : (tensor<1x6xi32>, tensor<1x6xi64>) -> (tensor<1x6xi32>, tensor<1x6xi64>)
  check.expect_eq_const %r#0, dense<[[1, 1, 1, 2, 3, 3]]> : tensor<1x6xi32>
  check.expect_eq_const %r#1, dense<[[1, 3, 5, 2, 0, 4]]> : tensor<1x6xi64>
  return
}
// -----
func.func @sort_downwards_along_the_first_dimension() {
  %k = stablehlo.constant dense<[[1.0, 8.0], [5.0, 2.0], [3.0, 9.0]]> : tensor<3x2xf32>
  %r = "stablehlo.sort"(%k) <{dimension = 0 : i64}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %ge = stablehlo.compare GE, %a, %b, TOTALORDER : (tensor<f32>, tensor<f32>) -> tensor<i1>
    stablehlo.return %ge : tensor<i1>
  }) : (tensor<3x2xf32>) -> tensor<3x2xf32>
  check.expect_eq_const %r, dense<[[5.0, 9.0], [3.0, 8.0], [1.0, 2.0]]> : tensor<3x2xf32>
  return
}
// -----
func.func @top_k_of_rows() {
  %x = stablehlo.constant dense<[[1.0, 5.0, 5.0, -2.0], [0x7FC00000, 0.0, -0.0, 3.0]]> : tensor<2x4xf32>
  %v, %i = chlo.top_k(%x, k = 3) : tensor<2x4xf32> -> (tensor<2x3xf32>, tensor<2x3xi32>)
  check.expect_eq_const %v, dense<[[5.0, 5.0, 1.0], [0x7FC00000, 3.0, 0.0]]> : tensor<2x3xf32>
  check.expect_eq_const %i, dense<[[1, 2, 0], [0, 3, 1]]> : tensor<2x3xi32>
  return
}
// -----
func.func @sort_of_a_long_row() {
  // 600 elements: by the network. i * 7 mod 600 passes through all numbers.
  %i = stablehlo.iota dim = 1 : tensor<2x600xi32>
  %seven = stablehlo.constant dense<7> : tensor<2x600xi32>
  %n = stablehlo.constant dense<600> : tensor<2x600xi32>
  %p = stablehlo.multiply %i, %seven : tensor<2x600xi32>
  %k = stablehlo.remainder %p, %n : tensor<2x600xi32>
  %r:2 = "stablehlo.sort"(%k, %i) <{dimension = -1 : i64}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>, %c: tensor<i32>, %d: tensor<i32>):
    %lt = stablehlo.compare LT, %a, %b, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %lt : tensor<i1>
  }) : (tensor<2x600xi32>, tensor<2x600xi32>) -> (tensor<2x600xi32>, tensor<2x600xi32>)
  check.expect_eq %r#0, %i : tensor<2x600xi32>
  %back = stablehlo.multiply %r#1, %seven : tensor<2x600xi32>
  %mod = stablehlo.remainder %back, %n : tensor<2x600xi32>
  check.expect_eq %mod, %i : tensor<2x600xi32>
  return
}
// -----
func.func @long_rows_keep_order_of_equals() {
  %i = stablehlo.iota dim = 0 : tensor<300xi32>
  %three = stablehlo.constant dense<3> : tensor<300xi32>
  %k = stablehlo.remainder %i, %three : tensor<300xi32>
  %r:2 = "stablehlo.sort"(%k, %i) <{dimension = 0 : i64, is_stable = true}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>, %c: tensor<i32>, %d: tensor<i32>):
    %lt = stablehlo.compare LT, %a, %b, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %lt : tensor<i1>
  }) : (tensor<300xi32>, tensor<300xi32>) -> (tensor<300xi32>, tensor<300xi32>)
  %hundred = stablehlo.constant dense<100> : tensor<300xi32>
  %within = stablehlo.remainder %i, %hundred : tensor<300xi32>
  %group = stablehlo.divide %i, %hundred : tensor<300xi32>
  %scaled = stablehlo.multiply %within, %three : tensor<300xi32>
  %want = stablehlo.add %scaled, %group : tensor<300xi32>
  check.expect_eq %r#1, %want : tensor<300xi32>
  return
}
