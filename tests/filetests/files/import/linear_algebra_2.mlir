// test import checks
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

// 4 checks hold
