// test import checks
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

// 2 checks hold
