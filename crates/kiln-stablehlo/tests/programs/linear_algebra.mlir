func.func @cholesky_both_ways() {
  %a = stablehlo.constant dense<[[[4.0, 2.0, 6.0], [2.0, 10.0, 9.0], [6.0, 9.0, 22.0]]]> : tensor<1x3x3xf64>
  %l = stablehlo.cholesky %a, lower = true : tensor<1x3x3xf64>
  check.expect_almost_eq_const %l, dense<[[[2.0, 0.0, 0.0], [1.0, 3.0, 0.0], [3.0, 2.0, 3.0]]]> : tensor<1x3x3xf64>
  %u = "stablehlo.cholesky"(%a) <{lower = false}> : (tensor<1x3x3xf64>) -> tensor<1x3x3xf64>
  check.expect_almost_eq_const %u, dense<[[[2.0, 1.0, 3.0], [0.0, 3.0, 2.0], [0.0, 0.0, 3.0]]]> : tensor<1x3x3xf64>
  return
}
// -----
func.func @solve_all_ways() {
  // The other triangle holds what must not be read.
  %a = stablehlo.constant dense<[[2.0, 0x7FC00000], [1.0, 4.0]]> : tensor<2x2xf32>
  %b = stablehlo.constant dense<[[2.0, 4.0], [9.0, 10.0]]> : tensor<2x2xf32>
  %x = "stablehlo.triangular_solve"(%a, %b) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = #stablehlo<transpose NO_TRANSPOSE>}> : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  check.expect_almost_eq_const %x, dense<[[1.0, 2.0], [2.0, 2.0]]> : tensor<2x2xf32>
  %t = "stablehlo.triangular_solve"(%a, %b) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = #stablehlo<transpose TRANSPOSE>}> : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  check.expect_almost_eq_const %t, dense<[[-0.125, 0.75], [2.25, 2.5]]> : tensor<2x2xf32>
  %r = "stablehlo.triangular_solve"(%a, %b) <{left_side = false, lower = true, unit_diagonal = true, transpose_a = #stablehlo<transpose NO_TRANSPOSE>}> : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  check.expect_almost_eq_const %r, dense<[[-2.0, 4.0], [-1.0, 10.0]]> : tensor<2x2xf32>
  return
}
// -----
func.func @batch_norms() {
  %x = stablehlo.constant dense<[[1.0, 2.0], [3.0, 6.0]]> : tensor<2x2xf32>
  %scale = stablehlo.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %offset = stablehlo.constant dense<[0.5, 1.0]> : tensor<2xf32>
  %y, %m, %v = "stablehlo.batch_norm_training"(%x, %scale, %offset) <{epsilon = 0.0 : f32, feature_index = 1 : i64}> : (tensor<2x2xf32>, tensor<2xf32>, tensor<2xf32>) -> (tensor<2x2xf32>, tensor<2xf32>, tensor<2xf32>)
  check.expect_almost_eq_const %y, dense<[[-0.5, -1.0], [1.5, 3.0]]> : tensor<2x2xf32>
  check.expect_almost_eq_const %m, dense<[2.0, 4.0]> : tensor<2xf32>
  check.expect_almost_eq_const %v, dense<[1.0, 4.0]> : tensor<2xf32>
  %i = "stablehlo.batch_norm_inference"(%x, %scale, %offset, %m, %v) <{epsilon = 0.0 : f32, feature_index = 1 : i64}> : (tensor<2x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<2x2xf32>
  check.expect_almost_eq %i, %y : tensor<2x2xf32>
  return
}
// -----
func.func @ragged_groups() {
  %l = stablehlo.constant dense<[[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]> : tensor<3x2xf32>
  %r = stablehlo.constant dense<[[[1.0], [0.0]], [[0.0], [10.0]]]> : tensor<2x2x1xf32>
  %g = stablehlo.constant dense<[2, 1]> : tensor<2xi32>
  %d = "chlo.ragged_dot"(%l, %r, %g) {ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_batching_dimensions = [], rhs_batching_dimensions = [], lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1], lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]>, precision_config = []} : (tensor<3x2xf32>, tensor<2x2x1xf32>, tensor<2xi32>) -> tensor<3x1xf32>
  check.expect_almost_eq_const %d, dense<[[1.0], [2.0], [30.0]]> : tensor<3x1xf32>
  return
}
