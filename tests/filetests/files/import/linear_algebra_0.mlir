// test import checks
func.func @cholesky_both_ways() {
  %a = stablehlo.constant dense<[[[4.0, 2.0, 6.0], [2.0, 10.0, 9.0], [6.0, 9.0, 22.0]]]> : tensor<1x3x3xf64>
  %l = stablehlo.cholesky %a, lower = true : tensor<1x3x3xf64>
  check.expect_almost_eq_const %l, dense<[[[2.0, 0.0, 0.0], [1.0, 3.0, 0.0], [3.0, 2.0, 3.0]]]> : tensor<1x3x3xf64>
  %u = "stablehlo.cholesky"(%a) <{lower = false}> : (tensor<1x3x3xf64>) -> tensor<1x3x3xf64>
  check.expect_almost_eq_const %u, dense<[[[2.0, 1.0, 3.0], [0.0, 3.0, 2.0], [0.0, 0.0, 3.0]]]> : tensor<1x3x3xf64>
  return
}

// 2 checks hold
