// test import checks
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

// 1 checks hold
