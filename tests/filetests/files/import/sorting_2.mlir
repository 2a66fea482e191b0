// test import checks
func.func @top_k_of_rows() {
  %x = stablehlo.constant dense<[[1.0, 5.0, 5.0, -2.0], [0x7FC00000, 0.0, -0.0, 3.0]]> : tensor<2x4xf32>
  %v, %i = chlo.top_k(%x, k = 3) : tensor<2x4xf32> -> (tensor<2x3xf32>, tensor<2x3xi32>)
  check.expect_eq_const %v, dense<[[5.0, 5.0, 1.0], [0x7FC00000, 3.0, 0.0]]> : tensor<2x3xf32>
  check.expect_eq_const %i, dense<[[1, 2, 0], [0, 3, 1]]> : tensor<2x3xi32>
  return
}

// 2 checks hold
