func.func @scatter_with_any_region() {
  // Subtracts each update from what is there; two updates meet, one is outside.
  %x = stablehlo.constant dense<[100, 200, 300]> : tensor<3xi32>
  %i = stablehlo.constant dense<[[2], [0], [2], [7]]> : tensor<4x1xi32>
  %u = stablehlo.constant dense<[1, 2, 3, 4]> : tensor<4xi32>
  %r = "stablehlo.scatter"(%x, %i, %u) <{scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %c = stablehlo.subtract %a, %b : tensor<i32>
    stablehlo.return %c : tensor<i32>
  }) : (tensor<3xi32>, tensor<4x1xi32>, tensor<4xi32>) -> tensor<3xi32>
  check.expect_eq_const %r, dense<[98, 200, 296]> : tensor<3xi32>
  return
}
// -----
func.func @scatter_windows_in_batches() {
  %x = stablehlo.constant dense<0> : tensor<2x4x2xi32>
  %i = stablehlo.constant dense<[[1], [3]]> : tensor<2x1xi64>
  %u = stablehlo.constant dense<[[5, 6], [7, 8]]> : tensor<2x2xi32>
  %r = "stablehlo.scatter"(%x, %i, %u) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [1], input_batching_dims = [0], scatter_indices_batching_dims = [0], scatter_dims_to_operand_dims = [1], index_vector_dim = 1>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %two = stablehlo.constant dense<2> : tensor<i32>
    %c = stablehlo.multiply %b, %two : tensor<i32>
    %d = stablehlo.add %a, %c : tensor<i32>
    stablehlo.return %d : tensor<i32>
  }) : (tensor<2x4x2xi32>, tensor<2x1xi64>, tensor<2x2xi32>) -> tensor<2x4x2xi32>
  check.expect_eq_const %r, dense<[[[0, 0], [10, 12], [0, 0], [0, 0]], [[0, 0], [0, 0], [0, 0], [14, 16]]]> : tensor<2x4x2xi32>
  return
}
// -----
func.func @scatter_two_operands() {
  %x = stablehlo.constant dense<[1, 1, 1]> : tensor<3xi32>
  %y = stablehlo.constant dense<[2.0, 2.0, 2.0]> : tensor<3xf32>
  %i = stablehlo.constant dense<[1, 1]> : tensor<2xi32>
  %u = stablehlo.constant dense<[10, 20]> : tensor<2xi32>
  %v = stablehlo.constant dense<[3.0, 5.0]> : tensor<2xf32>
  %r:2 = "stablehlo.scatter"(%x, %y, %i, %u, %v) <{scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<f32>, %c: tensor<i32>, %d: tensor<f32>):
    %s = stablehlo.add %a, %c : tensor<i32>
    %t = stablehlo.multiply %b, %d : tensor<f32>
    stablehlo.return %s, %t : tensor<i32>, tensor<f32>
  }) : (tensor<3xi32>, tensor<3xf32>, tensor<2xi32>, tensor<2xi32>, tensor<2xf32>) -> (tensor<3xi32>, tensor<3xf32>)
  check.expect_eq_const %r#0, dense<[1, 31, 1]> : tensor<3xi32>
  check.expect_almost_eq_const %r#1, dense<[2.0, 30.0, 2.0]> : tensor<3xf32>
  return
}
